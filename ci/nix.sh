#!/usr/bin/env bash
# The NixOS modules and the flake, as far as Nix alone can judge them: no cache, no nixpkgs, nothing is built.
# Golden files lie in ci/nix/golden; FARQUORUM_UPDATE=1 writes them anew. NIXPKGS_LIB=PATH evaluates with nixpkgs' own
# lib too. What is not run here stands in docs/nix.md.
set -euo pipefail
cd "$(dirname "$0")/.."
golden=ci/nix/golden
# systemd's own judgement: 0 is best, 10 worst.
EXPOSURE_MAX=1.2
# The gateway's work is its host's network: a capability, a device and a thread in real time that the others do not have.
GATEWAY_EXPOSURE_MAX=1.9

declare -A packages=([nix-instantiate]=nix-bin [jq]=jq [systemd-analyze]=systemd)
missing=()
for tool in "${!packages[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${packages[$tool]}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "nix: missing ${missing[*]}: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d)
# Nix takes away its right to write to what it stored.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failed=0
fail() {
    echo "nix: $*" >&2
    failed=1
}

# 1. Every file is Nix.
while IFS= read -r file; do
    nix-instantiate --parse "$file" >/dev/null || fail "$file is not Nix"
done < <(find . -name '*.nix' -not -path './.git/*' | sort)

# 2. Every module and hardware profile evaluates, with `lib` alone.
evaluate() {
    nix-instantiate --eval --strict --json --show-trace \
        --expr "import ./ci/nix/evaluate.nix { lib = import $1; root = ./.; }" | jq -S .
}
evaluate ./ci/nix/lib.nix >"$work/all.json"
if [ -n "${NIXPKGS_LIB:-}" ]; then
    evaluate "$NIXPKGS_LIB" >"$work/nixpkgs.json"
    diff -u "$work/all.json" "$work/nixpkgs.json" || fail "nixpkgs' lib gives something else than ci/nix/lib.nix"
fi

# 3. What comes out is what came out before.
mkdir "$work/golden"
jq -r '.files | keys[]' "$work/all.json" | while IFS= read -r name; do
    jq -j --arg name "$name" '.files[$name]' "$work/all.json" >"$work/golden/$name"
done
for name in flake gateway hardware hosts refused wireguard; do
    jq ".$name" "$work/all.json" >"$work/golden/$name.json"
done
if [ "${FARQUORUM_UPDATE:-}" = 1 ]; then
    rm -rf "$golden" && cp -r "$work/golden" "$golden"
fi
diff -ru "$golden" "$work/golden" || fail "differs from $golden: if it is meant, FARQUORUM_UPDATE=1 ci/nix.sh"

# 4. Rules that no golden file should be able to change.
rule() {
    jq -e "$2" "$work/all.json" >/dev/null || fail "$1: $(jq -c "$3" "$work/all.json")"
}
rule "TOML that is written is not read back the same" '.same' '.same'
rule "a host of farquorum.toml is refused" '.accepted == []' '.accepted'
rule "bad settings are accepted" '[.refused[] | length == 1] | all' '.refused'
rule "a message does not name the host" \
    '[.refused[][] | test("^((cp|worker)-[a-z]+|gateway)-1: services\\.farquorum\\.")] | all' '.refused'
rule "a hardware profile has no firewall or no data disk" \
    '[.hardware[] | .firewall.enable and (.fileSystems | length == 1)] | all' '.hardware'
rule "a host keeps its logs for ever, or its clock to itself" \
    '[.hardware[] | .chrony.enable and (.journald.extraConfig | contains("SystemMaxUse=1G") and contains("MaxRetentionSec="))] | all' '.hardware'
