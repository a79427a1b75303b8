#!/usr/bin/env bash
# Formatting, clippy with warnings as errors, shell scripts, licences and advisories. Tools that this machine lacks
# are named; with CI=true they must be there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

cargo fmt --all --check
"$here/cargo.sh" clippy --locked --workspace --all-targets -- -D warnings

# A sabotage that no longer applies guards nothing.
for patch in ci/mutants/*.patch; do
    git apply --check "$patch" || { echo "lint: $patch does not apply any more: make it anew" >&2; exit 1; }
done

missing() {
    echo "lint: $1 is not installed: $2 not checked" >&2
    [ "${CI:-}" != true ]
}
if command -v shellcheck >/dev/null; then
    shellcheck --external-sources --source-path=SCRIPTDIR ci/*.sh .ci/run
else
    missing shellcheck "shell scripts"
fi
if command -v cargo-deny >/dev/null; then
    cargo deny --offline --locked check bans licenses sources 2>&1
else
    echo "lint: cargo-deny is not installed: licences and sources not checked" >&2
fi
