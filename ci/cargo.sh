#!/usr/bin/env bash
# cargo with a static C library (static.sh) and RocksDB's library as ci/rocksdb.sh builds it. When that fails, cargo builds RocksDB itself (slower).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if library=$("$here/rocksdb.sh"); then
    export ROCKSDB_LIB_DIR=$library ROCKSDB_STATIC=1
fi
# shellcheck source=static.sh
. "$here/static.sh"
exec cargo "$@"
