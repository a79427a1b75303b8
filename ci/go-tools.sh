#!/usr/bin/env bash
# Builds what the container test needs and a distribution may not have, as static Go programs: docker compose, and the
# MinIO that goes into a local image. Each is built once for a version into the cache; the path is printed.
# Usage: ci/go-tools.sh compose|minio
# MinIO is under the AGPL: it is built here from its unchanged source for the test and is no part of what Farquorum ships.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum

case ${1:-} in
compose) module=github.com/docker/compose/v2 package=/cmd version=v2.40.3 ;;
# The commit of RELEASE.2025-09-07T16-13-09Z, which netem/compose.yaml names.
minio) module=github.com/minio/minio package='' version=v0.0.0-20250907161309-07c3a429bfed ;;
*) echo "usage: ci/go-tools.sh compose|minio" >&2; exit 2 ;;
esac
out=$cache/$1/$version/$1
if [ -x "$out" ]; then echo "$out"; exit 0; fi
command -v go >/dev/null || {
    printf 'ci/go-tools.sh: Go is not installed, which builds %s\n  try: sudo apt-get install golang-go\n' "$1" >&2
    exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo "building $1 $version, once (a few minutes)" >&2
export CGO_ENABLED=0
go mod init build >/dev/null 2>&1
# The checksum database vouches for the version and for everything below it.
go get "$module$package@$version" >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }
if [ "$1" = compose ]; then
    flags=("-X github.com/docker/compose/v2/internal.Version=$version")
else
    flags=("-X github.com/minio/minio/cmd.Version=2025-09-07T16:13:09Z" "-X github.com/minio/minio/cmd.ReleaseTag=RELEASE.2025-09-07T16-13-09Z")
fi
go build -trimpath -ldflags "-s -w ${flags[*]}" -o "$work/$1.new" "$module$package" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; exit 1; }
mkdir -p "$(dirname "$out")"
mv "$work/$1.new" "$out"
echo "$out"
