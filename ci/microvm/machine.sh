#!/usr/bin/env bash
# A host of the lab as a virtual machine: `farquorum sim up --node-program` starts this inside the host's network
# namespace in place of `farquorum node run`, with the same arguments. kernel, initramfs and settings lie beside it
# (ci/microvm.sh). The machine has the host's addresses: the namespace keeps none and forwards between wan0 and vm0.
# SIGTERM asks the machine to stop; SIGKILL to this group is a power cut.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
machine='' bus='' memory_mib='' disk_size=''
# shellcheck source=/dev/null
. "$here/settings"

name='' certs='' data='' config=''
for ((i = 1; i < $#; i++)); do
    value=$((i + 1))
    case ${!i} in
    --name) name=${!value} ;;
    --certs) certs=${!value} ;;
    --data-dir) data=${!value} ;;
    --config) config=${!value} ;;
    esac
done
if [ -z "$name" ] || [ -z "$certs" ] || [ -z "$data" ] || [ -z "$config" ]; then
    echo "$0: wants the arguments of farquorum node run: $*" >&2
    exit 2
fi

# What the host had, the machine gets. After a restart of the machine it is as it should be.
card=vm0
mkdir -p "$data"
if [ ! -e "/sys/class/net/$card" ] && ! ip link show "$card" >/dev/null 2>&1; then
    ipv4=$(ip -4 -o address show dev wan0 | awk '{print $4; exit}')
    ipv6=$(ip -6 -o address show dev wan0 scope global | awk '{print $4; exit}')
    address=${ipv4%/*}
    IFS=. read -r a b c d <<<"$address"
    mac=$(printf '02:00:%02x:%02x:%02x:%02x' "$a" "$b" "$c" "$d")
    mtu=$(ip -o link show dev wan0 | sed 's/.* mtu \([0-9]*\).*/\1/')
    ip tuntap add dev "$card" mode tap vnet_hdr
    ip link set dev "$card" address "$mac" mtu "$mtu" arp off
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip address del "$ipv4" dev wan0
    ip route replace default dev wan0
    ip link set dev "$card" up
    ip route replace "$address" dev "$card"
    if [ -n "$ipv6" ]; then
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip -6 address del "$ipv6" dev wan0
        ip -6 route replace default dev wan0
        ip -6 route replace "${ipv6%/*}" dev "$card"
    fi
    printf 'address=%s mac=%s mtu=%s\n' "$address" "$mac" "$mtu" >"$data/card"
fi
# shellcheck source=/dev/null
. "$data/card"

# Own keys and nobody else's, and the configuration of this start: they are not in the initramfs that all share.
part=$data/part
rm -rf "$part"
mkdir -p "$part/etc/certs/ca"
cp "$config" "$part/etc/farquorum.toml"
cp "$certs/$name.crt" "$certs/$name.key" "$part/etc/certs"
for file in peer.crt peer.crl client.crt client.crl; do
    [ ! -e "$certs/ca/$file" ] || cp "$certs/ca/$file" "$part/etc/certs/ca"
done
initrd=$part/initrd
cp "$here/initramfs" "$initrd"
(cd "$part" && find etc | cpio --quiet -o -H newc) >>"$initrd"

disk=$data/disk
if [ ! -e "$disk" ]; then
    truncate -s "$disk_size" "$disk.part"
    mkfs.ext4 -q "$disk.part"
    mv "$disk.part" "$disk"
fi

mkfifo "$part/console"
exec 8<"$initrd" 9<>"$part/console"
# Both are read through their descriptors: a power cut leaves nothing but the disk.
rm -rf "$part"
trap 'echo stop >&9' TERM
# no_timer_check: on a busy computer an emulated timer can be too late for the kernel's check of it, and the kernel stops.
# shellcheck disable=SC2086 # several words
qemu-system-x86_64 $machine -m "$memory_mib" -smp 1 \
    -nodefaults -no-user-config -display none -monitor none -serial stdio -no-reboot \
    -kernel "$here/kernel" -initrd /dev/fd/8 \
    -append "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable cryptomgr.notests 8250.nr_uarts=1 rdinit=/init -- $address $mtu /bin/farquorum node run --name $name --config /etc/farquorum.toml --certs /etc/certs --data-dir /data" \
    -drive "file=$disk,format=raw,if=none,id=disk" -device "virtio-blk-$bus,drive=disk" \
    -netdev "tap,id=card,ifname=$card,script=no,downscript=no,vhost=off" -device "virtio-net-$bus,netdev=card,mac=$mac" \
    <&9 9>&- &
exec 8<&-
qemu=$!
# A signal ends `wait`, not the machine.
while kill -0 "$qemu" 2>/dev/null; do
    code=0
    wait "$qemu" || code=$?
done
exit "$code"
