#!/usr/bin/env bash
# The clients of Google's and Azure's object stores against emulators on loopback ports: fake-gcs-server (built by Go) and
# Azurite (from npm), both fetched once into the cache. What needs no emulator runs with the other tests.
# Usage: ci/stores.sh [fetch]; `fetch` makes the emulators and nothing more. FARQUORUM_NO_EMULATORS=1 leaves the test out,
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
FARQUORUM_AZURITE_BLOB=$azurite/node_modules/.bin/azurite-blob
FARQUORUM_FAKE_GCS=$("$here/go-tools.sh" fake-gcs-server)
export FARQUORUM_AZURITE_BLOB FARQUORUM_FAKE_GCS
[ "${1:-}" != fetch ] || exit 0
"$here/cargo.sh" test --locked --workspace --test clouds
