# To be sourced by ci/compose.sh, whose functions it uses: the cluster in containers on a real engine, from the image to
# the last leftover. Every wait has a bound; whatever happens, all that was started is taken down.
# shellcheck shell=bash disable=SC2154
healthy_max=90
work=$(mktemp -d)
export OPERATOR_SECONDS_MAX=180
export FARQUORUM_CERTS=$work/certs FARQUORUM_INPUT=$work/input
# How much later than configured an answer may be, ms. Sooner it must not be: a busy machine makes nothing sooner.
slower=(--slower-ms "${COMPOSE_SLOWER_MS:-3}")
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

# A node of each cloud asks a node and a worker of each other cloud, all at once: FROM HOST ANSWERS in a line, of 5.
crossings() {
    local from asking=() asked=() pid
    for from in "${nodes[@]}"; do
        mapfile -t asked < <(printf '%s\n' "${nodes[@]}" worker-{aws,gcp,azure}-1 | grep -v -- "-$(cloud_of "$from")-")
        inside "$from" ping --count 5 --timeout 0.5 --format json "${asked[@]}" >"$work/crossed-$from" &
        asking+=($!)
    done
    # Its exit code says whether all is as configured, which is not what is asked here.
    for pid in "${asking[@]}"; do wait "$pid" || true; done
    for from in "${nodes[@]}"; do
        jq -r '.from as $from | .hosts[] | "\($from) \(.host) \(.received)"' "$work/crossed-$from" || true
    done
}
# crossed ANSWERS WHEN: on each of the twelve ways so many answers of 5 came. A late one is none.
crossed() {
    crossings >"$work/crossings"
    [ "$(wc -l <"$work/crossings")" = 12 ] && ! grep -qvE " $1\$" "$work/crossings" && return
    cat "$work/crossings" >&2
    fail "$2, not $1 of 5 answers came on each of twelve ways between clouds"
}
cloud_of() { cut -d- -f2 <<<"$1"; }
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
    local expected name kind networks limits
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
        case $name in cp-*) kind=NODE ;; worker-*) kind=WORKER ;; *) kind=${name^^} ;; esac
        limits=$(docker inspect --format '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}' "$(id_of "$name")")
        [ "$limits" = "$(awk -v cpus="$(setting "${kind}_CPUS")" 'BEGIN { printf "%.0f", cpus * 1e9 }') $(numfmt --from=iec "$(setting "${kind}_MEMORY" | tr kmg KMG)")" ] ||
            fail "$name has other limits of processors and memory than ${kind}_CPUS and ${kind}_MEMORY: $limits"
    done
    [ "$(docker image inspect --format '{{.Config.User}}' "$(setting FARQUORUM_IMAGE)")" = 65532:65532 ] || fail "who runs the image alone is root"
    say "nine services, limited as configured; one network each but the gateway's three; no capability but NET_ADMIN of the gateway"
}

# What the engine saw during the start: who depends on another was started when the other was healthy.
test_order() {
    awk -v nodes="${nodes[*]}" -v workers="${workers[*]}" '
        function needs(name, other) { 
            if (!(other in healthy)) { print name " was started before " other " was healthy"; failed = 1 }
        }
        BEGIN { count = split(nodes, node, " "); split(workers, list, " "); for (i in list) worker[list[i]] }
        $2 ~ /^health_status/ && $3 == "healthy" { healthy[$NF]; next }
        $2 != "start" { next }
        { started++ }
        $3 != "gateway" { needs($3, "gateway") }
        $3 in worker { needs($3, "minio"); for (i in node) needs($3, node[i]) }
        END { if (started != 9) { print started + 0 " containers were started, not 9"; failed = 1 }; exit failed }
    ' "$work/start" || { cat "$work/start" >&2; fail "the order of the start"; }
    say "started in their order: the gateway, nodes and object store, workers"
}

