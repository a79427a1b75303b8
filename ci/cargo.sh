#!/usr/bin/env bash
# cargo with RocksDB's library as ci/rocksdb.sh builds it. When that fails, cargo builds RocksDB itself (slower).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if library=$("$here/rocksdb.sh"); then
    export ROCKSDB_LIB_DIR=$library ROCKSDB_STATIC=1
fi
exec cargo "$@"
