#!/usr/bin/env bash
# Whether a copy of the checkout, as nix/build.nix takes it, holds every file that the build reads and that its tests look for.
# Arguments: the copy, and the packages whose tests the flake runs. Prints what is missing, and then ends with 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=$1
shift
asked=0
missing=0
# has FOLDER PATH WHO: PATH, as seen from FOLDER, is in the copy.
has() {
    local path
    path=$(realpath -m --relative-to=. "$1/$2")
    asked=$((asked + 1))
    if [ ! -e "$copy/$path" ]; then
        echo "$path, which $3 reads, is not in the source of nix/build.nix"
        missing=1
    fi
}
# texts FOLDER PATTERN: file:text of each match of PATTERN's first group in Rust below FOLDER.
texts() { grep -rPo --include='*.rs' "$2" "$1" || true; }

# The members of the workspace, and what cargo and its helpers read at the top.
mapfile -t members < <(sed -n '/^members = \[/,/^\]/s/^ *"\(.*\)",$/\1/p' Cargo.toml)
for file in Cargo.toml Cargo.lock .cargo/config.toml clippy.toml deny.toml rustfmt.toml "${members[@]/%//Cargo.toml}"; do
    has . "$file" cargo
done
for member in "${members[@]}"; do
    # What the compiler reads beside modules.
    while IFS=: read -r file text; do
        has "$(dirname "$file")" "$text" "$file"
    done < <(texts "$member" '(include_str!|include_bytes!|include!|#\[path = )\(?\s*"\K[^"]+')
    # Build scripts name files from their package's folder; .proto files are all that ours read.
    if [ -e "$member/build.rs" ]; then
        while IFS= read -r file; do has . "$file" "$member/build.rs"; done < <(find "$member" -name '*.proto')
    fi
done
# Tests look for their files when they run.
for package in "$@"; do
    folder=$(sed -nE "s/^$package = \{ path = \"([^\"]+)\" \}$/\1/p" Cargo.toml)
    [ -n "$folder" ] || { echo "the flake tests $package, which is no package of the workspace"; exit 1; }
    while IFS=: read -r file text; do
        has "$folder" "$text" "$file"
    done < <(texts "$folder" '(CARGO_MANIFEST_DIR"\)\)\.join\("\K[^"]+|\.join\("\K\.\./[^"]+)')
done
# Of the patterns above none may have gone blind: there are members, included files and tests' folders.
[ "$asked" -gt 40 ] || { echo "only $asked files were asked for"; exit 1; }
[ "$missing" -eq 0 ] || exit 1
echo "$asked files that are read are in the source of nix/build.nix"
