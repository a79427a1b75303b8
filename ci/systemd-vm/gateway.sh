# To be sourced by check.sh: the gateway between three clouds, each a network namespace with one host. Sysctls, kernel
# modules, nftables' tables and addresses are the module's too; they are in force since boot.
# shellcheck shell=bash disable=SC2317,SC2154 # functions that `within` calls; shared ones are check.sh's
gateway=farquorum-gateway.service
settings=/etc/farquorum/gateway.toml
# Cloud, what leads to it here, and the round trip configured to the next one in this list, ms.
clouds=(aws gcp azure)
declare -A prefix=([aws]=10.10.0 [gcp]=10.20.0 [azure]=10.30.0) next=([aws]=gcp [gcp]=azure [azure]=aws)
declare -A configured=([aws]=50 [gcp]=60 [azure]=75)
# How much a median round trip may be longer, beside the floor of one cloud, us; the clock counts instructions.
longer_max_us=1000

running() { [ "$(property_of "$gateway" ActiveState)" = active ] && readyz 127.0.0.1; }
pid() { property_of "$gateway" MainPID; }
# Round trips of the echoes that were answered, us, sorted: CLOUD ADDRESS COUNT
round_trips() { ip netns exec "$1" ping -n -c "$3" -i 0.02 -W 1 "$2" | sed -n 's/.*time=\([0-9.]*\) ms$/\1/p' | awk '{ print int($1 * 1000 + 0.5) }' | sort -n; }
median() { awk '{ all[NR] = $1 } END { print NR ? all[int((NR + 1) / 2)] : "none" }'; }
host() { echo "${prefix[$1]}.11"; }
shown() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }
# WAY: what hosts of all clouds send to other clouds goes to this address of the gateway.
send_by() {
    local cloud
    for cloud in "${clouds[@]}"; do ip -n "$cloud" route replace default via "${prefix[$cloud]}.$1"; done
}
# WHEN: no host of a cloud reaches one of another, whichever of the gateway's addresses they send to.
nothing_passes() {
    local from way
    for way in 254 2; do
        send_by "$way"
        for from in "${clouds[@]}"; do
            [ -z "$(round_trips "$from" "$(host "${next[$from]}")" 3)" ] || fail "$1: a packet passes from $from by .$way"
        done
    done
    for from in "${clouds[@]}"; do
        [ "$(round_trips "$from" "${prefix[$from]}.254" 3 | wc -l)" -eq 3 ] || fail "$1: $from is not joined to the gateway"
    done
}
# WHAT: every link at its distance.
shapes() {
    local from floor rtt all=()
    for from in "${clouds[@]}"; do
        floor=$(round_trips "$from" "${prefix[$from]}.254" 21 | median)
        round_trips "$from" "$(host "${next[$from]}")" 21 >/tmp/rtt
        [ "$(wc -l </tmp/rtt)" -eq 21 ] || fail "$1: $(wc -l </tmp/rtt) of 21 echoes from $from to ${next[$from]} were answered"
        [ "$(head -n 1 /tmp/rtt)" -ge $((configured[$from] * 1000)) ] || fail "$1: $from to ${next[$from]} in $(head -n 1 /tmp/rtt) us"
        rtt=$(($(median </tmp/rtt) - floor))
        [ "$rtt" -le $((configured[$from] * 1000 + longer_max_us)) ] || fail "$1: $from to ${next[$from]} takes $rtt us beside the floor of $floor us"
        all+=("$(shown "$rtt")")
    done
    saw "$1: round trips, configured ${configured[aws]}, ${configured[gcp]}, ${configured[azure]} ms" "${all[*]} ms"
}

# /etc/farquorum/interfaces: the interface and the address of the module in each cloud's network.
for cloud in "${clouds[@]}"; do
    read -r interface own < <(grep -F " ${prefix[$cloud]}." /etc/farquorum/interfaces) || fail "no interface for $cloud"
    ip -batch - <<COMMANDS || fail "the network of $cloud"
