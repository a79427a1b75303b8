# To be sourced by ci/compose.sh, whose functions it uses: the cluster in containers on a real engine, from the image to
# the last leftover. Every wait has a bound; whatever happens, all that was started is taken down.
# shellcheck shell=bash disable=SC2154
healthy_max=90
work=$(mktemp -d)
export OPERATOR_SECONDS_MAX=180
export FARQUORUM_CERTS=$work/certs FARQUORUM_INPUT=$work/input
engine_before=
if engine_pid >/dev/null; then engine_before=yes; fi

finish() {
    local code=$?
    trap - EXIT INT TERM
    if [ "$code" -ne 0 ] && [ "${#compose[@]}" -gt 0 ]; then
        "${compose[@]}" ps --all || true
        "${compose[@]}" logs --no-color --tail 15 || true
    fi
    if [ "${#compose[@]}" -gt 0 ]; then down --volumes >/dev/null 2>&1 || true; fi
    [ -n "$engine_before" ] || engine_down || code=1
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT INT TERM

id_of() { "${compose[@]}" ps --all --quiet "$1"; }
inside() { local host=$1; shift; docker exec "$(id_of "$host")" /farquorum "$@"; }
# within SECONDS WHAT COMMAND...: until the command succeeds
within() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >"$work/last" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { tail -20 "$work/last" >&2; fail "not within $seconds s: $what"; }
        sleep 0.5
    done
}
healthy() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$(id_of "$1")")" = healthy ]; }
all_healthy() { local name; for name in $(services); do healthy "$name" || { echo "$name is not healthy"; return 1; }; done; }
services() { "${compose[@]}" config --services; }

# How many answers of other clouds come to cp-aws-1, of 20.
crossed() {
    inside cp-aws-1 ping --count 5 --timeout 0.5 --format json cp-gcp-1 cp-azure-1 worker-gcp-1 worker-azure-1 >"$work/crossed" || true
    grep -c '"received"' "$work/crossed" | grep -qx 4 || { echo "no answer from ping"; return; }
    sed -n 's/.*"received": \([0-9]*\).*/\1/p' "$work/crossed" | awk '{ sum += $1 } END { print sum }'
}
nothing_crosses() { [ "$(crossed)" = 0 ]; }
leader() { operator status --format json | sed -n 's/.*"leader": "\(.*\)".*/\1/p' | head -1; }

# This machine's programs, as a container may see them: the image has none.
programs=()
for folder in /usr /bin /lib /lib64; do [ ! -e "$folder" ] || programs+=(--volume "$folder:$folder:ro"); done

# The lab where no namespaces can be made: as nobody, without capabilities and network, under the default seccomp profile.
test_relays() {
    docker info --format '{{.SecurityOptions}}' | grep -q 'name=seccomp,profile=\(default\|builtin\)' ||
        { say "LEFT OUT: the lab in a container: this engine has no default seccomp profile"; return; }
    # shellcheck disable=SC2016 # for the shell inside
    timeout --foreground 180 docker run --rm --user 65532:65532 --read-only --cap-drop ALL --security-opt no-new-privileges \
        --network none --tmpfs /tmp:size=4g,mode=1777 --env FARQUORUM_STATE_DIR=/tmp/farquorum --env FARQUORUM_CONFIG=/farquorum.toml \
        "${programs[@]}" --volume "$PWD/farquorum.toml:/farquorum.toml:ro" --entrypoint /usr/bin/bash \
        "$(setting FARQUORUM_IMAGE)" -c 'set -euo pipefail
            /farquorum sim up
            /farquorum kv set a written && [ "$(/farquorum kv get a)" = written ]
            /farquorum sim check
            /farquorum job run wordcount --input /farquorum.toml
            /farquorum sim down' >"$work/relays" 2>&1 || { cat "$work/relays" >&2; fail "the lab in a container"; }
    grep -q 'WAN by relay' "$work/relays" || { cat "$work/relays" >&2; fail "the lab in a container did not take relays"; }
    say "the lab in a container, as nobody, default seccomp profile, no network: relays; all pairs as configured; a word count"
}

