#!/usr/bin/env bash
# Builds librocksdb.a from the sources that the crate librocksdb-sys ships, as a few "jumbo" units
# (each includes about 25 of its files), into a cache folder keyed by version, compiler and flags.
# cargo's own build of the same 342 files takes three times the CPU time. Prints the library's folder on
# stdout; on any failure prints nothing there and exits 1, and the caller lets cargo build it itself.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${FARQUORUM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farquorum}
cxx=${CXX:-g++}
units=14

say() { printf 'rocksdb: %s\n' "$*" >&2; }

manifest=$(cd "$root" && cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu 2>/dev/null |
    grep -o '"manifest_path":"[^"]*librocksdb-sys-[^"]*"' | head -n 1 | cut -d'"' -f4)
[ -n "$manifest" ] || { say "librocksdb-sys is not in the dependency graph"; exit 1; }
src=$(dirname "$manifest")
version=$(basename "$src")

flags=(-std=c++20 -O2 -fPIC -w -include cstdint -DNDEBUG=1 -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION
    -DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX -DROCKSDB_SCHED_GETCPU_PRESENT
    -DROCKSDB_AUXV_GETAUXVAL_PRESENT -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT)
[ "$(uname -m)" = x86_64 ] && flags+=(-msse2 -msse4.1 -msse4.2 -mpclmul)

key=$(printf '%s\n' "$version" "$($cxx --version | head -n 1)" "${flags[*]}" "$units" | sha256sum | cut -c1-16)
out=$cache/rocksdb/$version-$key
# rustc asks for libstdc++ as a dynamic library; a folder of -L that holds only the archive makes it static.
link_cxx() { ln -sfn "$($cxx -print-file-name=libstdc++.a)" "$out/libstdc++.a"; }
if [ -f "$out/librocksdb.a" ]; then link_cxx && echo "$out"; exit 0; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/farquorum-rocksdb.XXXXXX")
trap 'rm -rf "$work"' EXIT

mapfile -t sources < <(grep -v '^util/build_version.cc$' "$src/rocksdb_lib_sources.txt")
per=$(((${#sources[@]} + units - 1) / units))
for i in "${!sources[@]}"; do
    printf '#include "%s"\n' "$src/rocksdb/${sources[$i]}" >>"$work/unit$((i / per)).cc"
done
printf '#include "%s"\n' "$src/build_version.cc" >"$work/version.cc"

# A unit takes up to 1.2 GB: as many at once as there are processors and memory for.
memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
[ "$jobs" -gt $((memory_gb / 2)) ] && jobs=$((memory_gb / 2))
[ "$jobs" -lt 1 ] && jobs=1
say "building ${#sources[@]} files of $version as $units units, $jobs at a time (a few minutes, once)"

cd "$work"
export src cxx
printf '%s\n' ./*.cc | xargs -P "$jobs" -I{} "$cxx" "${flags[@]}" -I"$src/rocksdb/include" -I"$src/rocksdb" -I"$src" \
    -c {} -o {}.o >&2 || { say "the jumbo build failed; cargo's own build of RocksDB takes over (slower)"; exit 1; }
ar crs librocksdb.a ./*.o
mkdir -p "$out"
mv librocksdb.a "$out/librocksdb.a.$$" && mv "$out/librocksdb.a.$$" "$out/librocksdb.a"
link_cxx
say "done: $out"
echo "$out"
