#!/usr/bin/env bash
# Formatting, clippy with warnings as errors, shell scripts, licences and sources of crates. A tool that this machine lacks
# is named. With CI=true shellcheck must be there; cargo-deny comes from no distribution's packages and need not be.
# Advisories are not asked for: `cargo deny check advisories` fetches its database over the network (CONTRIBUTING.md).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

cargo fmt --all --check
"$here/cargo.sh" clippy --locked --workspace --all-targets -- -D warnings

# A sabotage that no longer applies guards nothing.
for patch in ci/mutants/*.patch; do
    git apply --check "$patch" || { echo "lint: $patch does not apply any more: make it anew" >&2; exit 1; }
done

if command -v shellcheck >/dev/null; then
    shellcheck --external-sources --source-path=SCRIPTDIR ci/*.sh ci/*/*.sh .ci/run
else
    echo "lint: shellcheck is not installed: shell scripts not checked" >&2
    [ "${CI:-}" != true ]
fi
if command -v cargo-deny >/dev/null; then
    cargo deny --offline --locked check bans licenses sources 2>&1
else
    echo "lint: cargo-deny is not installed: licences and sources of crates not checked" >&2
fi
