#!/usr/bin/env bash
# The client of Azure's object store against Azurite on a loopback port, which npm fetches once into the cache. What needs
# no emulator (Amazon's, Google's) is in the same test program, and runs with the other tests too.
# Usage: ci/stores.sh [fetch]; `fetch` gets the emulator and nothing more. FARQUORUM_NO_EMULATORS=1 leaves the test out,
# and says so.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
version=3.35.0
azurite=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/azurite/$version

if [ "${1:-}" != fetch ] && [ "${FARQUORUM_NO_EMULATORS:-}" = 1 ]; then
    echo "stores: LEFT OUT: FARQUORUM_NO_EMULATORS=1"
    exit 0
fi
if [ ! -d "$azurite" ]; then
    command -v npm >/dev/null || { echo "ci/stores.sh: npm is not installed, which fetches Azurite
  try: sudo apt-get install npm" >&2; exit 2; }
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    npm install --prefix "$work/azurite" --no-audit --no-fund --ignore-scripts "azurite@$version" >"$work/log" 2>&1 ||
        { tail -20 "$work/log" >&2; exit 1; }
    mkdir -p "$(dirname "$azurite")"
    mv "$work/azurite" "$azurite"
fi
[ "${1:-}" != fetch ] || exit 0
export FARQUORUM_AZURITE_BLOB=$azurite/node_modules/.bin/azurite-blob
"$here/cargo.sh" test --locked --workspace --test clouds