netns add $cloud
link add $interface type veth peer name eth0 netns $cloud
address add $own dev $interface
link set $interface up
COMMANDS
    ip -n "$cloud" -batch - <<COMMANDS || fail "the host of $cloud"
address add $(host "$cloud")/24 dev eth0
link set eth0 up
route add default via ${prefix[$cloud]}.2
COMMANDS
done
nothing_passes "before the gateway starts"
saw "before the gateway starts" "nothing passes"

for backend in "the kernel's netem" "user space"; do
    [ "$backend" != "user space" ] || printf '\n[lab]\nbackend = "user"\n' >>"$settings"
    since=$(date '+%F %T')
    systemctl start "$gateway" || fail "systemctl start $gateway"
    within running || fail "the gateway is not active, or /readyz is not 200"
    [ "$(property_of "$gateway" Type)" = notify ] || fail "not Type=notify"
    [ "$(property_of "$gateway" StatusText)" = serving ] || fail "it did not say that it serves"
    said=$(journalctl --no-pager --unit "$gateway" --since "$since" --output=cat)
    [[ $said == *"\"backend\":\"$backend"* ]] || fail "the gateway does not shape by $backend"
    # The thread that hands packets over; netem has none.
    [[ $backend != "user space" || $said == *"real-time thread"* ]] || fail "its thread has no real-time priority"
    read -r user capabilities < <(awk '/^Uid:/ { user = $2 } /^CapEff:/ { print user, $2 }' "/proc/$(pid)/status")
    [ "$user" -gt 0 ] || fail "it is root"
    [ $((16#$capabilities)) -eq $((1 << 12)) ] || fail "user $user has capabilities $capabilities, not CAP_NET_ADMIN alone"
    saw "$backend: active by Type=notify, /readyz 200" "user $user, CAP_NET_ADMIN alone"
    shapes "$backend"

    # Killed while echoes are on their way: none is answered sooner than configured, and some are not at all.
    restarts=$(property_of "$gateway" NRestarts)
    round_trips aws "$(host gcp)" 150 >/tmp/meanwhile &
    sleep 0.5
    systemctl kill --signal=KILL "$gateway" || fail "systemctl kill"
    wait $!
    answered=$(wc -l </tmp/meanwhile)
    [ "$answered" -le 110 ] || fail "$answered of 150 echoes were answered while the gateway was killed"
    [ "$(head -n 1 /tmp/meanwhile)" -ge 50000 ] || fail "an echo was answered in $(head -n 1 /tmp/meanwhile) us while the gateway was killed"
    within running || fail "the gateway did not come back"
    [ "$(property_of "$gateway" NRestarts)" -gt "$restarts" ] || fail "the gateway was not restarted"
    saw "$backend: killed with 150 echoes on their way" "$answered answered, restarted"
    shapes "after the restart"

    systemctl stop "$gateway" || fail "systemctl stop $gateway"
    [ "$(property_of "$gateway" Result)" = success ] || fail "the gateway did not stop cleanly"
    nothing_passes "after systemctl stop"
    saw "$backend: systemctl stop" "clean; nothing passes"
done

# What it may talk to itself is none of what it passes on: only who monitors it, here the host of aws.
mkdir -p "/run/systemd/system/$gateway.d"
cp /etc/farquorum/monitors.conf "/run/systemd/system/$gateway.d/"
systemctl daemon-reload
systemctl start "$gateway" || fail "the gateway with a monitor does not start"
within running || fail "the gateway with a monitor is not active, or /readyz is not 200"
export -f readyz
asks() { ip netns exec "$1" timeout 3 bash -c "readyz ${prefix[$1]}.254"; }
asks aws || fail "the monitor gets no answer"
if asks gcp; then fail "who is no monitor gets an answer"; fi
saw "/readyz from the monitor in aws, and from gcp" "200; no answer"
judged 19 "$gateway"
