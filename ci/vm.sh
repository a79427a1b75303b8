#!/usr/bin/env bash
# Compares the WAN in user space with the kernel's netem, in a virtual machine: Debian's cloud kernel under QEMU, with
# one program of ours as its first process (netem/examples/vm_check). The machine is emulated, not accelerated, and
# counts instructions as its clock: a busy host makes it slow, not late.
# Arguments: none, or a kernel's package file in place of the newest one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/vm
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

# The kernel, as a package: downloaded once.
package=${1:-}
if [ -z "$package" ]; then
    if ! name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: //p') || [ -z "$name" ]; then
        echo "ci/vm.sh: no package linux-image-cloud-amd64 here (it is Debian's; sudo apt-get update fills empty package lists)" >&2
        echo "  try: ci/vm.sh FILE.deb with any kernel package that has sch_netem, veth and tun" >&2
        exit 2
    fi
    mkdir -p "$cache"
    package=$(find "$cache" -maxdepth 1 -name "${name}_*.deb" -print -quit)
    if [ -z "$package" ]; then
        (cd "$work" && apt-get download -qq "$name" 2>/dev/null) || {
            echo "ci/vm.sh: cannot download $name" >&2
            exit 2
        }
        rm -f "$cache"/*.deb
        mv "$work/${name}"_*.deb "$cache"
        package=$(find "$cache" -maxdepth 1 -name "${name}_*.deb" -print -quit)
    fi
fi
echo "kernel: $(basename "$package")"
dpkg-deb -x "$package" "$work/package"

# The first process, linked statically, and the modules.
# shellcheck source=static.sh
. "$here/static.sh"
"$here/cargo.sh" build --locked --quiet --package farquorum-netem --example vm_check
root=$work/root
mkdir -p "$root/modules"
cp "${CARGO_TARGET_DIR:-target}/$CARGO_BUILD_TARGET/debug/examples/vm_check" "$root/init"
for module in "${modules[@]}"; do
    file=$(find "$work/package" -path "*/kernel/$module.ko*" -print -quit)
    [ -n "$file" ] || { echo "ci/vm.sh: the package has no module $module" >&2; exit 2; }
    cp "$file" "$root/modules"
done
(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initramfs"

qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 768 -icount shift=1,sleep=off \
    -nodefaults -no-user-config -display none -serial "file:$work/console" -no-reboot \
    -kernel "$(find "$work/package/boot" -name 'vmlinuz*' -print -quit)" -initrd "$work/initramfs" \
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
