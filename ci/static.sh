# To be sourced. One build for everything: tests, the command, containers and virtual machines run the same static
# binary, so nothing is built twice and an image needs no library. Where the C library cannot be linked statically
# (musl's target is static by itself, macOS has none) cargo's default stands and CARGO_BUILD_TARGET is empty.
# shellcheck shell=bash
CARGO_BUILD_TARGET=${CARGO_BUILD_TARGET:-}
if [ -z "$CARGO_BUILD_TARGET" ]; then
    host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
    case $host in
    *-linux-gnu)
        # With a target named, the flag below stays away from build scripts and procedural macros.
        CARGO_BUILD_TARGET=$host
        variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$host")_RUSTFLAGS
        export "$variable=${!variable:-} -C target-feature=+crt-static"
        export CARGO_BUILD_TARGET
        ;;
    esac
fi
