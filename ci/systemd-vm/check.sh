#!/bin/bash
# Runs inside the machine, when systemd has reached multi-user.target. The last line says how it went.
# shellcheck disable=SC2317 # functions that `within` calls
set -uo pipefail
export FARQUORUM_CONTEXT=/etc/farquorum/context.toml
nodes=(1 2 3)

verdict() {
    echo "systemd-vm: $1"
    sync
    systemctl poweroff --force --force
    exit
}
step() { echo "systemd-vm: [$(cut -d' ' -f1 /proc/uptime) s] $*"; }
fail() {
    echo "systemd-vm: FAILED: $*"
    systemctl --no-pager --full status 'farquorum-cp*' 2>&1 | tail -n 60
    journalctl --no-pager --boot --unit 'farquorum-cp*' 2>&1 | tail -n 40
    verdict failed
}
# Tries until it succeeds, at most 180 s: this machine is slow.
within() {
    for ((try = 0; try < 180; try++)); do
        "$@" >/tmp/said 2>&1 && return 0
        sleep 1
    done
    cat /tmp/said
    return 1
}
unit() { echo "farquorum-cp$1.service"; }
active() { [ "$(systemctl is-active "$(unit "$1")")" = active ]; }
# The first line of an answer, by bash alone.
readyz() {
    local line
    exec 9<>"/dev/tcp/127.1.0.$1/8080" || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n' >&9
    IFS= read -r -t 10 line <&9
    exec 9>&-
    [[ $line == *" 200 "* ]]
}
serves() { active "$1" && readyz "$1"; }
leader() { farquorum --format json status | sed -n 's/.*"leader": *"cp\([0-9]\)".*/\1/p' | head -n 1; }
led() { [ -n "$(leader)" ]; }
led_by_another() { local now; now=$(leader) && [ -n "$now" ] && [ "$now" != "$1" ]; }

for n in "${nodes[@]}"; do
    within serves "$n" || fail "cp$n is not active, or /readyz is not 200"
    [ "$(systemctl show --value --property=Type "$(unit "$n")")" = notify ] || fail "cp$n: not Type=notify"
    [ "$(systemctl show --value --property=StatusText "$(unit "$n")")" = serving ] || fail "cp$n: did not say that it serves"
done
step "three nodes are active (Type=notify) and /readyz is 200"
within farquorum kv set before killed || fail "kv set"

within led || fail "no leader"
victim=$(leader)
systemctl kill --signal=KILL "$(unit "$victim")" || fail "systemctl kill"
within led_by_another "$victim" || fail "no other leader after cp$victim was killed"
within serves "$victim" || fail "cp$victim did not come back"
[ "$(systemctl show --value --property=NRestarts "$(unit "$victim")")" -ge 1 ] || fail "cp$victim was not restarted"
[ "$(farquorum kv get before)" = killed ] || fail "what was written is gone"
step "the leader cp$victim was killed, another took over, it was restarted and serves"

within led || fail "no leader"
last=$(leader)
systemctl stop "$(unit "$last")" || fail "systemctl stop"
[ "$(systemctl show --value --property=Result "$(unit "$last")")" = success ] || fail "cp$last did not stop cleanly"
journalctl --unit "$(unit "$last")" | grep -q "leadership handed over" || fail "cp$last did not hand over"
within led_by_another "$last" || fail "no other leader after cp$last stopped"
farquorum --timeout 30 kv set after stopped || fail "kv set after the stop"
step "the leader cp$last stopped and handed over; a write passes"

for n in "${nodes[@]}"; do
    systemd-analyze --no-pager security --threshold=12 "$(unit "$n")" >/tmp/security || { tail -n 5 /tmp/security; fail "cp$n is more exposed than 1.2"; }
done
step "$(tail -n 1 /tmp/security)"
# Nobody else can read a key.
systemctl start "$(unit "$last")" || fail "systemctl start"
link=$(find /run/farquorum-cp1/ -name 'cp1.key' -printf '%l') || fail "no link to the key"
[ "$(stat -c %a "$link")" = 400 ] || fail "the key handed over has mode $(stat -c %a "$link")"
step "the key that systemd handed over has mode 400"
verdict passed
