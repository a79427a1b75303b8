#!/usr/bin/env bash
# Boots Debian's systemd in a virtual machine with three nodes under the unit of the NixOS module (ci/nix/golden):
# active by Type=notify, /readyz, the leader killed, the leader stopped, the watchdog. As root, because debootstrap wants
# it; the machine is emulated, not accelerated, and counts instructions as its clock: a busy computer makes it slow, not
# late, and what it waits for costs nothing. The Debian folder is made once (150 MB are fetched) and kept in the cache.
# Usage: ci/systemd-vm.sh [fetch]; `fetch` makes that folder and nothing more. FARQUORUM_NO_DEBIAN=1 leaves the test out,
# and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/systemd-vm
binary=$(realpath -m "${FARQUORUM:-bin/farquorum}")
suite=${DEBIAN_SUITE:-bookworm}
# It takes about 160 s of processor time.
time_max=${VM_SECONDS_MAX:-1800}

if [ "${1:-}" != fetch ] && [ "${FARQUORUM_NO_DEBIAN:-}" = 1 ]; then
    echo "systemd-vm: LEFT OUT: FARQUORUM_NO_DEBIAN=1"
    exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "ci/systemd-vm.sh: must be root, for debootstrap" >&2; exit 2; }
[ "${1:-}" = fetch ] || [ -x "$binary" ] || { echo "ci/systemd-vm.sh: $binary is not built; try: make build" >&2; exit 2; }
declare -A packages=([debootstrap]=debootstrap [qemu-system-x86_64]=qemu-system-x86 [mkfs.ext4]=e2fsprogs)
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

debian=$cache/$suite
if [ ! -d "$debian" ]; then
    mkdir -p "$cache"
    rm -rf "$debian.part"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,linux-image-cloud-amd64,libstdc++6 \
        "$suite" "$debian.part" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    mv "$debian.part" "$debian"
fi
[ "${1:-}" != fetch ] || exit 0
root=$work/root
cp -a "$debian" "$root"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

install -D "$binary" "$root/usr/local/bin/farquorum"
strip "$root/usr/local/bin/farquorum" 2>/dev/null || true
mkdir -p "$root/etc/farquorum" "$root/etc/systemd/system/multi-user.target.wants"
cp ci/systemd-vm/{farquorum,context}.toml "$root/etc/farquorum/"
install ci/systemd-vm/check.sh "$root/usr/local/bin/check"
keys=$root/root/certs
"$binary" certs init --dir "$keys" >/dev/null
"$binary" certs issue --dir "$keys" --role admin --name admin >/dev/null
for n in 1 2 3; do
    name=cp$n
    "$binary" certs issue --dir "$keys" --role node --name "$name" --san "127.1.0.$n" >/dev/null
    # The module's unit, with this machine's paths in place of the store's, three times beside each other.
    here=(-e "s#cp-aws-1#$name#g" -e "s#farquorum-node#farquorum-$name#g" -e "s#%S/farquorum#%S/farquorum-$name#"
        -e "s#^StateDirectory=.*#StateDirectory=farquorum-$name#"
        -e "s#/nix/store/0*-farquorum/bin/#/usr/local/bin/#" -e "s#/nix/store/0*-farquorum.toml#/etc/farquorum/farquorum.toml#"
        -e "s#/nix/store/0*-#/usr/local/bin/#" -e "s#/var/lib/farquorum-keys#/root/certs#")
    sed "${here[@]}" ci/nix/golden/farquorum-node.service >"$root/etc/systemd/system/farquorum-$name.service"
    sed "${here[@]}" ci/nix/golden/farquorum-node-certificates >"$root/usr/local/bin/farquorum-$name-certificates"
    chmod +x "$root/usr/local/bin/farquorum-$name-certificates"
    ln -s "../farquorum-$name.service" "$root/etc/systemd/system/multi-user.target.wants/"
done
cat >"$root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
Description=The check
After=basic.target
[Service]
ExecStart=/usr/local/bin/check
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
UNIT
# Nothing of it is asked for here, and each costs seconds of an emulated processor.
for unused in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unused"
done
ln -s ../check.service "$root/etc/systemd/system/multi-user.target.wants/"
truncate -s 6G "$work/disk"
mkfs.ext4 -q -d "$root" "$work/disk"

qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 1024 -icount shift=1,sleep=off \
    -nodefaults -no-user-config -display none -serial "file:$work/console" -serial "file:$work/check" -no-reboot \
    -kernel "$(find "$root/boot" -name 'vmlinuz*' -print -quit)" -initrd "$(find "$root/boot" -name 'initrd*' -print -quit)" \
    -drive "file=$work/disk,format=raw,if=virtio" -append "root=/dev/vda rw console=ttyS0 quiet panic=-1" &
qemu=$!
for ((second = 0; second < time_max; second++)); do
    kill -0 "$qemu" 2>/dev/null || break
    sleep 1
done
tr -d '\r' <"$work/check"
if kill -0 "$qemu" 2>/dev/null; then
    tail -n 30 "$work/console" >&2
    echo "ci/systemd-vm.sh: the machine did not end within $time_max s" >&2
    exit 1
fi
qemu=
grep -aq '^systemd-vm: passed' "$work/check" || { tail -n 30 "$work/console" >&2; echo "ci/systemd-vm.sh: FAILED" >&2; exit 1; }
