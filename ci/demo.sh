#!/usr/bin/env bash
# The demonstration on the given folder or file; without one, on Shakespeare's texts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# Without what it would install, there are other texts.
[ "$#" -gt 0 ] || "$here/deps.sh" demo || true
input=${1:-$("$here/demo-input.sh")}
exec "$here/../bin/farquorum" demo --input "$input"