# Where nothing answers every health check must fail, and say why. One container without a network stands in for all.
test_health_checks() {
    local name
    for name in $(services); do
        docker inspect --format '{{json .Config.Healthcheck.Test}}' "$(id_of "$name")"
    done | sort -u | jq -r '.[1:] | @sh' >"$work/checks"
    [ -s "$work/checks" ] || fail "no health checks"
    # shellcheck disable=SC2016 # for the shell inside
    timeout --foreground 60 docker run --rm --hostname cp-aws-1 --network none --read-only --tmpfs /tmp --user 65532:65532 --cap-drop ALL \
        --security-opt no-new-privileges "${programs[@]}" --volume "$PWD/farquorum.toml:/etc/farquorum/farquorum.toml:ro" --volume "$work/checks:/checks:ro" \
        --entrypoint /usr/bin/bash "$(setting FARQUORUM_IMAGE)" -c '
            while read -r check; do
                if eval "$check" 2>/tmp/said; then echo "passes where nothing answers: $check"; exit 1; fi
                grep -q "not healthy" /tmp/said || { cat /tmp/said; exit 1; }
            done </checks' >"$work/last" 2>&1 || { cat "$work/last" >&2; fail "a health check"; }
    say "$(wc -l <"$work/checks") kinds of health checks, and each fails where nothing answers"
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
            inside "$name" ping --count 20 "${slower[@]}" >"$work/ping" && break
            [ "$try" -lt 4 ] || { cat "$work/ping" >&2; fail "round trips from $name are not as configured"; }
        done
        say "round trips from $name"
        sed 's/^/    /' "$work/ping"
    done
}

