#!/usr/bin/env bash
# The examples of docs/lab.md, each run and checked: iperf3, curl and PostgreSQL between the clouds of a bare lab, and
# changes while they run. What is not installed is named and left out. Everything is in one temporary folder and ends
# with the lab; about 40 seconds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
farquorum=$here/../bin/farquorum
name=lab-examples-$$
work=$(mktemp -d)
export FARQUORUM_STATE_DIR=$work/state
end() {
    "$farquorum" sim --name "$name" down --purge || true
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*"; }
fail() {
    printf 'lab-examples: FAILED: %s\n' "$*" >&2
    exit 1
}
sim() { "$farquorum" sim --name "$name" "$@"; }
# inside HOST PROGRAM...: inside a host.
inside() { sim exec "$1" -- "${@:2}"; }
# is VALUE LEAST MOST WHAT
is() {
    awk -v v="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(v >= a && v <= b) }' || fail "$4: $1, expected $2 to $3"
    say "  $4: $1"
}
# await WHAT COMMAND...: until it succeeds, 30 seconds at most.
await() {
    for _ in $(seq 300); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "$1: not within 30 s"
}
has() {
    command -v "$1" >/dev/null && return
    say "skipped: $2 (not installed; Debian: apt-get install $3)"
    return 1
}

cd "$work"
sim up --no-cluster >/dev/null
aws=10.10.0.21 gcp=10.20.0.21 # worker-aws-1 and worker-gcp-1 of farquorum.toml

throughput() {
    inside worker-aws-1 iperf3 --json --client $gcp --time "$1" |
        sed -n '/"sum_received"/,/}/s/.*"bits_per_second":[[:space:]]*\([0-9]*\).*/\1/p' |
        awk '{ printf "%.1f\n", $1 / 1e6 }'
}
iperf() {
    has iperf3 "iperf3 between two clouds" iperf3 || return 0
    say "iperf3 from aws to gcp, RTT 50 ms:"
    inside worker-gcp-1 iperf3 --server >/dev/null 2>&1 &
    await "iperf3 --server" inside worker-gcp-1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5201'
    is "$(throughput 3)" 50 100000 "Mbit/s without a rate"
    sim link aws gcp --rate-mbit 20 >/dev/null
    is "$(throughput 5)" 14 20 "Mbit/s at 20 Mbit/s"
    sim link aws gcp --rate-mbit 0 >/dev/null
}

# The shortest of seven: what else the machine does makes a connection later, and never earlier.
connect_ms() {
    for _ in 1 2 3 4 5 6 7; do
        inside worker-aws-1 curl --silent --output /dev/null --write-out '%{time_connect}\n' http://$gcp:8000/
    done | sort -n | awk 'NR == 1 { printf "%.1f\n", $1 * 1e3 }'
}
web() {
    has curl "curl and a web server" curl || return 0
    has python3 "curl and a web server" python3 || return 0
    say "curl in aws, web server in gcp:"
    inside worker-gcp-1 python3 -m http.server 8000 >/dev/null 2>&1 &
    await "the web server" inside worker-aws-1 curl --silent --fail http://$gcp:8000/
    is "$(connect_ms)" 49.5 55 "ms to connect at an RTT of 50 ms"
    sim link aws gcp --delay-ms 60 --both >/dev/null
    is "$(connect_ms)" 119.5 126 "ms to connect at an RTT of 120 ms"
    sim link aws gcp --delay-ms 25 --both >/dev/null
    sim cut gcp aws
    inside worker-aws-1 curl --silent --max-time 1 http://$gcp:8000/ >/dev/null && fail "curl passed a cut"
    say "  cut: no answer"
    sim heal
    printf '0,50\n1,160\n6,50\n' >trace.csv
    sim trace aws gcp trace.csv >/dev/null &
    sleep 2
    is "$(connect_ms)" 159.5 166 "ms to connect where the trace has 160 ms"
    wait $!
}

database() {
    local pg
    for pg in /usr/lib/postgresql/*/bin ""; do [ -x "$pg/initdb" ] && break; done
    [ -n "$pg" ] || {
        say "skipped: a PostgreSQL replica in another cloud (not installed; Debian: apt-get install postgresql)"
        return
    }
    # PostgreSQL refuses to run as root: then as nobody.
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    mkdir db && chmod 755 . && { [ "$(id -u)" -ne 0 ] || chown nobody db; }
    sql() { inside "$1" "${as[@]}" "$pg/psql" -h 127.0.0.1 -U me -d postgres -tAqc "$2"; }
    say "PostgreSQL: primary in aws, replica in gcp, a commit waits for both:"
    inside worker-aws-1 "${as[@]}" "$pg/initdb" -D "$work/db/a" -U me -A trust >/dev/null
    echo "host replication me 10.0.0.0/8 trust" >>"$work/db/a/pg_hba.conf"
    inside worker-aws-1 "${as[@]}" "$pg/postgres" -D "$work/db/a" -c listen_addresses='*' \
        -c unix_socket_directories='' >"$work/a.log" 2>&1 &
    await "the primary" sql worker-aws-1 "select 1"
    inside worker-gcp-1 "${as[@]}" "$pg/pg_basebackup" -h $aws -U me -D "$work/db/b" -R -c fast
    inside worker-gcp-1 "${as[@]}" "$pg/postgres" -D "$work/db/b" -c listen_addresses='*' \
        -c unix_socket_directories='' >"$work/b.log" 2>&1 &
    await "the replica" sql worker-gcp-1 "select 1"
    sql worker-aws-1 "create table t (n int)"
    sql worker-aws-1 "alter system set synchronous_standby_names = '*'"
    sql worker-aws-1 "select pg_reload_conf()" >/dev/null
    await "a synchronous replica" sync_replica
    is "$(commit_ms)" 50 70 "ms for a commit at an RTT of 50 ms"
    sim link aws gcp --delay-ms 60 --both >/dev/null
    is "$(commit_ms)" 120 140 "ms for a commit at an RTT of 120 ms"
    sim link aws gcp --delay-ms 25 --both >/dev/null
    [ "$(sql worker-gcp-1 "select count(*) from t")" -gt 0 ] || fail "the replica has no rows"
}
sync_replica() { [ "$(sql worker-aws-1 "select sync_state from pg_stat_replication")" = sync ]; }
# The shortest of nine commits on one connection, as psql times them.
commit_ms() {
    for _ in 1 2 3 4 5 6 7 8 9; do echo "insert into t values (1);"; done |
        inside worker-aws-1 "${as[@]}" "$pg/psql" -h 127.0.0.1 -U me -d postgres -q -c '\timing on' -f - |
        sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n | head -n 1
}

iperf
web
database
say "all that was run is as documented"
