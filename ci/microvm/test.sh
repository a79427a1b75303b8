# To be sourced by ci/microvm.sh: three machines start, elect, commit, lose one of them, take it back, and leave nothing.
# shellcheck shell=bash disable=SC2154 # from ci/microvm.sh
work=$(mktemp -d)
machine=$work/machine
simulation=microvm-test
export FARQUORUM_STATE_DIR=$work/state TMPDIR=$work/tmp
unset FARQUORUM_CONTEXT
mkdir -p "$TMPDIR"
folder=$FARQUORUM_STATE_DIR/sim/$simulation
nodes=(cp-aws-1 cp-gcp-1 cp-azure-1)
# Asked: 30 s from start to ready in software emulation. A busy computer may take five times that, and is told.
ready_asked=30
patience=${MICROVM_SECONDS_MAX:-150}
# Of a connection to an emulated processor beside other work, over what the WAN adds.
rtt_over_max_ms=20
began=$EPOCHREALTIME

lab() { "$farquorum" sim --name "$simulation" "$@"; }
since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }
row() { printf '  %-58s %s\n' "$1" "$2"; }
finish() {
    lab down --purge >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
fail() {
    echo "microvm-test: FAILED: $*" >&2
    tail -n 15 "$folder"/logs/cp-*.log >&2 2>/dev/null || true
    exit 1
}
# Tries for at most `patience` seconds.
within() {
    local from=$SECONDS
    until "$@" >"$work/said" 2>&1; do
        [ $((SECONDS - from)) -lt "$patience" ] || { cat "$work/said" >&2; return 1; }
        sleep 0.2
    done
}
machines() { pgrep -cf "^qemu-system-x86_64 .*file=$folder/" || true; }
# Interfaces, processes and files of this test.
here_now() { ls /sys/class/net; pgrep -af "$work" | grep -v pgrep || true; find "$work" ! -type d ! -path "$work/said" ! -path "$work/before" ! -path "$work/up"; }
status() { "$farquorum" status -o json; }
leader() { status | jq -er '.leader // empty'; }
led_by_another() { local now; now=$(leader) && [ "$now" != "$1" ]; }
port() { sed -n "/^name = \"$1\"/,/^http/s/^http = \"127.0.0.1:\(.*\)\"/\1/p" "$folder/context.toml"; }
# /readyz of a node, by bash alone.
readyz() {
    local line
    exec 5<>"/dev/tcp/127.0.0.1/$(port "$1")" || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n' >&5
    IFS= read -r -t 2 line <&5
    exec 5>&-
    [[ $line == *" 200 "* ]]
}
caught_up() {
    status | jq -e --arg n "$1" '(.nodes[] | select(.name == $n)) as $one | ([.nodes[].committed | numbers] | max) as $most
        | $one.error == null and $one.applied >= $most and ([.nodes[].state_hash] | unique | length) == 1'
}
# The shortest of many connections to a machine, from a process in another cloud: the kernels on both sides and the WAN.
# None may be shorter than the WAN; at least one must come near it, whatever else this computer does. HOST ADDRESS MS
connects() {
    # shellcheck disable=SC2016 # expanded inside
    lab exec "$1" -- bash -c '
        shortest=999999
        for ((try = 0; try < 100; try++)); do
            from=${EPOCHREALTIME/./}
            exec 5<>"/dev/tcp/$0/8080" || exit 1
            took=$((${EPOCHREALTIME/./} - from))
            exec 5>&-
            [ "$took" -ge "$shortest" ] || shortest=$took
            [ "$try" -lt 10 ] || [ "$shortest" -gt "$1" ] || break
        done
        echo "$shortest"' "$2" $((($3 + rtt_over_max_ms / 2) * 1000))
}
# FROM TO ADDRESS CONFIGURED_MS
round_trip() {
    local us
    us=$(connects "worker-$1-1" "$3" "$4") || fail "cp-$2-1 cannot be reached from worker-$1-1"
    row "worker-$1-1 -> cp-$2-1, configured $4 ms" "$((us / 1000)).$((us % 1000 / 100)) ms"
    [ "$us" -ge $(($4 * 1000)) ] || fail "the way from $1 to $2 is shorter than the WAN"
    [ "$us" -le $((($4 + rtt_over_max_ms) * 1000)) ] || fail "the way from $1 to $2 is longer than the WAN"
}

here_now >"$work/before"
up >"$work/up" 2>&1 &
starting=$!
declare -A ready=()
from=$SECONDS
while [ "${#ready[@]}" -lt 3 ]; do
    for node in "${nodes[@]}"; do
        if [ -z "${ready[$node]:-}" ] && [ -e "$folder/logs/$node.log" ] && (readyz "$node") 2>/dev/null; then
            ready[$node]=$(since "$(stat -c %.W "$folder/logs/$node.log")")
        fi
    done
    kill -0 "$starting" 2>/dev/null || wait "$starting" || { cat "$work/up" >&2; fail "up"; }
    [ $((SECONDS - from)) -lt $((patience * 2)) ] || { cat "$work/up" >&2; fail "no three ready nodes after $((patience * 2)) s"; }
    sleep 0.1
done
wait "$starting" || { cat "$work/up" >&2; fail "up"; }
grep '^machines:' "$work/up"
for node in "${nodes[@]}"; do
    late=$(awk -v t="${ready[$node]}" -v most="$ready_asked" 'BEGIN { if (t > most) print "  (asked: " most " s; is this computer busy?)" }')
    row "$node from start to /readyz 200" "${ready[$node]} s$late"
done
[ "$(machines)" -eq 3 ] || fail "$(machines) machines run, not 3"

# What all machines share holds no key; each gets its own when it starts.
find "$FARQUORUM_STATE_DIR" -name '*.key' -exec sed -n 2p {} \; >"$work/secrets"
[ "$(awk 'length > 15' "$work/secrets" | sort -u | wc -l)" -gt 3 ] || fail "fewer keys than machines"
{ cat "$machine/initramfs"; head -1 "$work/secrets"; } | grep -aqFf "$work/secrets" || fail "a planted secret was not noticed"
if grep -aqFf "$work/secrets" "$machine/initramfs"; then fail "a private key stands in the initramfs"; fi
rm "$work/secrets"

export FARQUORUM_CONTEXT=$folder/context.toml
first=$(leader) || fail "no leader"
row "leader" "$first"
within "$farquorum" kv set before "a machine was killed" || fail "kv set"
[ "$("$farquorum" kv get before)" = "a machine was killed" ] || fail "kv get"
row "a write committed and read back" yes
round_trip gcp aws 10.10.0.11 50
round_trip aws azure 10.30.0.11 75
round_trip azure gcp 10.20.0.11 60
lab link gcp aws --delay-ms 125 >/dev/null || fail "sim link"
round_trip gcp aws 10.10.0.11 150
lab link gcp aws --delay-ms 25 >/dev/null || fail "sim link"
# What the machines' nodes measured themselves holds their emulated processors as well: it is shown, and never shorter.
status | jq -r '.nodes[] | .name as $from | .rtt_ms[]? | "  \($from) -> \(.to), by the nodes: p50 \(.p50_ms * 10 | round / 10) ms"'
status | jq -e '[.nodes[] | .rtt_ms[]?.p50_ms] | length > 0 and all(. >= 49.5)' >/dev/null || fail "a round trip is too short"
"$farquorum" measure --only rtt --blocks 1 --samples 40 --out "$work/vm.json" >"$work/measured" 2>&1 || { cat "$work/measured" >&2; fail "measure"; }
jq -e '[.series[] | select(.name == "rtt")] | length == 6' "$work/vm.json" >/dev/null || fail "measure recorded no six pairs"
[ "$(zcat "$work/vm.samples.csv.gz" | awk -F, '$1 == "rtt" && $6 < 49.5' | wc -l)" -eq 0 ] || fail "measure recorded a round trip that is too short"
row "measure: $(zcat "$work/vm.samples.csv.gz" | grep -c ^rtt,) round trips recorded" yes
rm "$work"/vm.json "$work"/vm.samples.csv.gz "$work/measured"
lab check >"$work/check" 2>&1 || { cat "$work/check" >&2; fail "sim check"; }

at=$EPOCHREALTIME
lab kill "$first" >/dev/null || fail "sim kill $first"
[ "$(machines)" -eq 2 ] || fail "$(machines) machines run after the kill, not 2"
within led_by_another "$first" || fail "no other leader after $first was killed"
within "$farquorum" kv set after "$first was killed" || fail "no write after $first was killed"
row "$first killed: next leader $(leader), next write after" "$(since "$at") s"
at=$EPOCHREALTIME
lab restart "$first" >/dev/null || fail "sim restart $first"
within caught_up "$first" || fail "$first did not catch up"
[ "$("$farquorum" kv get after)" = "$first was killed" ] || fail "kv get after the restart"
row "$first started again with its disk, caught up after" "$(since "$at") s"
at=$EPOCHREALTIME
second=$(leader) || fail "no leader"
lab restart "$second" >/dev/null || fail "sim restart $second"
grep -aq "machine: the program ended: exit status 0" "$folder/logs/$second.log" || fail "$second did not stop by itself"
within led_by_another "$second" || fail "no other leader after $second stopped"
within caught_up "$second" || fail "$second did not catch up"
row "$second stopped and started again, caught up after" "$(since "$at") s"

down || fail "down"
unset FARQUORUM_CONTEXT
rm -f "$work/check"
here_now >"$work/after"
diff "$work/before" <(grep -v "^$work/after$" "$work/after") >&2 || fail "something is left"
row "nothing is left; in all" "$(since "$began") s"
echo "microvm-test: passed"