# Every round trip between nodes is as configured, from all three at once.
all_as_configured() {
    local from asking=() pid code=0
    for from in "${nodes[@]}"; do
        inside "$from" ping --count 10 "${slower[@]}" "${nodes[@]}" >"$work/ping-$from" &
        asking+=($!)
    done
    for pid in "${asking[@]}"; do wait "$pid" || code=1; done
    [ "$code" = 0 ] || { cat "$work"/ping-*; return 1; }
}
# Goes on asking from a node: START END FROM HOST CONFIGURED MEASURED in a line, s and ms; MEASURED is none without an answer.
watch_crossings() {
    local from=$1 others=()
    mapfile -t others < <(printf '%s\n' "${nodes[@]}" | grep -vx "$from")
    # shellcheck disable=SC2016 # for the shell inside
    timeout --foreground 90 docker run --rm --network "container:$(id_of "$from")" --read-only --user 65532:65532 --cap-drop ALL \
        --security-opt no-new-privileges "${programs[@]}" --volume "$PWD/farquorum.toml:/etc/farquorum/farquorum.toml:ro" \
        --volume "$work/watch:/watch:ro" --entrypoint /usr/bin/bash "$(setting FARQUORUM_IMAGE)" -c '
            while [ ! -e /watch/stop ] && [ "$SECONDS" -lt 80 ]; do
                for host in "${@:2}"; do
                    start=$EPOCHREALTIME
                    answer=$(/farquorum ping --from "$1" --count 1 --timeout 0.3 --format json "$host")
                    end=$EPOCHREALTIME
                    [[ $answer =~ \"configured_ms\":\ ([0-9.]+) ]] || exit 1
                    configured=${BASH_REMATCH[1]}
                    [[ $answer =~ \"measured_ms\":\ ([0-9.]+) ]] && measured=${BASH_REMATCH[1]} || measured=none
                    echo "$start $end $1 $host $configured $measured"
                done
            done' watch "$from" "${others[@]}" >"$work/watched-$from"
}
watching() { local from; for from in "${nodes[@]}"; do grep -q '[0-9]$' "$work/watched-$from" || return 1; done; }
# watched KILLED BACK: no answer came sooner than configured, and none at all while there was no gateway.
watched() {
    cat "$work"/watched-* | awk -v killed="$1" -v back="$2" -v wanted="${#nodes[@]}" '
        function bad(text) { print text ": " $0; failed = 1 }
        $6 == "none" { lost++; next }
        $6 < $5 - 0.3 { bad("sooner than configured") }
        $1 > killed && $2 < back { bad("answered without a gateway") }
        $1 < killed && !($3 in before) { before[$3]; count++ }
        $1 > back && !($3 in after) { after[$3]; count++ }
        END {
            if (count != 2 * wanted) { print "not every node was answered before and after"; failed = 1 }
            print lost + 0
            exit failed
        }'
}

# Whatever ends the gateway, nothing passes between any two clouds until it shapes again.
test_nothing_bypasses() {
    local gateway pid name killed back lost watchers=()
    gateway=$(id_of gateway)
    crossed "[1-5]" "with the gateway running"
    "${compose[@]}" --progress quiet stop gateway
    crossed 0 "with the gateway stopped"
    for name in aws gcp azure; do
        inside "cp-$name-1" ping --count 3 "${slower[@]}" "worker-$name-1" >/dev/null || fail "inside a cloud nothing needs the gateway, and worker-$name-1 does not answer"
    done
    # By what the engine asks, and not by its own pace: without a majority no node is ready.
    for name in "${nodes[@]}"; do
        within 15 "$name not ready without the others" not_ready "$name"
    done
    "${compose[@]}" --progress quiet start gateway
    within 30 "the gateway healthy again" healthy gateway
    within 20 "round trips after the gateway came back" all_as_configured
    say "gateway stopped: no answer between any two clouds, no node is ready; started: as configured again"

    # An engine starts nothing again that it was asked to kill.
    docker kill --signal KILL "$gateway" >/dev/null
    crossed 0 "with the gateway killed"
    docker start "$gateway" >/dev/null
    within 30 "round trips after the gateway was killed and started" all_as_configured
    say "gateway killed: no answer between any two clouds; started: as configured again"

    pid=$(docker inspect --format '{{.State.Pid}}' "$gateway")
    if [ "$(id -u)" -eq 0 ] && [ -e "/proc/$pid" ]; then
        own_link_addresses "$gateway" "$pid"
        mkdir -p "$work/watch"
        for name in "${nodes[@]}"; do watch_crossings "$name" & watchers+=($!); done
        within 30 "answers to those who watch" watching
        kill -KILL "$pid"
        killed=$EPOCHREALTIME
        within 60 "the gateway back by itself after kill -9" restarted "$gateway"
        within 60 "the gateway healthy after kill -9" healthy gateway
        within 20 "round trips after the gateway came back by itself" all_as_configured
        touch "$work/watch/stop"
        for name in "${watchers[@]}"; do wait "$name" || fail "one who watches the gateway killed"; done
        back=$(date --date "$(docker inspect --format '{{.State.StartedAt}}' "$gateway")" +%s.%N)
        lost=$(watched "$killed" "$back") || { echo "$lost" >&2; fail "something passed the gateway that was killed"; }
        say "shaper killed: it came back by itself; $lost of $(cat "$work"/watched-* | wc -l) had no answer, none came too soon"
    fi

    # The test of the test: a node on a second network is what must not be.
    docker network connect farquorum_net-gcp "$(id_of cp-aws-1)"
    if inside cp-aws-1 ping --count 5 "${slower[@]}" cp-gcp-1 >"$work/ping"; then fail "a node on two networks was not noticed"; fi
    docker network disconnect farquorum_net-gcp "$(id_of cp-aws-1)"
    sed 's/^/    /' "$work/ping"
    within 20 "round trips with one network again" inside cp-aws-1 ping --count 10 "${slower[@]}" cp-gcp-1
    say "a node on a second network is noticed"
}
# A gateway that hosts found by the link address which the engine gave it would be found before it shapes.
own_link_addresses() {
    local given
    for given in $(docker inspect --format '{{range .NetworkSettings.Networks}}{{.MacAddress}} {{end}}' "$1"); do
        if nsenter --target "$2" --net ip -oneline link | grep -iF "$given"; then fail "the gateway has the link address that the engine gave it"; fi
    done
}
not_ready() {
    local check=() said
    mapfile -t check < <(docker inspect --format '{{range .Config.Healthcheck.Test}}{{println .}}{{end}}' "$(id_of "$1")" | sed '1d;/^$/d')
    if said=$(docker exec "$(id_of "$1")" "${check[@]}" 2>&1); then echo "$said"; return 1; fi
    grep 'not ready\|not healthy' <<<"$said"
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
timeout 300 docker events --filter type=container --filter event=start --filter event=health_status \
    --format '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes "com.docker.compose.service"}}' >"$work/start" &
events=$!
start=$(date +%s%N)
up "$healthy_max"
say "all nine healthy after $((($(date +%s%N) - start) / 1000000)) ms (asked: $healthy_max s)"
kill "$events"
wait "$events" || true
test_shape
test_order
test_health_checks
test_secrets
test_round_trips
test_nothing_bypasses
test_leader
test_job
test_rollout
test_restart
test_settings
test_down
test_relays
say "passed in $((SECONDS - started)) s: engine $(docker version --format '{{.Server.Version}}'), compose $("${compose[@]}" version --short)"
