#!/usr/bin/env bash
# Nothing secret in what is rendered or evaluated, or in the Nix store: plants a marker where an operator's private keys and
# credentials lie, in a copy of the checkout, and looks for it, plain, in base64 and in hexadecimal. What Nix puts into its
# store (the source of the flake and of the build, TOML, scripts, units) it puts into one that is thrown away.
# Plans and states: ci/terraform.sh; the image: ci/compose-test.sh; the initramfs of machines: ci/microvm/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath -m "${FARQUORUM:-bin/farquorum}")
# Of 27 bytes, so that its base64 is the same at every third byte.
# In two parts, so that this file, which is looked through too, does not hold it.
marker=farquorum-planted"-marker-ke"
forms=("$marker" "$(printf %s "$marker" | base64 -w0)" "$(printf %s "$marker" | od -An -tx1 | tr -d ' \n')")
work=$(mktemp -d)
# Nix takes away its right to write to what it stored.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failed=0
fail() {
    echo "markers: $*" >&2
    failed=1
}

# search FORM FOLDER: what has it in its content, in its name or in the path that it links to.
search() {
    grep -rlF -- "$1" "$2" || true
    find "$2" -printf '%p -> %l\n' | grep -F -- "$1" || true
}
# in_store FOLDER ARGUMENTS: evaluates what goes into a store, with one that is made in FOLDER.
in_store() {
    env NIX_STORE_DIR="$1/store" NIX_STATE_DIR="$1/var" NIX_LOG_DIR="$1/log" XDG_CACHE_HOME="$work/cache" \
        nix-instantiate --eval --strict --json --read-write-mode --expr \
        "import ./ci/nix/store.nix ({ lib = import ./ci/nix/lib.nix; root = ./.; } // ($2))" 2>"$work/said" ||
        { cat "$work/said" >&2; exit 1; }
}

mkdir "$work/tree" "$work/out" "$work/mistake"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$work/tree"
cd "$work/tree"
git init -q .
planted=(certs/ca/peer.key certs/ca/client.key certs/cp-aws-1.key certs/admin.key certs/credentials.toml
    netem/certs/ca/peer.key netem/certs/hosts/minio/secret_key netem/certs/hosts/worker-aws-1/credentials.toml)
for file in "${planted[@]}"; do
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$marker" >"$file"
done
# A flake takes what Git knows. .gitignore is what keeps the keys from it.
git add -A
git -c user.name=markers -c user.email=markers@localhost -c commit.gpgsign=false commit -qm planted

if [ -x "$binary" ]; then
    "$binary" --config farquorum.toml render --out "$work/out/render" >/dev/null
elif [ "${CI:-}" = true ]; then
    echo "markers: $binary is not built" >&2
    exit 1
fi
# The flake's source by Nix's own hand.
in_store "$work/out" '{ source = /. + builtins.unsafeDiscardStringContext (builtins.fetchGit ./.).outPath; }' >"$work/out/nixos.json"
paths=$(find "$work/out/store" -mindepth 1 -maxdepth 1 ! -name '.*' | wc -l)
# Two sources, and each file of ci/nix/golden that a unit or its scripts are.
[ "$paths" -gt 20 ] || fail "only $paths paths are in the store"

for form in "${forms[@]}"; do
    found=$(search "$form" "$work/out")
    [ -z "$found" ] || fail "the planted marker stands in: $found"
done

# What would find nothing says nothing. Each form, in bytes that are no text, in a name and in a link:
for form in "${forms[@]}"; do
    mkdir "$work/probe"
    printf '\0\377%s\0' "$form" >"$work/probe/content"
    : >"$work/probe/name-$form"
    ln -s "/$form" "$work/probe/link"
    [ "$(search "$form" "$work/probe" | wc -l)" -eq 3 ] || fail "$form is planted three times and not found three times"
    rm -r "$work/probe"
done
# A key that is given as a path is copied by Nix: it is found in the store, and the module refuses it.
# shellcheck disable=SC2016 # Nix's own
in_store "$work/mistake" '{ mistakes.key = { node.key = "${./certs/cp-aws-1.key}"; }; }' >"$work/refused.json"
[ -n "$(search "$marker" "$work/mistake/store")" ] || fail "a key that Nix copied into its store is not found there"
jq -e '.refused.key | length == 1' "$work/refused.json" >/dev/null || fail "a key that Nix copied into its store is accepted"

echo "markers: $(find "$work/out" -type f | wc -l) files looked through, in $paths paths of a Nix store; ${#planted[@]} planted"
exit "$failed"
