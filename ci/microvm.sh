#!/usr/bin/env bash
# The three nodes as virtual machines of their own (QEMU, Debian's cloud kernel, an initramfs with the binary), joined
# through the lab's emulated WAN; workers and the object store stay processes.
#   ci/microvm.sh up [OPTIONS OF sim up]   start; then every command works as with `sim up`
#   ci/microvm.sh down                     stop; nothing is left
#   ci/microvm.sh test                     up, checks, one machine killed and started again, down
# Needs /dev/net/tun and root; without root it makes a user namespace in which it is. Hardware support is used where
# the processor and /dev/kvm offer it; MICROVM_ACCEL=tcg or kvm decides instead. MICROVM_INIT: the machines' first process
# where it is built already (netem/examples/machine).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
verb=${1:-}
[ "$#" -eq 0 ] || shift
case $verb in
up | down | test) ;;
*) echo "ci/microvm.sh: wants up, down or test" >&2; exit 2 ;;
esac

farquorum=$(readlink -f "${FARQUORUM:-bin/farquorum}")
[ -x "$farquorum" ] || { echo "ci/microvm.sh: $farquorum is not built; try: make build" >&2; exit 2; }
simulation=${MICROVM_NAME:-microvm}
machine=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/microvm
modules=(drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci_legacy_dev
    drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci drivers/block/virtio_blk
    net/core/failover drivers/net/net_failover drivers/net/virtio_net)

need() {
    local tool missing=()
    declare -A packages=([qemu-system-x86_64]=qemu-system-x86 [cpio]=cpio [ip]=iproute2 [mkfs.ext4]=e2fsprogs
        [strip]=binutils [dpkg-deb]=dpkg)
    # What the test asks with.
    [ "$verb" != test ] || packages+=([jq]=jq [pgrep]=procps)
    for tool in "${!packages[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("${packages[$tool]}")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    printf 'ci/microvm.sh: missing: %s\n  try: sudo apt-get install --no-install-recommends %s\n' \
        "${missing[*]}" "${missing[*]}" >&2
    exit 2
}

# What all machines share: kernel, initramfs, settings, and the program that runs one. Nothing secret.
prepare() (
    accel=${MICROVM_ACCEL:-tcg}
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # shellcheck source=kernel.sh
    . "$here/kernel.sh"
    kernel_fetch ""
    kernel_unpack "$work/package" "$work/root/modules" "${modules[@]}"
    init=${MICROVM_INIT:-}
    if [ -z "$init" ]; then
        # shellcheck source=static.sh
        . "$here/static.sh"
        "$here/cargo.sh" build --locked --quiet --workspace --example machine
        init=${CARGO_TARGET_DIR:-target}/$CARGO_BUILD_TARGET/debug/examples/machine
    fi
    install -D -m 755 "$init" "$work/root/init"
    install -D -m 755 "$farquorum" "$work/root/bin/farquorum"
    strip "$work/root/init" "$work/root/bin/farquorum"
    mkdir -p "$machine"
    (cd "$work/root" && find . | cpio --quiet -o -H newc) >"$machine/initramfs.part"
    mv "$machine/initramfs.part" "$machine/initramfs"
    install -m 644 "$kernel_image" "$machine/kernel"
    install -m 755 ci/microvm/machine.sh "$machine/machine"
    # A processor flag as well: some computers have the device and cannot run a machine with it.
    if [ -z "${MICROVM_ACCEL:-}" ] && [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
        accel=kvm
    fi
    cat >"$machine/settings" <<SETTINGS
machine="-machine q35 -accel $accel -cpu max"
bus=pci
memory_mib=${MICROVM_MIB:-384}
disk_size=4G
SETTINGS
    echo "machines: $(basename "$kernel_package"), initramfs $(($(stat -c %s "$machine/initramfs") >> 20)) MiB, $accel"
)

up() {
    need
    prepare
    local slow=()
    # An emulated processor takes a tenth of a second and more for a handshake: the times that real ones are set to, eight
    # round trips for an election, would end every connection.
    if grep -q 'accel tcg' "$machine/settings"; then
        slow=(--set raft.election_timeout_ms=3000 --set raft.heartbeat_ms=300)
    fi
    "$farquorum" sim --name "$simulation" up --node-program "$machine/machine" "${slow[@]}" "$@"
}

down() {
    "$farquorum" sim --name "$simulation" down --purge
    rm -rf "$machine"
}

if [ "$(id -u)" -ne 0 ] && [ "$verb" != down ]; then
    exec unshare --user --map-root-user "$here/microvm.sh" "$verb" "$@"
fi
case $verb in
up) up "$@" ;;
down) down ;;
test) . "$here/microvm/test.sh" ;;
esac
