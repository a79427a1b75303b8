#!/bin/bash
# Runs inside the machine, when systemd has reached multi-user.target: the parts that its arguments name. The last line
# says how it went.
# shellcheck disable=SC2317 # functions that `within` calls
set -uo pipefail
export FARQUORUM_CONTEXT=/etc/farquorum/context.toml
here=$(dirname "$0")

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
    systemctl --no-pager --full --lines=3 status 'farquorum-*' 2>&1 | tail -n 60
    journalctl --no-pager --boot --unit 'farquorum-*' --output=cat 2>&1 | tail -n 40
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
# UNIT PROPERTY
property_of() { systemctl show --value --property="$2" "$1"; }
# The first line of an answer at ADDRESS, by bash alone.
readyz() {
    local line
    exec 9<>"/dev/tcp/$1/8080" || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n' >&9
    IFS= read -r -t 10 line <&9
    exec 9>&-
    [[ $line == *" 200 "* ]]
}
# systemd's own judgement of units: TENTHS at most, and nothing to say about their text.
judged() {
    local most=$1 unit
    shift
    for unit in "$@"; do
        systemd-analyze --no-pager security --threshold="$most" "$unit" >/tmp/security || { tail -n 5 /tmp/security; fail "$unit is more exposed than $most tenths"; }
        systemd-analyze --man=no verify "/etc/systemd/system/$unit" >/tmp/verify 2>&1 || { cat /tmp/verify; fail "systemd-analyze verify $unit"; }
        [ ! -s /tmp/verify ] || { cat /tmp/verify; fail "systemd-analyze verify $unit has something to say"; }
    done
    saw "systemd-analyze security, at most $((most / 10)).$((most % 10))" "$(sed -n 's/.*: \([0-9.]* [A-Z]*\).*/\1/p' /tmp/security | tail -n 1)"
    saw "systemd-analyze verify" "nothing to say"
}

saw "the check begins" "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
for part in "$@"; do
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done
verdict passed
