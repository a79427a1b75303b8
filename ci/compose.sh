#!/usr/bin/env bash
# The cluster in containers (netem/compose.yaml): make compose-up, compose-down, compose-test.
# Usage: ci/compose.sh up | down [--volumes] | test | possible | farquorum ARGUMENTS...
# `farquorum` runs a command as the operator, in a container of its own in the first cloud. `possible` says whether the
# test can run: an engine answers or starts, and what the test builds of others builds.
# Variables: FARQUORUM (the binary, static; bin/farquorum), FARQUORUM_CERTS (netem/certs), FARQUORUM_INPUT (a folder that the
# operator's container sees as /input), MINIO_BUILD=1 (build MinIO here instead of pulling its image), FARQUORUM_NO_DOCKER=1
# (leave the test out, and say so).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
binary=${FARQUORUM:-bin/farquorum}
state=${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/compose
export FARQUORUM_CERTS=${FARQUORUM_CERTS:-$PWD/netem/certs}
export FARQUORUM_BINARY=$state/farquorum
nodes=(cp-aws-1 cp-gcp-1 cp-azure-1)
workers=(worker-aws-1 worker-aws-2 worker-gcp-1 worker-azure-1)
# The engine of the distribution has no builder of its own, and the image needs none.
export DOCKER_BUILDKIT=0

say() { printf 'compose: %s\n' "$*"; }
fail() { printf 'compose: FAILED: %s\n' "$*" >&2; exit 1; }
# A value of netem/.env.
setting() { sed -n "s/^$1=//p" netem/.env; }

# ---- the engine -------------------------------------------------------------------------------------------
# One that runs is used. Else, as root, one is started with folders of its own, which `down` and `test` stop by its id.
engine_up() {
    command -v docker >/dev/null || { echo "compose: docker is not installed
  try: sudo apt-get install --no-install-recommends docker.io" >&2; exit 2; }
    if [ -S "$state/engine/sock" ] && DOCKER_HOST=unix://$state/engine/sock docker info >/dev/null 2>&1; then
        export DOCKER_HOST=unix://$state/engine/sock
        return
    fi
    docker info >/dev/null 2>&1 && return
    if [ "$(id -u)" -ne 0 ] || ! command -v dockerd >/dev/null; then
        echo "compose: no Docker engine answers
  try: sudo systemctl start docker, or run this as root where dockerd is installed" >&2
        exit 2
    fi
    mkdir -p "$state/engine"
    rm -f "$state/engine/pid"
    nohup dockerd --data-root "$state/engine/data" --exec-root "$state/engine/exec" --pidfile "$state/engine/pid" \
        --host "unix://$state/engine/sock" >"$state/engine/log" 2>&1 </dev/null &
    export DOCKER_HOST=unix://$state/engine/sock
    for ((try = 0; try < 60; try++)); do
        docker info >/dev/null 2>&1 && { say "started an engine: $(docker version --format '{{.Server.Version}}')"; return; }
        sleep 1
    done
    tail -5 "$state/engine/log" >&2
    engine_down
    fail "dockerd did not start within 60 s"
}
# The id of the engine that was started here, while it runs. The file outlives a power cut, and then names any process.
engine_pid() {
    local pid
    pid=$(cat "$state/engine/pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] &&
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$state/engine/pid" && echo "$pid"
}
engine_down() {
    local pid
    pid=$(engine_pid) || return 0
    kill "$pid" 2>/dev/null || return 0
    for ((try = 0; try < 300; try++)); do
        kill -0 "$pid" 2>/dev/null || { say "stopped the engine that was started here"; return 0; }
        sleep 0.1
    done
    fail "dockerd ($pid) did not stop within 30 s"
}
compose=()
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    else
        compose=("$("$here/go-tools.sh" compose)")
    fi
    compose+=(--project-directory netem --file netem/compose.yaml --env-file netem/.env)
}

# ---- what must be there before the start ------------------------------------------------------------------
image() {
    mkdir -p "$state"
    local folder version
    folder=$(mktemp -d "$state/image.XXXXXX")
    mkdir "$folder/data"
    strip -o "$folder/farquorum" "$binary"
    version=$("$binary" --version)
    docker build --quiet --tag "$(setting FARQUORUM_IMAGE)" --file netem/Dockerfile --build-arg "VERSION=${version##* }" \
        --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" "$folder" >/dev/null 2>"$folder/log" ||
        { cat "$folder/log" >&2; rm -rf "$folder"; fail "docker build"; }
    mv "$folder/farquorum" "$FARQUORUM_BINARY"
    rm -rf "$folder"
}
minio_image() {
    local name folder
    name=$("${compose[@]}" config --images | grep minio)
    docker image inspect "$name" >/dev/null 2>&1 && return
    folder=$(mktemp -d "$state/image.XXXXXX")
    ln "$("$here/go-tools.sh" minio)" "$folder/minio"
    docker build --quiet --tag "$name" --file netem/minio.Dockerfile "$folder" >/dev/null 2>"$folder/log" ||
        { cat "$folder/log" >&2; rm -rf "$folder"; fail "docker build of $name"; }
    rm -rf "$folder"
}
# Authorities and certificates, once, and what an interrupted start left out; each container is given its own and nothing
# else. The folder is closed to others; the keys inside are readable, because the user inside the containers is nobody's on
# this machine.
certificates() {
    local certs=$FARQUORUM_CERTS name
    mkdir -p "$certs"
    chmod 700 "$certs"
    if [ ! -e "$certs/ca" ]; then
        rm -rf "$certs/new"
        "$binary" certs init --dir "$certs/new" --cluster "$(cluster)" >/dev/null
        mv "$certs/new/ca" "$certs/ca"
        rmdir "$certs/new"
        say "made authorities in $certs"
    fi
    for name in "${nodes[@]}"; do
        issued "$name" --role node --san "$name" --san "$(address "$name")"
    done
    for name in "${workers[@]}"; do issued "$name" --role worker; done
    issued admin --role admin
    for name in "${nodes[@]}" "${workers[@]}"; do
        hand_out "$name" "$name"
    done
    hand_out operator admin
    store_keys
    context >"$certs/hosts/operator/context.toml"
    chmod -R a+rX "$certs/hosts"
}
# NAME ARGUMENTS...: a certificate and its key, unless both are there.
issued() {
    local name=$1
    shift
    [ ! -e "$FARQUORUM_CERTS/$name.crt" ] || [ ! -e "$FARQUORUM_CERTS/$name.key" ] || return 0
    rm -f "$FARQUORUM_CERTS/$name.crt" "$FARQUORUM_CERTS/$name.key"
    "$binary" certs issue --dir "$FARQUORUM_CERTS" --name "$name" "$@" >/dev/null
}
cluster() { "$binary" config show --format json | sed -n '/"cluster": {/,/}/s/.*"name": "\(.*\)".*/\1/p'; }
# cp-aws-1 -> the value of ADDRESS_CP_AWS_1
address() { setting "ADDRESS_$(tr 'a-z-' 'A-Z_' <<<"$1")"; }
hand_out() {
    local to=$FARQUORUM_CERTS/hosts/$1
    mkdir -p "$to/ca"
    cp "$FARQUORUM_CERTS/$2.crt" "$FARQUORUM_CERTS/$2.key" "$to/"
    cp "$FARQUORUM_CERTS"/ca/*.crt "$FARQUORUM_CERTS"/ca/*.crl "$to/ca/"
}
store_keys() {
    local keys=$FARQUORUM_CERTS/store name
    if [ ! -e "$keys/credentials.toml" ]; then
        mkdir -p "$keys"
        (umask 077
            od -An -tx1 -N10 /dev/urandom | tr -d ' \n' >"$keys/access_key"
            od -An -tx1 -N20 /dev/urandom | tr -d ' \n' >"$keys/secret_key"
            printf 'access_key = "%s"\nsecret_key = "%s"\n' "$(cat "$keys/access_key")" "$(cat "$keys/secret_key")" >"$keys/credentials.toml")
    fi
    mkdir -p "$FARQUORUM_CERTS/hosts/minio"
    cp "$keys/access_key" "$keys/secret_key" "$FARQUORUM_CERTS/hosts/minio/"
    for name in operator "${workers[@]}"; do
        cp "$keys/credentials.toml" "$FARQUORUM_CERTS/hosts/$name/"
    done
}
# The operator's context file; its paths are those inside the container.
context() {
    local name id=0
    printf 'cluster = "%s"\n' "$(cluster)"
    for name in "${nodes[@]}"; do
        id=$((id + 1))
        printf '[[nodes]]\nid = %s\nname = "%s"\ncloud = "%s"\ngrpc = "%s:%s"\nhttp = "%s:%s"\n' "$id" "$name" \
            "$(cut -d- -f2 <<<"$name")" "$(address "$name")" "$(setting PORT_GRPC)" "$(address "$name")" "$(setting PORT_HTTP)"
    done
    printf '[tls]\nca = "ca/peer.crt"\ncert = "admin.crt"\nkey = "admin.key"\n'
    printf '[storage]\nurl = "s3://%s"\nendpoint = "http://%s:%s"\nregion = "us-east-1"\ncredentials = "credentials.toml"\n' \
        "$(setting BUCKET)" "$(setting ADDRESS_OBJECT_STORE)" "$(setting PORT_S3)"
}
# netem/.env, from farquorum.toml; one that was edited by hand is refused.
rendered() { "$binary" render compose >/dev/null; }
prepare() {
    [ -x "$binary" ] || { echo "compose: $binary is missing
  try: make build" >&2; exit 2; }
    rendered
    engine_up
    find_compose
    image
    [ "${MINIO_BUILD:-}" != 1 ] || minio_image
    certificates
}

# ---- commands ---------------------------------------------------------------------------------------------
operator() {
    local router
    router=$(setting ROUTER_AWS)
    timeout --foreground "${OPERATOR_SECONDS_MAX:-3600}" docker run --rm --network farquorum_net-aws --ip "${router%.*}.3" --read-only --tmpfs /tmp --user 65532:65532 \
        --cap-drop ALL --security-opt no-new-privileges --volume "$PWD/farquorum.toml:/etc/farquorum/farquorum.toml:ro" \
        --volume "$FARQUORUM_CERTS/hosts/operator:/run/farquorum:ro" \
        --volume "${FARQUORUM_INPUT:-$FARQUORUM_CERTS/hosts/operator}:/input:ro" \
        "$(setting FARQUORUM_IMAGE)" --context /run/farquorum/context.toml "$@"
}
up() {
    # "Done" lines of every container say less than the table that follows.
    "${compose[@]}" --progress quiet up --detach --wait --wait-timeout "${1:-90}" ||
        { "${compose[@]}" ps --all >&2; fail "not all containers were healthy within ${1:-90} s; logs: docker logs NAME"; }
}
down() { "${compose[@]}" --progress quiet down --remove-orphans "$@"; }

case ${1:-} in
up)
    prepare
    start=$(date +%s%N)
    up
    say "all nine healthy after $((($(date +%s%N) - start) / 1000000)) ms"
    operator status
    say "ci/compose.sh farquorum ARGUMENTS... runs a command in there; make compose-down stops it"
    # The engine that was started here is not the one that `docker` asks by itself.
    ! engine_pid >/dev/null || say "for docker's own commands: export DOCKER_HOST=$DOCKER_HOST"
    ;;
down)
    [ -e netem/.env ] || rendered
    engine_up
    find_compose
    shift
    down "$@"
    engine_down
    ;;
farquorum)
    [ -e netem/.env ] || rendered
    engine_up
    shift
    operator "$@"
    ;;
possible)
    engine_pid >/dev/null || trap engine_down EXIT
    engine_up
    # An engine starts without control groups too, and then takes no container with limits.
    tar -c --files-from /dev/null | docker import - farquorum-possible >/dev/null
    possible=yes
    docker create --name farquorum-possible --cpus 0.1 --memory 64m farquorum-possible /none >/dev/null || possible=
    docker rm farquorum-possible >/dev/null 2>&1 || true
    docker image rm farquorum-possible >/dev/null
    [ -n "$possible" ] || exit 1
    find_compose
    "$here/go-tools.sh" minio >/dev/null
    ;;
test)
    if [ "${FARQUORUM_NO_DOCKER:-}" = 1 ]; then
        say "LEFT OUT: FARQUORUM_NO_DOCKER=1"
        exit 0
    fi
    export MINIO_BUILD=1
    # shellcheck source=compose-test.sh
    . "$here/compose-test.sh"
    ;;
*)
    sed -n '2,8s/^# //p' "$0" >&2
    exit 2
    ;;
esac
