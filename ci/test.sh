#!/usr/bin/env bash
# Every test that needs no Docker and no virtual machine. Tests of real processes in real time can be pushed over by
# a busy machine: a test program of a crate that has such tests is run once more, alone, and both outcomes are printed.
# Failing twice fails; a program of another crate gives the same answer every time, and failing once fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if "$here/cargo.sh" test --locked --workspace --no-fail-fast 2>&1 | tee "$log"; then
    exit 0
fi
# cargo ends with: error: 2 targets failed: / `-p farquorum-node --test api` / ...
# shellcheck disable=SC2016 # the backticks are cargo's own
mapfile -t failed < <(sed -n 's/^    `\(-p .*\)`$/\1/p' "$log" | sort -u)
[ "${#failed[@]}" -gt 0 ] || exit 1
# TARGET: do its tests use the time or the network? Those of netem's link model, in a crate whose others do, do not.
timed() {
    case ${1#-p } in
    farquorum-netem*--lib*) ! grep -q '^test model::.* FAILED$' "$log" ;;
    'farquorum '* | farquorum-netem* | farquorum-node* | farquorum-client* | farquorum-tls* | farquorum-worker* | farquorum-storage*) ;;
    *) false ;;
    esac
}
for target in "${failed[@]}"; do
    timed "$target" || { echo "ci/test.sh: FAILED: $target: its answer is the same every time, so it is not run again" >&2; exit 1; }
done
for target in "${failed[@]}"; do
    echo "ci/test.sh: FAILED ONCE: $target; running it again, alone"
    # With --workspace the dependencies keep the features that they are built with.
    case $target in
    *' --test '*) args=(--workspace --test "${target##* }") ;;
    *) read -ra args <<<"$target" ;;
    esac
    "$here/cargo.sh" test --locked "${args[@]}"
    echo "ci/test.sh: UNSTABLE: $target failed once and passed once"
done
