#!/usr/bin/env bash
# Tries on the smallest Debian what a new user types: the README's apt-get line, `make deps` (as another user, as root
# without Rust, with it), then `make build`. debootstrap makes the root; the commit that is checked out is cloned into
# it; this machine's Rust is shown in it. All of it runs in a mount and a PID namespace of its own, which the kernel
# takes down with the script: no mount and no process stays.
#
# usage, as root: [SUITE=...] [MIRROR=...] ci/bare-root.sh [FOLDER [TARGET...]]
# FOLDER is kept and used again the next time; without one, a new one is deleted at the end. TARGET: what make makes
# after deps, "build" when none is named. SUITE and MIRROR: instead of this machine's own release and mirror.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '%s bare root: %s\n' "$(date +%T)" "$*"; }
fail() {
    say "FAILED: $*" >&2
    exit 1
}

# Outside: makes the folder, and deletes it when nothing is mounted in it any more.
if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" -eq 0 ] || fail "needs root"
    command -v debootstrap >/dev/null || fail "needs debootstrap; try: apt-get install debootstrap"
    command -v rustc >/dev/null || fail "needs a Rust toolchain on this machine"
    bare=${1:-$(mktemp -d)}
    [ "$#" -gt 0 ] || trap 'rm -rf "$bare"' EXIT
    shift || true
    unshare --mount --pid --fork --kill-child --propagation private -- "$0" --inside "$bare" "${@:-build}"
    exit
fi
trap 'exit 130' INT TERM
bare=$2
shift 2

# shellcheck source=/dev/null
suite=${SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
wanted=(Rust)
if [ ! -e "$bare/usr/bin/apt-get" ]; then
    # shellcheck disable=SC2016 # for apt to replace
    mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' "Codename: $suite" | head -n 1)}
    say "debootstrap $suite"
    mkdir -p "$bare"
    debootstrap --variant=minbase "$suite" "$bare" "$mirror" >"$bare/debootstrap.out" ||
        fail "debootstrap; see $bare/debootstrap.out"
    wanted+=("sudo apt-get install" g++ libclang-dev)
fi
mount -t proc proc "$bare/proc"
mount --rbind /dev "$bare/dev"
mkdir -p "$bare/opt/rust"
mount --bind -o ro "$(rustc --print sysroot)" "$bare/opt/rust"
cp /etc/resolv.conf "$bare/etc/resolv.conf"
rm -rf "$bare/srv/farquorum"
git clone --quiet --no-local "$checkout" "$bare/srv/farquorum"

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# as USER COMMAND...: inside, with nothing of this machine's environment but the proxies.
as() {
    local user=$1
    shift
    chroot --userspec="$user:$user" --groups= "$bare" /usr/bin/env -i HOME=/root PATH="$path" \
        http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}
deps() { as "$1" make --no-print-directory -C /srv/farquorum deps 2>&1; }
# refused WHO TEXT WORD...: `make deps` failed with TEXT, which must hold every WORD.
refused() {
    say "make deps, $1, names:"
    printf '%s\n' "$2" | tail -n 5
    for word in "${@:3}"; do
        [[ $2 == *"$word"* ]] || fail "$word is not named"
    done
}

say "git and make, as the README says"
as root sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends git make' >/dev/null 2>&1 ||
    fail "apt-get install git make"
if text=$(deps 65534); then fail "make deps, as another user, needs nothing: $text"; fi
refused "as another user" "$text" "${wanted[@]}"
if text=$(deps root); then fail "make deps found a Rust that is not there"; fi
refused "as root" "$text" Rust rustup
# What this machine trusts beside Debian's authorities (a company's proxy), the root must trust too.
cp -r /usr/local/share/ca-certificates/. "$bare/usr/local/share/ca-certificates/"
as root update-ca-certificates >/dev/null 2>&1 || fail "update-ca-certificates: make deps installed no certificates"
path=/opt/rust/bin:$path
text=$(deps root) || fail "make deps, with Rust: $text"
[ -z "$text" ] || fail "make deps is not silent when all is there: $text"
say "make deps, with Rust: nothing is missing"
for target in "$@"; do
    SECONDS=0
    as root make -C /srv/farquorum "$target" || fail "make $target"
    say "make $target: done in $SECONDS s"
done
