#!/usr/bin/env bash
# The protoc of the crate protoc-bin-vendored, which cargo has fetched before any build script runs.
set -euo pipefail
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x86_64 ;;
    Linux-aarch64) platform=linux-aarch_64 ;;
    Darwin-x86_64) platform=macos-x86_64 ;;
    Darwin-arm64) platform=macos-aarch_64 ;;
    *) echo "ci/protoc.sh: no protoc for $(uname -s) $(uname -m); set PROTOC to one" >&2; exit 2 ;;
esac
for protoc in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/protoc-bin-vendored-"$platform"-*/bin/protoc; do
    [ -x "$protoc" ] && exec "$protoc" "$@"
done
echo "ci/protoc.sh: the crate protoc-bin-vendored-$platform is not fetched; run cargo fetch" >&2
exit 2
