# To be sourced. Debian's cloud kernel for virtual machines: fetched once by apt into the cache, and unpacked.
# shellcheck shell=bash

# The newest kernel's package file, or $1 when that is not empty; sets kernel_package.
kernel_fetch() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/vm name part
    kernel_package=$1
    [ -z "$kernel_package" ] || return 0
    if ! name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: //p') || [ -z "$name" ]; then
        echo "$0: no package linux-image-cloud-amd64 here (it is Debian's; sudo apt-get update fills empty package lists)" >&2
        echo "  try: $0 FILE.deb with any kernel package that has sch_netem, veth, tun and virtio" >&2
        return 2
    fi
    mkdir -p "$cache"
    kernel_package=$(find "$cache" -maxdepth 1 -name "${name}_*.deb" -print -quit)
    if [ -z "$kernel_package" ]; then
        part=$(mktemp -d "$cache/part.XXXXXX")
        (cd "$part" && apt-get download -qq "$name" 2>/dev/null) || {
            rm -rf "$part"
            echo "$0: cannot download $name" >&2
            return 2
        }
        rm -f "$cache"/*.deb
        mv "$part/${name}"_*.deb "$cache"
        rm -rf "$part"
        kernel_package=$(find "$cache" -maxdepth 1 -name "${name}_*.deb" -print -quit)
    fi
}

# Unpacks kernel_package into the folder $1 and copies the modules $3... (paths below kernel/, no suffix) into $2.
kernel_unpack() {
    local tree=$1 modules=$2 module file
    shift 2
    dpkg-deb -x "$kernel_package" "$tree"
    mkdir -p "$modules"
    for module in "$@"; do
        file=$(find "$tree" -path "*/kernel/$module.ko*" -print -quit)
        [ -n "$file" ] || { echo "$0: $(basename "$kernel_package") has no module $module" >&2; return 2; }
        cp "$file" "$modules"
    done
    # shellcheck disable=SC2034 # for the script that sources this
    kernel_image=$(find "$tree/boot" -name 'vmlinuz*' -print -quit)
}
