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
# A line of the table: what, what was seen, when (this machine's clock).
saw() { printf '  %-58s %-34s %7.1f s\n' "$1" "$2" "$(cut -d' ' -f1 /proc/uptime)"; }
fail() {
    echo "systemd-vm: FAILED: $*"
    systemctl --no-pager --full --lines=3 status 'farquorum-cp*' 2>&1 | tail -n 60
    journalctl --no-pager --boot --unit 'farquorum-cp*' --output=cat 2>&1 | tail -n 40
    verdict failed
}
# Tries until it succeeds, at most 60 s of this machine's clock, which counts instructions.
within() {
    local from=$SECONDS
    until "$@" >/tmp/said 2>&1; do
        [ $((SECONDS - from)) -lt 60 ] || { cat /tmp/said; return 1; }
        sleep 2
    done
}
unit() { echo "farquorum-cp$1.service"; }
property() { systemctl show --value --property="$2" "$(unit "$1")"; }
active() { [ "$(property "$1" ActiveState)" = active ]; }
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

saw "the check begins" "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
for n in "${nodes[@]}"; do
    within serves "$n" || fail "cp$n is not active, or /readyz is not 200"
    [ "$(property "$n" Type)" = notify ] || fail "cp$n: not Type=notify"
    [ "$(property "$n" StatusText)" = serving ] || fail "cp$n: did not say that it serves"
done
saw "three nodes: active by Type=notify, /readyz" "200"
within farquorum kv set before killed || fail "kv set"

within led || fail "no leader"
victim=$(leader)
systemctl kill --signal=KILL "$(unit "$victim")" || fail "systemctl kill"
within led_by_another "$victim" || fail "no other leader after cp$victim was killed"
within serves "$victim" || fail "cp$victim did not come back"
[ "$(property "$victim" NRestarts)" -ge 1 ] || fail "cp$victim was not restarted"
[ "$(farquorum kv get before)" = killed ] || fail "what was written is gone"
saw "systemctl kill -s KILL of the leader, cp$victim" "led by cp$(leader); restarted, serves"

within led || fail "no leader"
last=$(leader)
systemctl stop "$(unit "$last")" || fail "systemctl stop"
[ "$(property "$last" Result)" = success ] || fail "cp$last did not stop cleanly"
journalctl --unit "$(unit "$last")" | grep -q "leadership handed over" || fail "cp$last did not hand over"
within led_by_another "$last" || fail "no other leader after cp$last stopped"
within farquorum kv set after stopped || fail "kv set after the stop"
saw "systemctl stop of the leader, cp$last" "handed over to cp$(leader); a write"
systemctl start "$(unit "$last")" || fail "systemctl start"
within serves "$last" || fail "cp$last did not come back"

# A process that hangs: systemd hears nothing for WatchdogSec, ends it and starts it again.
watched=$(property 1 WatchdogUSec)
[ "$watched" != 0 ] || fail "no watchdog"
restarts=$(property 1 NRestarts)
systemctl kill --kill-whom=main --signal=STOP "$(unit 1)" || fail "systemctl kill -s STOP"
restarted_more_than() { [ "$(property 1 NRestarts)" -gt "$1" ]; }
within restarted_more_than "$restarts" || fail "systemd did not restart a node that hangs"
journalctl --unit "$(unit 1)" | grep -q "Watchdog timeout" || fail "it was restarted, and not by the watchdog"
within serves 1 || fail "cp1 did not come back after the watchdog"
saw "cp1 stopped where it is (SIGSTOP)" "watchdog after $watched; serves again"

for n in "${nodes[@]}"; do
    systemd-analyze --no-pager security --threshold=12 "$(unit "$n")" >/tmp/security || { tail -n 5 /tmp/security; fail "cp$n is more exposed than 1.2"; }
done
saw "systemd-analyze security, at most 1.2" "$(sed -n 's/.*: \([0-9.]* [A-Z]*\).*/\1/p' /tmp/security | tail -n 1)"
for n in "${nodes[@]}"; do
    systemd-analyze --man=no verify "/etc/systemd/system/$(unit "$n")" >/tmp/verify 2>&1 || { cat /tmp/verify; fail "systemd-analyze verify"; }
    [ ! -s /tmp/verify ] || { cat /tmp/verify; fail "systemd-analyze verify has something to say"; }
done
saw "systemd-analyze verify" "nothing to say"
# Nobody else can read a key.
link=$(find /run/farquorum-cp1/ -name 'cp1.key' -printf '%l') || fail "no link to the key"
[ "$(stat -c %a "$link")" = 400 ] || fail "the key handed over has mode $(stat -c %a "$link")"
saw "the key that systemd handed over" "mode 400"
verdict passed
