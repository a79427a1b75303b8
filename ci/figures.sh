#!/usr/bin/env bash
# The figures of the emulated WAN (netem/examples/figures.rs) and the error rates of the gate
# (ci/baseline/examples/gate.rs), each against its bound. A busy machine makes the WAN's worse: when one misses its bound,
# all are measured once more, and the second answer counts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
# shellcheck source=static.sh
. "$here/static.sh"

# With --workspace the dependencies keep the features that they are built with.
"$here/cargo.sh" build --locked --quiet --workspace --example figures --example gate
examples=${CARGO_TARGET_DIR:-target}/$CARGO_BUILD_TARGET/debug/examples

if [ "${FARQUORUM_NO_LAB:-}" = 1 ]; then
    echo "figures: LEFT OUT: those of the emulated WAN, FARQUORUM_NO_LAB=1"
else
    "$examples/figures" || {
        echo "figures: measured once more"
        "$examples/figures"
    }
fi
# As ci/gate.sh judges round trips, with as many samples as a whole recording has.
"$examples/gate" ci/baselines/seed.json 200 3000 rtt.p90=10,rtt.p99=off
echo "figures: within their bounds"
