#!/usr/bin/env bash
# Every test that needs no Docker and no virtual machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
"$here/cargo.sh" test --locked --workspace
