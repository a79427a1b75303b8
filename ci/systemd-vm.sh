#!/usr/bin/env bash
# Boots Debian's systemd in a virtual machine with the units of the NixOS modules (ci/nix/golden).
#   nodes       three nodes: their data disk plugged in late, active by Type=notify, /readyz, the leader killed, the leader
#               stopped, the watchdog; a worker beside them, killed
#   first-boot  a node without a certificate: its key and its request, signed, started; renewed over ssh when it is due
#   gateway     what the gateway lets pass between three network namespaces, and how late
#   wireguard   three ends of the tunnel and the firewall's rules, each in a network namespace
# As root, because debootstrap wants it; the machine is emulated, not accelerated, and counts instructions as its clock: a
# busy computer makes it slow, not late, and what it waits for costs nothing. The Debian folder is made once (150 MB are
# fetched) and kept in the cache.
# Usage: ci/systemd-vm.sh [PART|fetch]; without an argument all parts; `fetch` makes that folder and nothing more.
# FARQUORUM_NO_DEBIAN=1 leaves the test out, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/systemd-vm
binary=$(realpath -m "${FARQUORUM:-bin/farquorum}")
suite=${DEBIAN_SUITE:-bookworm}
parts=(nodes first-boot gateway wireguard)
case ${1:-} in
'') ;;
nodes | first-boot | gateway | wireguard | fetch) parts=("$1") ;;
*) echo "ci/systemd-vm.sh: $1 is not known; allowed are ${parts[*]} and fetch, or nothing for all parts" >&2; exit 2 ;;
esac
has() { [[ " ${parts[*]} " == *" $1 "* ]]; }
# It takes about 380 s of processor time.
time_max=${VM_SECONDS_MAX:-3000}

if [ "${1:-}" != fetch ] && [ "${FARQUORUM_NO_DEBIAN:-}" = 1 ]; then
    echo "systemd-vm: LEFT OUT: FARQUORUM_NO_DEBIAN=1"
    exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "ci/systemd-vm.sh: must be root, for debootstrap" >&2; exit 2; }
[ "${1:-}" = fetch ] || [ -x "$binary" ] || { echo "ci/systemd-vm.sh: $binary is not built; try: make build" >&2; exit 2; }
declare -A packages=([debootstrap]=debootstrap [qemu-system-x86_64]=qemu-system-x86 [mkfs.ext4]=e2fsprogs [jq]=jq)
missing=()
for tool in "${!packages[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${packages[$tool]}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d)
qemu=
finish() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

include=systemd,systemd-sysv,dbus,linux-image-cloud-amd64,libstdc++6,iproute2,iputils-ping,nftables,wireguard-tools,openssh-client,openssh-server
# Another list makes another folder.
debian=$cache/$suite-$(cksum <<<"$include" | cut -d ' ' -f 1)
if [ ! -d "$debian" ]; then
    mkdir -p "$cache"
    rm -rf "$debian.part"
    debootstrap --variant=minbase --include="$include" "$suite" "$debian.part" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    mv "$debian.part" "$debian"
fi
[ "${1:-}" != fetch ] || exit 0
root=$work/root
cp -a "$debian" "$root"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

