#!/usr/bin/env bash
# Compares the WAN in user space with the kernel's netem, in a virtual machine: Debian's cloud kernel under QEMU, with
# one program of ours as its first process (netem/examples/vm_check). The machine is emulated, not accelerated, and
# counts instructions as its clock: a busy host makes it slow, not late.
# Arguments: none, or a kernel's package file in place of the newest one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
modules=(net/sched/sch_netem drivers/net/veth drivers/net/tun)
# The machine needs about two minutes on two idle cores.
time_max=${VM_SECONDS_MAX:-1200}

missing=()
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
command -v cpio >/dev/null || missing+=(cpio)
if [ "${#missing[@]}" -gt 0 ]; then
    printf 'ci/vm.sh: missing: %s\n  try: sudo apt-get install --no-install-recommends %s\n' \
        "${missing[*]}" "${missing[*]}" >&2
    exit 2
fi

work=$(mktemp -d)
qemu=
finish() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# shellcheck source=kernel.sh
. "$here/kernel.sh"
kernel_fetch "${1:-}"
echo "kernel: $(basename "$kernel_package")"
root=$work/root
kernel_unpack "$work/package" "$root/modules" "${modules[@]}"

# The first process, linked statically.
# shellcheck source=static.sh
. "$here/static.sh"
"$here/cargo.sh" build --locked --quiet --workspace --example vm_check
cp "${CARGO_TARGET_DIR:-target}/$CARGO_BUILD_TARGET/debug/examples/vm_check" "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initramfs"

qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 768 -icount shift=1,sleep=off \
    -nodefaults -no-user-config -display none -serial "file:$work/console" -no-reboot \
    -kernel "$kernel_image" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1" &
qemu=$!
for ((second = 0; second < time_max; second++)); do
    kill -0 "$qemu" 2>/dev/null || break
    sleep 1
done
tr -d '\r' <"$work/console" | grep -av '^.\[' || true
if kill -0 "$qemu" 2>/dev/null; then
    echo "ci/vm.sh: the machine did not end within $time_max s" >&2
    exit 1
fi
qemu=
grep -aq '^vm-check: passed' "$work/console" || { echo "ci/vm.sh: FAILED" >&2; exit 1; }
