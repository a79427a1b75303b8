#!/usr/bin/env bash
# Applies each ci/mutants/*.patch to a copy of the tree, runs the command named in its first line ("# run: ...") and
# fails when that command still passes: a test that cannot fail is worth nothing. Each command must pass without a patch
# first; the mutants of one that does not are skipped, and count as a failure. Arguments: patches (default: all).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/mutants-target}
if library=$("$here/rocksdb.sh"); then export ROCKSDB_LIB_DIR=$library ROCKSDB_STATIC=1; fi

patches=("$@")
[ "${#patches[@]}" -gt 0 ] || patches=("$root"/ci/mutants/*.patch)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unnoticed=0 skipped=0
declare -A passes=()
# cargo goes by times: in one tree, whatever is patched and restored looks new to it. Git restores nothing else.
tree=$work/tree
git init -q "$tree"
git -C "$root" archive HEAD | tar -x -C "$tree"
git -C "$tree" add -A -f
# COMMAND, with its exit code in `code`; its output in the log; afterwards the tree is as it was. One that builds nothing
# takes the binary of this checkout: in the tree there is none.
try() {
    code=0
    binary=()
    case $1 in *cargo* | *make*) ;; *) binary=("FARQUORUM=${FARQUORUM:-$root/bin/farquorum}") ;; esac
    (cd "$tree" && env "${binary[@]}" bash -c "$1") >"$work/log" 2>&1 || code=$?
    git -C "$tree" checkout -q -- .
    git -C "$tree" clean -qfdx
    [ "$code" -le 128 ] || { echo "ENDED BY A SIGNAL  $1   (exit code $code)"; exit 2; }
}
for patch in "${patches[@]}"; do
    patch=$(realpath "$patch")
    name=$(basename "$patch" .patch)
    run=$(sed -n '1s/^# run: //p' "$patch")
    [ -n "$run" ] || { echo "$name: its first line does not say '# run: ...'" >&2; exit 2; }
    if [ -z "${passes[$run]:-}" ]; then
        try "$run"
        passes[$run]=$([ "$code" -eq 0 ] && echo yes || echo no)
        [ "$code" -eq 0 ] || { echo "FAILS WITHOUT ANY MUTANT  ($run)"; tail -n 20 "$work/log"; }
    fi
    if [ "${passes[$run]}" = no ]; then
        echo "SKIPPED      $name   ($run)"
        skipped=$((skipped + 1))
        continue
    fi
    git -C "$tree" apply "$patch" || { echo "$name: does not apply" >&2; exit 2; }
    try "$run"
    if [ "$code" -eq 0 ]; then
        echo "NOT NOTICED  $name   ($run)"
        unnoticed=$((unnoticed + 1))
    elif grep -qE 'error(\[E[0-9]+\])?: |could not compile' "$work/log" && ! grep -q 'test result' "$work/log"; then
        echo "DOES NOT COMPILE  $name"; tail -n 20 "$work/log"; exit 2
    else
        echo "noticed      $name"
    fi
done
echo "${#patches[@]} mutants, $unnoticed not noticed, $skipped skipped"
[ $((unnoticed + skipped)) -eq 0 ]
