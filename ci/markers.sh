#!/usr/bin/env bash
# Nothing secret in what is rendered or evaluated, or in the source that a flake copies into the Nix store: plants a marker
# where an operator's private keys and credentials lie, in a copy of the checkout, and looks for it, plain, in base64 and
# in hexadecimal. Plans and states: ci/terraform.sh; the image: ci/compose-test.sh; the initramfs of machines: ci/microvm/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath -m "${FARQUORUM:-bin/farquorum}")
# Of 27 bytes, so that its base64 is the same at every third byte.
# In two parts, so that this file, which is looked through too, does not hold it.
marker=farquorum-planted"-marker-ke"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

mkdir "$work/tree" "$work/out"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$work/tree"
cd "$work/tree"
git init -q .
planted=(certs/ca/peer.key certs/ca/client.key certs/cp-aws-1.key certs/admin.key certs/credentials.toml
    netem/certs/ca/peer.key netem/certs/hosts/minio/secret_key netem/certs/hosts/worker-aws-1/credentials.toml)
for file in "${planted[@]}"; do
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$marker" >"$file"
done
# Everything that `git add` takes is in the flake's source, and so in the Nix store.
git add -A
mkdir "$work/out/source"
git archive "$(git write-tree)" | tar -x -C "$work/out/source"

if [ -x "$binary" ]; then
    "$binary" --config farquorum.toml render --out "$work/out/render" >/dev/null
elif [ "${CI:-}" = true ]; then
    echo "markers: $binary is not built" >&2
    exit 1
fi
nix-instantiate --eval --strict --json --expr \
    'import ./ci/nix/evaluate.nix { lib = import ./ci/nix/lib.nix; root = ./.; }' >"$work/out/nixos.json"

forms=("$marker" "$(printf %s "$marker" | base64 -w0)" "$(printf %s "$marker" | od -An -tx1 | tr -d ' \n')")
for form in "${forms[@]}"; do
    if grep -rlF -- "$form" "$work/out"; then
        echo "markers: the planted marker stands in the files above" >&2
        failed=1
    fi
done
echo "markers: $(find "$work/out" -type f | wc -l) files looked through; ${#planted[@]} planted"
exit "$failed"