rule "the command that signs renewals does not find ssh" '.programs.path | length == 1 and (.[0] | endswith("-openssh"))' '.programs'
rule "the firewall's rules stay when they are turned off" '.overridden.extraInputRules == ""' '.overridden'
rule "a tunnel has a peer with more than one address, or a rule for more" \
    '(.wireguard.fq0.peers | length == 2 and all(.allowedIPs | length == 1 and (.[0] | endswith("/32"))))
        and (.files["node-wireguard.nft"] | split("\n") | map(select(contains("udp"))) | length == 2)
        and .wireguard.failures == [] and (.wireguard.mesh | length == 3 and all(.failures == [] and (.fq0.peers | length == 2)))
        and .untunnelled and .firstBoot == []' '.wireguard'
rule "what goes to a node does not go to its public address, or public sources are let in that are no host's" \
    '(.files["public-table.nft"] | [scan("dnat to 203\\.0\\.113\\.[0-9]+")] | length == 2)
        and (.files["public-table-worker.nft"] | [scan("dnat to ")] | length == 3)
        and (.files["node-public.nft"] | [scan("10\\.[123]0\\.")] == [])
        and (.public | .beside_tunnel == {} and .failures == [] and (.endpoints | keys == ["cp-azure-1", "cp-gcp-1"]))
        and (.public.found | (.systemPackages | length == 1) and (.sessionVariables.FARQUORUM_CONFIG | test("farquorum.toml$")))' '.public'
rule "the gateway passes what it has not shaped, or is more than CAP_NET_ADMIN" \
    '(.files["gateway-table.nft"] | contains("hook forward priority filter; policy drop;"))
        and (.files["gateway-table.nft"] | [scan("iifname \"eth[0-9]\" oifname \\{([^}]*)\\}")[0]] | length == 3 and all(contains("eth") | not))
        and (.files["farquorum-gateway.service"] | contains("\nCapabilityBoundingSet=CAP_NET_ADMIN\n") and contains("\nAmbientCapabilities=CAP_NET_ADMIN\n"))
        and (.files["farquorum-gateway.service"] | test("\nExecStopPost=/nix/store/[^\n]*-farquorum-gateway-close\n"))
        and .gateway.failures == []' '.files["gateway-table.nft"]'
rule "the flake names a module that is not there" '[.flake.modules[]] | all' '.flake.modules'
lock=$(jq -c '[.nodes.root.inputs[]] | sort' flake.lock)
rule "flake.lock has other inputs ($lock) than flake.nix" ".flake.inputs == $lock" '.flake.inputs'
jq -e '[.nodes | del(.root)[] | .locked | .rev and .narHash] | all' flake.lock >/dev/null ||
    fail "flake.lock: an input has no rev or no narHash"
jq -j .flake.microvm_up "$work/all.json" | bash -n || fail "nix/microvm-up.nix writes no shell script"

# 5. The binary reads the rendered TOML, and sees the same in it as in farquorum.toml.
binary=${FARQUORUM:-bin/farquorum}
if [ -x "$binary" ]; then
    for file in farquorum cluster-test; do
        "$binary" --config "$work/golden/$file.toml" config check || fail "$file.toml is refused"
    done
    show() { env -i "$binary" --config "$1" --format json config show; }
    diff <(show farquorum.toml) <(show "$work/golden/farquorum.toml") || fail "the rendered TOML is another configuration"
elif [ "${CI:-}" = true ]; then
    fail "$binary is not built: the rendered TOML was not checked by the binary"
else
    echo "nix: $binary is not built: the rendered TOML was not checked by the binary" >&2
fi

# 6. systemd takes the units, and finds them closed. Its programs are not here: true(1) stands in for them.
mkdir "$work/units"
for unit in farquorum-node-request farquorum-node-renew farquorum-node-certificate; do
    sed -E 's#systemd/bin/systemctl#/bin/true#; s#/nix/store/0{32}-farquorum/bin/farquorum#/bin/true#' \
        "$work/golden/$unit.service" >"$work/units/$unit.service"
    said=$(systemd-analyze --man=no verify "$work/units/$unit.service" 2>&1) || fail "systemd-analyze verify $unit failed"
    [ -z "$said" ] || fail "systemd-analyze verify $unit: $said"