test_shape() { # what the file promises, as the engine sees it
    local expected name networks first started_at
    expected=$(printf '%s\n' gateway minio "${nodes[@]}" "${workers[@]}" | sort)
    [ "$(services | sort)" = "$expected" ] || fail "the services are not the nine: $(services | paste -sd' ')"
    for name in $expected; do
        networks=$(docker inspect --format '{{len .NetworkSettings.Networks}}' "$(id_of "$name")")
        [ "$networks" = "$([ "$name" = gateway ] && echo 3 || echo 1)" ] || fail "$name is on $networks networks"
        docker inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' "$(id_of "$name")" |
            grep -q 'true \[ALL\] \[no-new-privileges:true\]' || fail "$name is not locked down"
        case $(docker inspect --format '{{.Config.User}} {{.HostConfig.CapAdd}}' "$(id_of "$name")") in
        '0:0 [NET_ADMIN]' | '0:0 [CAP_NET_ADMIN]') [ "$name" = gateway ] || fail "$name is root" ;;
        '65532:65532 []') ;;
        *) fail "$name has another user or more capabilities: $(docker inspect --format '{{.Config.User}} {{.HostConfig.CapAdd}}' "$(id_of "$name")")" ;;
        esac
        [ "$(docker inspect --format '{{if and .HostConfig.NanoCpus .HostConfig.Memory}}limited{{end}}' "$(id_of "$name")")" = limited ] ||
            fail "$name has no limit of processors or memory"
    done
    # RFC 3339 with the same zone and nine digits: text has the order of time.
    first=$(docker inspect --format '{{.State.StartedAt}}' "$(id_of gateway)")
    for name in "${nodes[@]}" "${workers[@]}"; do
        started_at=$(docker inspect --format '{{.State.StartedAt}}' "$(id_of "$name")")
        [[ $first < $started_at ]] || fail "$name was started before the gateway was healthy"
    done
    say "nine services, limited, the gateway first; one network each but the gateway's three; no capability but NET_ADMIN of the gateway"
}

