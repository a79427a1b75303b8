#!/usr/bin/env bash
# Installs what a build needs and this machine lacks (with apt, as root); otherwise names it and stops.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

need_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
packages=()
command -v g++ >/dev/null || packages+=(g++)
command -v make >/dev/null || packages+=(make)
# bindgen reads RocksDB's header with libclang.
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null ||
    [ -n "${LIBCLANG_PATH:-}" ] || packages+=(libclang-dev)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)

if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing: ${packages[*]}" >&2
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >&2
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
    else
        printf 'missing: %s\n  try: sudo apt-get install %s\n' "${packages[*]}" "${packages[*]}" >&2
        exit 2
    fi
fi

have_rust=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ -z "$have_rust" ] || [ "$(printf '%s\n%s\n' "$need_rust" "$have_rust" | sort -V | head -n 1)" != "$need_rust" ]; then
    printf 'missing: Rust %s or later (%s)\n  try: install it with rustup (https://rustup.rs), then run this again\n' \
        "$need_rust" "$([ -n "$have_rust" ] && echo "found $have_rust" || echo "none found")" >&2
    exit 2
fi