done
for unit in farquorum-node farquorum-worker farquorum-gateway; do
    most=$EXPOSURE_MAX
    [ "$unit" != farquorum-gateway ] || most=$GATEWAY_EXPOSURE_MAX
    sed -E 's#/nix/store/0{32}-farquorum(/bin/farquorum|-(node|worker)-certificates|-gateway-close)#/bin/true#' \
        "$work/golden/$unit.service" >"$work/units/$unit.service"
    said=$(systemd-analyze --man=no verify "$work/units/$unit.service" 2>&1) || fail "systemd-analyze verify $unit failed"
    [ -z "$said" ] || fail "systemd-analyze verify $unit: $said"
    exposure=$(systemd-analyze --no-pager --offline=true security "$work/units/$unit.service" |
        sed -nE 's/.*Overall exposure level for .*: ([0-9.]+) .*/\1/p')
    echo "nix: $unit.service: exposure ${exposure:-unknown}, at most $most"
    awk -v is="${exposure:-10}" -v max="$most" 'BEGIN { exit !(is <= max) }' ||
        fail "$unit.service is more exposed than $most: systemd-analyze --offline=true security"
done

# 7. nftables takes the rules. NixOS puts them into its table's input chain, or into a table of the family that the module names.
nft_takes() {
    # Checked in a network namespace of its own, where one needs no root.
    if ! said=$(unshare --map-root-user --net nft --check --file - <<<"$2" 2>&1); then
        fail "nft does not take $1: $said"
    fi
}
if ! command -v nft >/dev/null; then
    [ "${CI:-}" != true ] || fail "nft is not installed: the firewall's rules were not checked"
    echo "nix: nft is not installed: the firewall's rules were not checked" >&2
elif ! unshare --map-root-user --net true 2>/dev/null; then
    echo "nix: no network namespace is allowed here: the firewall's rules were not checked by nft" >&2
else
    tables=0
    for file in "$work"/golden/*.nft; do
        name=$(basename "$file")
        case $name in
        gateway-table.nft) table="table $(jq -r .gateway.family "$work/all.json") farquorum-gateway" ;;
        public-table*.nft) table="table $(jq -r .public.family "$work/all.json") farquorum-public" ;;
        *) table=$'table inet nixos-fw {\nchain input-allow' ;;
        esac
        text=$table$' {\n'$(cat "$file")$'\n}\n'
        case $table in *'{'*) text+=$'}\n' ;; esac
        nft_takes "$name" "$text"
        tables=$((tables + 1))
    done
    [ "$tables" -gt 5 ] || fail "only $tables files of rules"
    echo "nix: nft takes $tables files of rules"
fi

# 8. The source that the flake builds from has what cargo, the compiler and the flake's tests read. Nix makes it in a store of its own.
# With our own lib.fileset: that of nixpkgs wants a newer Nix (builtins.readFileType) than Debian has.
export NIX_STORE_DIR="$work/nix/store" NIX_STATE_DIR="$work/nix/var" NIX_LOG_DIR="$work/nix/log"
if nix-instantiate --eval --strict --json --read-write-mode --expr "
    { inherit (import ./ci/nix/store.nix { lib = import ./ci/nix/lib.nix; root = ./.; }) source tested; }
    " >"$work/store.json" 2>"$work/said"; then
    mapfile -t tested < <(jq -r '.tested | split(" ") | .[] | select(startswith("--") | not)' "$work/store.json")
    if said=$(ci/nix/source.sh "$(jq -r .source "$work/store.json")" "${tested[@]}"); then echo "nix: $said"; else fail "$said"; fi
else
    fail "the source of nix/build.nix cannot be made: $(cat "$work/said")"
fi

[ "$failed" -eq 0 ] && echo "nix: ok"
exit "$failed"
