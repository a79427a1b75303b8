#!/usr/bin/env bash
# Applies each ci/mutants/*.patch to a copy of the tree, runs the command named in its first line ("# run: ...") and
# fails when that command still passes: a test that cannot fail is worth nothing. Arguments: patches (default: all).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/mutants-target}
if library=$("$here/rocksdb.sh"); then export ROCKSDB_LIB_DIR=$library ROCKSDB_STATIC=1; fi

patches=("$@")
[ "${#patches[@]}" -gt 0 ] || patches=("$root"/ci/mutants/*.patch)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unnoticed=0
changed=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    run=$(sed -n '1s/^# run: //p' "$patch")
    [ -n "$run" ] || { echo "$name: its first line does not say '# run: ...'" >&2; exit 2; }
    rm -rf "$work/tree" && mkdir "$work/tree"
    git -C "$root" archive HEAD | tar -x -C "$work/tree"
    # cargo goes by times, and these are the commit's: what the mutant before this one changed must look new again, or its
    # crate stays as that one left it.
    [ "${#changed[@]}" -eq 0 ] || (cd "$work/tree" && touch -c -- "${changed[@]}")
    mapfile -t changed < <(git apply --numstat "$patch" | cut -f3)
    (cd "$work/tree" && git apply "$patch") || { echo "$name: does not apply" >&2; exit 2; }
    code=0
    (cd "$work/tree" && bash -c "$run") >"$work/log" 2>&1 || code=$?
    if [ "$code" -eq 0 ]; then
        echo "NOT NOTICED  $name   ($run)"
        unnoticed=$((unnoticed + 1))
    elif [ "$code" -gt 128 ]; then
        echo "ENDED BY A SIGNAL  $name   (exit code $code)"; exit 2
    elif grep -qE 'error(\[E[0-9]+\])?: |could not compile' "$work/log" && ! grep -q 'test result' "$work/log"; then
        echo "DOES NOT COMPILE  $name"; tail -n 20 "$work/log"; exit 2
    else
        echo "noticed      $name"
    fi
done
echo "${#patches[@]} mutants, $unnoticed not noticed"
[ "$unnoticed" -eq 0 ]