units=$root/etc/systemd/system
install -D "$binary" "$root/usr/local/bin/farquorum"
strip "$root/usr/local/bin/farquorum" 2>/dev/null || true
mkdir -p "$root/etc/farquorum" "$units/multi-user.target.wants"
cp ci/systemd-vm/{farquorum,context,first-boot}.toml "$root/etc/farquorum/"
mkdir -p "$root/usr/local/lib/check"
cp ci/systemd-vm/*.sh "$root/usr/local/lib/check/"
keys=$root/root/certs
"$binary" certs init --dir "$keys" >/dev/null
"$binary" certs issue --dir "$keys" --role admin --name admin >/dev/null
# This machine's paths in place of the store's, in what a module renders: SETTINGS, more expressions of sed before those
placed() {
    local settings=$1
    shift
    sed "$@" -e "s#systemd/bin/systemctl#/bin/systemctl#" -e "s#iproute2/bin/ip#/bin/ip#" -e "s#/nix/store/0*-farquorum/bin/#/usr/local/bin/#" \
        -e "s#/nix/store/0*-farquorum.toml#/etc/farquorum/$settings.toml#" -e "s#/nix/store/0*-#/usr/local/bin/#"
}
golden=ci/nix/golden
programs=$root/usr/local/bin
# What its [Install] says, as `systemctl enable` does it: UNIT
enable() {
    local all wanted
    read -r -a all < <(sed -n 's/^WantedBy=//p' "$units/$1") || true
    for wanted in "${all[@]}"; do
        mkdir -p "$units/$wanted.wants"
        ln -s "../$1" "$units/$wanted.wants/"
    done
}
module() { jq -r "$1" "$golden/$2.json"; }
module '.aws.tmpfiles[]' hardware >"$root/etc/tmpfiles.d/farquorum.conf"
if has nodes; then
    # What the module sets for a data disk in aws; here, disks are called otherwise. The root disk has such a name too.
    # shellcheck disable=SC2016 # a name of jq
    module '.aws | .data_disk.blankDevice as $there | .format | split($there) | "#!/bin/bash\n" + join("/dev/disk/by-id/virtio-vol*")' \
        hardware >"$programs/farquorum-format-disk"
    sed '/^\[Service\]/a ExecStart=/usr/local/bin/farquorum-format-disk' $golden/farquorum-format-disk.service \
        >"$units/farquorum-format-disk.service"
    module '.aws.fileSystems | to_entries[] | "\(.value.device) \(.key) \(.value.fsType) \(.value.options | join(",")) 0 2"' hardware >>"$root/etc/fstab"
    for n in 1 2 3; do
        name=cp$n
        "$binary" certs issue --dir "$keys" --role node --name "$name" --san "127.1.0.$n" >/dev/null
        # Three times beside each other.
        other=(-e "s#cp-aws-1#$name#g" -e "s#farquorum-node#farquorum-$name#g" -e "s#%S/farquorum#%S/farquorum-$name#"
            -e "s#^StateDirectory=.*#StateDirectory=farquorum-$name#" -e "s#/var/lib/farquorum-keys#/root/certs#")
        placed farquorum "${other[@]}" <$golden/farquorum-node.service >"$units/farquorum-$name.service"
        placed farquorum "${other[@]}" <$golden/farquorum-node-certificates >"$programs/farquorum-$name-certificates"
    done
    "$binary" certs issue --dir "$keys" --role worker --name worker-aws-1 >/dev/null
    printf 'access_key = "check"\nsecret_key = "nobody asks for it"\n' >"$keys/storage"
    chmod 600 "$keys/storage"
    placed farquorum -e "s#/var/lib/farquorum-keys#/root/certs#" <$golden/farquorum-worker.service >"$units/farquorum-worker.service"
    cp $golden/farquorum-worker-certificates "$programs/"
    for unit in farquorum-format-disk farquorum-cp{1,2,3} farquorum-worker; do enable "$unit.service"; done
fi
if has first-boot; then
    for unit in farquorum-node{,-request,-certificate,-renew}.service farquorum-node-certificate.path; do
        placed first-boot <"$golden/$unit" >"$units/$unit"
        enable "$unit"
    done
    cp $golden/farquorum-node-certificates "$programs/"
    # Where the authorities are: the account that the renewals' command names, which root may use by ssh as the host does.
    chroot "$root" useradd --create-home --shell /bin/bash signer
    signer=$root/home/signer
    cp -r "$keys" "$signer/certs"
    cp ci/systemd-vm/first-boot.toml "$signer/farquorum.toml"
    install -d -m 700 "$root/root/.ssh" "$signer/.ssh"
    chroot "$root" ssh-keygen -q -t ed25519 -N '' -C host -f /root/.ssh/id_ed25519
    echo "restrict $(cat "$root/root/.ssh/id_ed25519.pub")" >"$signer/.ssh/authorized_keys"
    echo "192.0.2.5 $(cut -d ' ' -f 1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")" >"$root/root/.ssh/known_hosts"
    chroot "$root" chown -R signer: /home/signer
fi
# The check starts it.
rm -f "$units"/{multi-user.target.wants/ssh,sshd}.service
# The gateway's unit, and what its module sets beside it. It is started by the check, when the clouds are made.
placed gateway <$golden/farquorum-gateway.service >"$units/farquorum-gateway.service"
placed gateway <$golden/farquorum-gateway-close >"$programs/farquorum-gateway-close"
cp $golden/farquorum.toml "$root/etc/farquorum/gateway.toml"
module '.boot.kernel.sysctl | to_entries[] | "\(.key) = \(.value)"' gateway >"$root/etc/sysctl.d/60-farquorum.conf"
module '.boot.kernelModules[]' gateway >"$root/etc/modules-load.d/farquorum.conf"
# shellcheck disable=SC2016 # a name of jq
module '.interfaces | to_entries[] | .key as $name | .value.ipv4.addresses[] | "\($name) \(.address)/\(.prefixLength)"' gateway \
    >"$root/etc/farquorum/interfaces"
# With a monitor: the host of aws.
module '.watched | "[Service]", "ExecStart=", "ExecStart=\(.ExecStart)", "IPAddressAllow=\(.IPAddressAllow[])"' gateway |
    placed gateway -e 's#198.51.100.9#10.10.0.11#' >"$root/etc/farquorum/monitors.conf"
if has wireguard; then
    # What the module sets for each node's end of the tunnel, a line for each thing: networking.wireguard of NixOS.
    mkdir "$root/etc/farquorum/wireguard"
    for name in $(module '.mesh | keys[]' wireguard); do
        module ".mesh[\"$name\"].fq0"' | "address \(.ips[])", "port \(.listenPort)",
            (.peers[] | "peer \(.name) \(.endpoint) \(.persistentKeepalive) \(.allowedIPs | join(","))")' wireguard >"$root/etc/farquorum/wireguard/$name"
        module ".mesh[\"$name\"].rules" wireguard >"$root/etc/farquorum/wireguard/$name.nft"
    done
fi
# NixOS makes the second table of networking.firewall.checkReversePath.
[ "$(module .reverse_path gateway)" = loose ] || { echo "ci/systemd-vm.sh: the gateway's reverse_path is not loose" >&2; exit 1; }
cat - $golden/gateway-table.nft <(echo '}') >"$root/etc/nftables.conf" <<TABLES
table inet return-paths {
  chain loose {
    type filter hook prerouting priority mangle + 10; policy drop;
    fib saddr . mark oif exists accept
  }
}
table $(module .family gateway) farquorum-gateway {
TABLES
mkdir -p "$units/sysinit.target.wants"
ln -s /lib/systemd/system/nftables.service "$units/sysinit.target.wants/"
cat >"$units/check.service" <<UNIT
[Unit]
Description=The check
After=basic.target
[Service]
ExecStart=/usr/local/lib/check/check.sh ${parts[*]}
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
UNIT
chmod +x "$programs"/*
# Nothing of it is asked for here, and each costs seconds of an emulated processor.
for unused in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service; do
    ln -sf /dev/null "$units/$unused"
done
ln -s ../check.service "$units/multi-user.target.wants/"
truncate -s 6G "$work/disk"
# A node wants 2 GiB free (limits.free_bytes_min).
truncate -s 4G "$work/data"
mkfifo "$work/monitor"
touch "$work/check"
mkfs.ext4 -q -d "$root" "$work/disk"

qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 1024 -icount shift=1,sleep=off \
    -nodefaults -no-user-config -display none -serial "file:$work/console" -serial "file:$work/check" -no-reboot \
    -kernel "$(find "$root/boot" -name 'vmlinuz*' -print -quit)" -initrd "$(find "$root/boot" -name 'initrd*' -print -quit)" \
    -drive "file=$work/disk,format=raw,if=none,id=root" -device virtio-blk-pci,drive=root,serial=vol0 \
    -drive "file=$work/data,format=raw,if=none,id=data" -device pcie-root-port,id=late -monitor stdio \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=-1" <"$work/monitor" >"$work/answers" &
qemu=$!
exec 7>"$work/monitor"
plugged=
for ((second = 0; second < time_max; second++)); do
    kill -0 "$qemu" 2>/dev/null || break
    if [ -z "$plugged" ] && grep -aq '^systemd-vm: plug the data disk in' "$work/check"; then
        echo "device_add virtio-blk-pci,drive=data,serial=vol1,bus=late" >&7
        plugged=yes
    fi
    sleep 1
done
tr -d '\r' <"$work/check" | sed '/^systemd-vm: plug/d; /^systemd-vm: to be on the console/d'
if kill -0 "$qemu" 2>/dev/null; then
    tail -n 30 "$work/console" >&2
    echo "ci/systemd-vm.sh: the machine did not end within $time_max s" >&2
    exit 1
fi
qemu=
while read -r text; do
    grep -aqF "$text" "$work/console" || { echo "ci/systemd-vm.sh: FAILED: the console does not show $text" >&2; exit 1; }
done < <(tr -d '\r' <"$work/check" | sed -n 's/^systemd-vm: to be on the console: //p')
grep -aq '^systemd-vm: passed' "$work/check" || { tail -n 30 "$work/console" >&2; echo "ci/systemd-vm.sh: FAILED" >&2; exit 1; }
