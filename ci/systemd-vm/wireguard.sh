# To be sourced by check.sh: the tunnel of the module between three nodes, each a network namespace with one public address
# and NixOS's firewall with the module's rules, and a stranger who knows what can be known from outside. What NixOS does
# with networking.wireguard is done by hand: the key is made here, /etc/farquorum/wireguard has the rest.
# shellcheck shell=bash disable=SC2317,SC2154 # functions that `within` calls; shared ones are check.sh's
settings=/etc/farquorum/wireguard
mapfile -t hosts < <(find "$settings" -type f ! -name '*.nft' -printf '%f\n' | sort)
[ "${#hosts[@]}" -eq 3 ] || fail "the module renders ${#hosts[@]} ends of the tunnel"
stranger=198.51.100.9
keys=/root/wireguard
mkdir -m 700 "$keys"

# FIRST-WORD [SECOND] of a host's settings: the rest of the line.
of_host() { sed -n "s/^$2 //p" "$settings/$1"; }
inside() { local all; all=$(of_host "$1" address); echo "${all%/*}"; }
# Where the others find a host: ADDRESS:PORT.
endpoint() { sed -n "s/^peer $1 \([^ ]*\) .*/\1/p" "$settings"/cp-* | sort -u; }
outside() { local all; all=$(endpoint "$1"); echo "${all%:*}"; }
# How often something was counted: NAMESPACE COUNTER
counted() { ip netns exec "$1" nft list counter inet watched "$2" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
# Echoes that were answered: FROM ADDRESS [OPTIONS]
echoes() { ip netns exec "$1" ping -n -c 3 -i 0.02 -W 1 "${@:3}" "$2" | grep -c ' time='; }
all_meet() {
    local from to
    for from in "${hosts[@]}"; do
        for to in "${hosts[@]}"; do
            [ "$from" = "$to" ] || [ "$(echoes "$from" "$(inside "$to")" -s 1300)" -eq 3 ] || { echo "$from does not reach $to"; return 1; }
        done
    done
}

# The internet: every host has a wire to it, and it counts what goes over. NAME ADDRESS
ip netns add internet
ip netns exec internet sysctl -q net.ipv4.ip_forward=1
joins() {
    ip netns add "$1" || fail "no namespace $1"
    ip -n internet -batch - <<COMMANDS || fail "the wire to $1"
link add $1 type veth peer name eth0 netns $1
address add 192.0.2.1/32 dev $1
link set $1 up
route add $2/32 dev $1
COMMANDS
    ip -n "$1" -batch - <<COMMANDS || fail "the wire of $1"
link set lo up
address add $2/32 dev eth0
link set eth0 up
route add 192.0.2.1/32 dev eth0
route add default via 192.0.2.1 src $2
COMMANDS
}
for host in "${hosts[@]}"; do joins "$host" "$(outside "$host")"; done
joins stranger "$stranger"
port=$(of_host "${hosts[0]}" port)
ip netns exec internet nft -f - <<TABLE || fail "the table of the internet"
table inet watched {
  counter joined {}
  counter other {}
  chain forward {
    type filter hook forward priority filter;
    ip saddr $stranger return
    ip daddr $stranger return
    udp sport $port udp dport $port counter name joined return
    counter name other
  }
}
TABLE
# As networking.firewall of NixOS does with nftables: answers, echoes, and what extraInputRules say.
for host in "${hosts[@]}"; do
    ip netns exec "$host" nft -f - <<TABLE || fail "the firewall of $host"
table inet watched {
  counter refused {}
  counter forged {}
  chain rpfilter {
    type filter hook prerouting priority mangle + 10; policy accept;
    iifname fq0 ip saddr != { $(for peer in "${hosts[@]}"; do inside "$peer"; done | paste -sd ,) } counter name forged
    fib saddr . mark . iif oif missing drop
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    ct state { established, related } accept
    icmp type echo-request accept
$(cat "$settings/$host.nft")
    meta l4proto { tcp, udp } counter name refused drop
  }
}
TABLE
done

# The host's key, and the interface; then, when every port is open, the peers.
for host in "${hosts[@]}" stranger; do
    (umask 077 && wg genkey >"$keys/$host" && wg pubkey <"$keys/$host" >"$keys/$host.public") || fail "wg genkey"
    ip -n "$host" link add fq0 type wireguard || fail "no interface of type wireguard"
    ip netns exec "$host" wg set fq0 private-key "$keys/$host" listen-port "$port" || fail "wg set"
    [ "$host" = stranger ] || ip -n "$host" address add "$(of_host "$host" address)" dev fq0 || fail "the address of $host"
    ip -n "$host" link set fq0 up || fail "the interface of $host"
done
for host in "${hosts[@]}"; do
    while read -r peer to keepalive allowed; do
        ip netns exec "$host" wg set fq0 peer "$(cat "$keys/$peer.public")" endpoint "$to" \
            persistent-keepalive "$keepalive" allowed-ips "$allowed" || fail "wg set peer $peer"
        for prefix in ${allowed//,/ }; do ip -n "$host" route replace "$prefix" dev fq0 || fail "the way to $prefix"; done
    done < <(of_host "$host" peer)
done
within all_meet || fail "not every node reaches every other"
saw "three nodes, echoes of 1300 bytes through fq0" "all six ways"

# The raft port is open to who comes out of the tunnel; another one is not.
listen() { ip netns exec "${hosts[0]}" systemd-socket-activate --accept --inetd --listen="$(inside "${hosts[0]}"):$1" /bin/cat >/dev/null 2>&1 & listeners+=($!); }
says() { ip netns exec "$1" timeout 3 bash -c "exec 9<>/dev/tcp/$(inside "${hosts[0]}")/$2 && echo $1 >&9 && IFS= read -r line <&9 && [ \"\$line\" = $1 ]" 2>/dev/null; }
listeners=()
listen 7379
listen 9999
for host in "${hosts[@]:1}"; do
    within says "$host" 7379 || fail "$host does not reach the raft port of ${hosts[0]}"
    if says "$host" 9999; then fail "$host reaches a port of ${hosts[0]} that no rule opens"; fi
done
saw "out of the tunnel: the raft port, another port" "open; closed"
kill "${listeners[@]}"

other=$(counted internet other) tunnel=$(counted internet joined)
[ "$other" -eq 0 ] || fail "$other packets between nodes were no UDP of port $port"
[ "$tunnel" -ge 36 ] || fail "only $tunnel packets between nodes were UDP of port $port"
saw "between nodes: UDP of port $port, anything else" "$tunnel packets, $other"

# To a port that is open a peer's address leads, and a stranger's does not. Its own port: no answer to what went out before.
for host in "${hosts[@]}"; do
    refused=$(counted "$host" refused)
    for peer in "${hosts[@]}"; do
        [ "$peer" = "$host" ] || ip netns exec "$peer" bash -c "echo >/dev/udp/$(outside "$host")/$port" || fail "/dev/udp"
    done
    [ "$(counted "$host" refused)" -eq "$refused" ] || fail "$host refuses a peer at port $port"
    ip netns exec stranger bash -c "echo >/dev/udp/$(outside "$host")/$port" || fail "/dev/udp"
    [ "$(counted "$host" refused)" -eq $((refused + 1)) ] || fail "$host does not refuse a stranger at port $port"
done
# It knows the node's public key, has one of its own, and takes a peer's address.
first=${hosts[0]}
ip -n stranger -batch - <<COMMANDS || fail "the stranger's tunnel"
address add $(of_host "${hosts[1]}" address) dev fq0
route add $(inside "$first") dev fq0
COMMANDS
ip netns exec stranger wg set fq0 peer "$(cat "$keys/$first.public")" endpoint "$(endpoint "$first")" allowed-ips "$(inside "$first")/32"
refused=$(counted "$first" refused)
[ "$(echoes stranger "$(inside "$first")")" -eq 0 ] || fail "a stranger is answered in the tunnel"
[ "$(counted "$first" refused)" -gt "$refused" ] || fail "the stranger's handshake was not refused by the firewall"
saw "a stranger at the same port, with a key of its own" "refused by each firewall"
ip netns exec "$first" nft insert rule inet watched input ip saddr "$stranger" accept
[ "$(echoes stranger "$(inside "$first")")" -eq 0 ] || fail "without the firewall, a stranger is answered in the tunnel"
[ "$(ip netns exec stranger wg show fq0 latest-handshakes | cut -f 2)" -eq 0 ] || fail "without the firewall, a stranger's key is taken"
saw "the same, let through by the firewall" "no handshake"

# A peer speaks for its own address only.
ip -n "${hosts[1]}" address add 10.66.0.1/32 dev lo
sent=$(counted internet joined)
[ "$(echoes "${hosts[1]}" "$(inside "$first")" -I 10.66.0.1)" -eq 0 ] || fail "a peer is answered at an address that is not its own"
[ "$(counted internet joined)" -ge $((sent + 3)) ] || fail "the forged packets were not sent"
[ "$(counted "$first" forged)" -eq 0 ] || fail "packets with another sender come out of a peer's tunnel"
saw "a peer with another sender's address in the tunnel" "dropped before any rule"