# Nothing secret is in the image, in what compose reads, or in what the engine shows of a container (mounts aside).
test_secrets() {
    local id file
    find "$FARQUORUM_CERTS" -name '*.key' -exec sed -n 2p {} \; >"$work/secrets"
    for file in access_key secret_key; do printf '%s\n' "$(cat "$FARQUORUM_CERTS/store/$file")" >>"$work/secrets"; done
    # Two authorities, each node and worker, an operator, the store's two.
    [ "$(awk 'length > 15' "$work/secrets" | sort -u | wc -l)" -ge $((${#nodes[@]} + ${#workers[@]} + 5)) ] || fail "fewer secrets than there are hosts"
    [ "$(awk 'length <= 15' "$work/secrets" | wc -l)" = 0 ] || fail "a secret is too short to look for"
    id=$(docker create "$(setting FARQUORUM_IMAGE)")
    docker export "$id" >"$work/exported"
    docker rm "$id" >/dev/null
    docker image inspect "$(setting FARQUORUM_IMAGE)" >"$work/shown"
    for id in $("${compose[@]}" ps --all --quiet); do docker inspect "$id" >>"$work/shown"; done
    "${compose[@]}" config >>"$work/shown"
    # The test of the test: one that is there is found.
    { cat "$work/exported"; head -1 "$work/secrets"; } | grep -aqFf "$work/secrets" || fail "a planted secret was not noticed"
    for file in "$work/exported" "$work/shown" netem/.env netem/compose.yaml; do
        if grep -aqFf "$work/secrets" "$file"; then fail "a private key or the store's secret stands in $(basename "$file")"; fi
    done
    rm "$work/exported"
    say "none of $(sort -u "$work/secrets" | wc -l) secrets is in the image, the compose file, its environment or what the engine shows"
}

test_round_trips() { # from every node; the worst of a busy machine is tried again
    local name try
    for name in "${nodes[@]}"; do
        for try in 1 2 3 4; do
            inside "$name" ping --count 20 >"$work/ping" && break
            [ "$try" -lt 4 ] || { cat "$work/ping" >&2; fail "round trips from $name are not as configured"; }
        done
        say "round trips from $name"
        sed 's/^/    /' "$work/ping"
    done
}

test_nothing_bypasses() {
    local gateway pid
    [ "$(crossed)" = 20 ] || fail "with the gateway running, $(crossed) of 20 answers came from other clouds"
    "${compose[@]}" --progress quiet stop gateway
    nothing_crosses || fail "with the gateway stopped, not 0 of 20 answers came from other clouds"
    inside cp-aws-1 ping --count 3 worker-aws-1 >/dev/null || fail "inside a cloud nothing needs the gateway, and worker-aws-1 does not answer"
    "${compose[@]}" --progress quiet start gateway
    within 30 "the gateway healthy again" healthy gateway
    within 20 "round trips after the gateway came back" inside cp-aws-1 ping --count 10 cp-gcp-1 cp-azure-1
    say "gateway stopped: 0 of 20 answers from other clouds; started: as configured again"

    gateway=$(id_of gateway)
    pid=$(docker inspect --format '{{.State.Pid}}' "$gateway")
    if [ "$(id -u)" -eq 0 ] && [ -e "/proc/$pid" ]; then
        kill -KILL "$pid"
        within 60 "the gateway back by itself after kill -9" restarted "$gateway"
        within 60 "the gateway healthy after kill -9" healthy gateway
        within 20 "round trips after the gateway came back by itself" inside cp-aws-1 ping --count 10 cp-gcp-1 cp-azure-1
        say "shaper killed: it came back by itself"
    fi

    # The test of the test: a node on a second network is what must not be.
    docker network connect farquorum_net-gcp "$(id_of cp-aws-1)"
    if inside cp-aws-1 ping --count 5 cp-gcp-1 >"$work/ping"; then fail "a node on two networks was not noticed"; fi
    docker network disconnect farquorum_net-gcp "$(id_of cp-aws-1)"
    sed 's/^/    /' "$work/ping"
    within 20 "round trips with one network again" inside cp-aws-1 ping --count 10 cp-gcp-1
    say "a node on a second network is noticed"
}
restarted() { [ "$(docker inspect --format '{{.RestartCount}}' "$1")" -gt 0 ]; }

another_leads() { local now; now=$(leader); [ -n "$now" ] && [ "$now" != "$1" ]; }
test_leader() {
    local old start
    operator kv set before leader-killed >/dev/null
    old=$(leader || true)
    [ -n "$old" ] || fail "nobody leads"
    start=$(date +%s%N)
    "${compose[@]}" --progress quiet kill "$old"
    within 30 "another leader" another_leads "$old"
    say "killed $old, which led; $(leader) leads after $((($(date +%s%N) - start) / 1000000)) ms (with the time to ask)"
    operator kv set after leader-killed >/dev/null
    "${compose[@]}" --progress quiet start "$old"
    within 60 "$old healthy again" healthy "$old"
}

test_job() {
    local url
    mkdir -p "$FARQUORUM_INPUT"
    cp README.md ARCHITECTURE.md CONTRIBUTING.md LICENSE "$FARQUORUM_INPUT"
    chmod -R a+rX "$work/input"
    operator worker list --format json >"$work/workers"
    if grep -q '"command"' "$work/workers"; then fail "a worker advertises commands where there is no program to run"; fi
    grep -q '"wordcount-map"' "$work/workers" || fail "no worker advertises wordcount-map"
    operator job run wordcount --input /input --reducers 3 --format json >"$work/job" || { cat "$work/job" >&2; fail "the word count"; }
    grep -o 's3://[^"]*/part-[0-9]*' "$work/job" | sort -u >"$work/parts"
    while read -r url; do operator storage get "$url" </dev/null; done <"$work/parts" | LC_ALL=C sort >"$work/counted"
    "$binary" job reference --input "$FARQUORUM_INPUT" | LC_ALL=C sort >"$work/expected"
    [ -s "$work/expected" ] || fail "the reference is empty"
    cmp "$work/expected" "$work/counted" || fail "the word count differs from that of one process"
    say "word count: $(wc -l <"$work/counted") words, the same as by one process; no worker advertises commands"
}

# What the engine saw: each node's container ended and was started once, one after the other; and the rollout looked at each
# before it took the next: a node must be well for two seconds.
one_after_the_other() {
    awk -v nodes="${nodes[*]}" '
        function bad(text) { print text; failed = 1; exit 1 }
        BEGIN { count = split(nodes, list, " "); for (i in list) wanted[list[i]] = 1 }
        !($3 in wanted) { next }
        $2 == "die" && away { bad($3 " ended while " away " was away") }
        $2 == "die" && last && $1 - last < 2e9 { bad($3 " ended " int(($1 - last) / 1e6) " ms after the start of " before) }
        $2 == "die" { away = $3; next }
        $3 != away || seen[$3]++ { bad($3 " was started and had not ended, or for the second time") }
        { away = ""; before = $3; last = $1; started++ }
        END { if (!failed && started != count) { print started + 0 " of " count " nodes were started anew"; exit 1 } }
    ' "$work/events" || { cat "$work/events" >&2; return 1; }
}

# Each node's container is started anew, one after the other, while a client writes. `farquorum rollout` needs the cluster
# and the engine: it runs in the operator's place, with this machine's programs and the engine's socket.
test_rollout() {
    local engine=${DOCKER_HOST:-unix:///var/run/docker.sock} router writes failed pause events code=0
    case $engine in unix://*) ;; *) fail "the engine is at $engine; this test needs its socket" ;; esac
    router=$(setting ROUTER_AWS)
    mkdir -p "$work/rollout"
    cat >"$work/rollout/run" <<'SCRIPT'
export DOCKER_HOST=unix:///run/engine.sock PATH=/usr/bin:/bin
farquorum() { /farquorum --context /run/farquorum/context.toml --config /etc/farquorum/farquorum.toml "$@"; }
write() {
    local number failed=0 now last pause=0
    last=$(date +%s%3N)
    for ((number = 1; number <= 2000; number++)); do
        [ ! -e /tmp/stop ] || break
        if farquorum --timeout 10 kv set "rollout-$number" "$number" >/dev/null 2>>/tmp/failures; then
            now=$(date +%s%3N)
            [ $((now - last)) -le "$pause" ] || pause=$((now - last))
            last=$now
        else
            failed=$((failed + 1))
        fi
    done
    echo "$((number - 1)) $failed $pause" >/tmp/written
}
write &
farquorum rollout apply --wait 60 --update 'docker restart --time 15 farquorum-{name}-1' \
    --rollback 'docker restart --time 15 farquorum-{name}-1'
code=$?
touch /tmp/stop
wait
[ ! -s /tmp/failures ] || head -5 /tmp/failures >&2
cp /tmp/written /result/written
exit "$code"
SCRIPT
    mkdir "$work/rollout/result"
    # As they happen: of what is past the engine keeps 256 events, and every look at a container's health is three.
    timeout 330 docker events --filter type=container --filter event=die --filter event=start \
        --format '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes "com.docker.compose.service"}}' >"$work/events" &
    events=$!
    timeout --foreground 300 docker run --rm --network farquorum_net-aws --ip "${router%.*}.3" --read-only --tmpfs /tmp --user 0:0 \
        --cap-drop ALL --security-opt no-new-privileges "${programs[@]}" --volume "${engine#unix://}:/run/engine.sock" \
        --volume "$work/rollout/run:/run/rollout:ro" --volume "$work/rollout/result:/result" \
        --volume "$PWD/farquorum.toml:/etc/farquorum/farquorum.toml:ro" --volume "$FARQUORUM_CERTS/hosts/operator:/run/farquorum:ro" \
        --entrypoint /usr/bin/bash "$(setting FARQUORUM_IMAGE)" /run/rollout || code=$?
    kill "$events"
    wait "$events" || true
    [ "$code" = 0 ] || fail "the rollout"
    one_after_the_other || fail "the nodes were not restarted one after the other, each once"
    read -r writes failed pause <"$work/rollout/result/written"
    [ "$writes" -gt 20 ] || fail "only $writes writes during the rollout"
    [ "$failed" = 0 ] || fail "$failed of $writes writes failed during the rollout"
    has_value rollout-1 1 || fail "the first value of the rollout's writer is lost"
    has_value "rollout-$writes" "$writes" || fail "the last value of the rollout's writer is lost"
    # A process for each write, and a call that waits ten seconds at most.
    [ "$pause" -le 10000 ] || fail "no write was acknowledged for $pause ms during the rollout; 10,000 are allowed"
    say "rollout of three nodes: $writes writes, none failed, longest time between two that were acknowledged $pause ms (each is a process of its own)"
}

test_restart() {
    "${compose[@]}" --progress quiet restart
    within 90 "all healthy after a restart" all_healthy
    within 20 "the value of before the restart" has_value after leader-killed
    has_value before leader-killed || fail "a value of before the leader was killed is lost"
    operator storage get "$(head -1 "$work/parts")" >/dev/null || fail "an object is lost"
    say "compose restart: values and objects are there"
}

# Other settings make every container anew: what is in volumes is there, and the settings hold.
test_settings() {
    local old new name
    old=$(docker ps --no-trunc --quiet --filter label=com.docker.compose.project=farquorum | sort)
    export CROSS_CLOUD_LATENCY_MS=120 RAFT_HEARTBEAT_MS=90
    up "$healthy_max"
    unset CROSS_CLOUD_LATENCY_MS RAFT_HEARTBEAT_MS
    new=$(docker ps --no-trunc --quiet --filter label=com.docker.compose.project=farquorum | sort)
    [ "$(comm -12 <(echo "$old") <(echo "$new") | wc -l)" -le 1 ] || fail "with other settings containers were kept"
    within 20 "a value of before the containers" has_value before leader-killed
    operator storage get "$(head -1 "$work/parts")" >/dev/null || fail "an object is lost with its container"
    # No busy machine makes it shorter.
    inside cp-aws-1 -o json ping --count 20 cp-gcp-1 >"$work/ping" || true
    jq -e '[.hosts[] | .measured_ms] | length == 1 and (.[0] >= 119.5)' "$work/ping" >/dev/null || { cat "$work/ping" >&2; fail "CROSS_CLOUD_LATENCY_MS does not hold"; }
    inside cp-aws-1 -o json config show | jq -e '.raft.heartbeat.nanos == 90000000' >/dev/null || fail "RAFT_HEARTBEAT_MS does not hold"
    for name in "${nodes[@]}"; do
        inside "$name" doctor --name "$name" --certs /run/farquorum >"$work/doctor" || { cat "$work/doctor" >&2; fail "doctor in $name"; }
    done
    say "compose up with other settings: containers made anew, values and objects there, 120 ms and 90 ms hold; doctor finds no fault"
}
has_value() { operator kv get "$1" | grep -q "$2"; }

test_down() {
    down
    local left
    left=$(docker ps --all --quiet --filter label=com.docker.compose.project=farquorum)$(docker network ls --quiet --filter label=com.docker.compose.project=farquorum)
    [ -z "$left" ] || fail "left behind: $left"
    [ "$(docker volume ls --quiet --filter label=com.docker.compose.project=farquorum | wc -l)" = 4 ] || fail "down took the volumes, or some are missing"
    down --volumes
    [ -z "$(docker volume ls --quiet --filter label=com.docker.compose.project=farquorum)" ] || fail "down --volumes left a volume"
    if pgrep -f '^/farquorum (node|worker|gateway)' >/dev/null; then fail "processes are left: $(pgrep -af '^/farquorum' | head -3)"; fi
    say "down: no container, no network, no process; the volumes went only when asked"
}

started=$SECONDS
prepare
size=$(docker image inspect --format '{{.Size}}' "$(setting FARQUORUM_IMAGE)")
say "image: $((size / 1000)) kB"
[ "$size" -lt 50000000 ] || fail "the image has $size bytes; 50,000,000 are allowed"
if [ -n "$(docker ps --all --quiet --filter label=com.docker.compose.project=farquorum)" ]; then
    compose=()
    fail "the containers are there already; try: make compose-down"
fi
test_relays
start=$(date +%s%N)
up "$healthy_max"
say "all nine healthy after $((($(date +%s%N) - start) / 1000000)) ms (asked: $healthy_max s)"
test_shape
test_secrets
test_round_trips
test_nothing_bypasses
test_leader
test_job
test_rollout
test_restart
test_settings
test_down
say "passed in $((SECONDS - started)) s: engine $(docker version --format '{{.Server.Version}}'), compose $("${compose[@]}" version --short)"
