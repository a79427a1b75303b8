# To be sourced by check.sh: the three nodes, from their start at boot. Their data disk is not there yet.
# shellcheck shell=bash disable=SC2317 # functions that `within` calls
nodes=(1 2 3)

unit() { echo "farquorum-cp$1.service"; }
property() { property_of "$(unit "$1")" "$2"; }
active() { [ "$(property "$1" ActiveState)" = active ]; }
serves() { active "$1" && readyz "127.1.0.$1"; }
leader() { farquorum --format json status | sed -n 's/.*"leader": *"cp\([0-9]\)".*/\1/p' | head -n 1; }
led() { [ -n "$(leader)" ]; }
led_by_another() { local now; now=$(leader) && [ -n "$now" ] && [ "$now" != "$1" ]; }

data=/var/lib/private/farquorum
given_up() { [ "$(property_of var-lib-private-farquorum.mount ActiveState)" = inactive ] && [ -z "$(systemctl list-jobs --no-legend 'farquorum-cp*')" ]; }
began=$SECONDS
until given_up; do
    [ $((SECONDS - began)) -lt 120 ] || fail "after 120 s systemd still waits for the data disk"
    sleep 2
done
for n in "${nodes[@]}"; do
    [ "$(property "$n" ActiveState)" = inactive ] || fail "cp$n runs without its data disk"
done
tried=$(property_of farquorum-format-disk.service NRestarts)
[ "$tried" -gt 5 ] || fail "a blank disk was looked for only $tried times"
saw "no data disk: systemd gave up waiting, no node runs" "looked for $((tried + 1)) times"
# Without a sleep: this machine's clock jumps over those, and the one that plugs the disk in has another clock.
echo "systemd-vm: plug the data disk in"
began=$SECONDS
until [ -b /dev/disk/by-id/virtio-vol1 ]; do
    [ $((SECONDS - began)) -lt 120 ] || fail "no disk was plugged in within 120 s"
done
within mountpoint -q "$data" || fail "the data disk was not mounted"
[ "$(findmnt -no LABEL,FSTYPE "$data" | tr -s ' ')" = "farquorum-data ext4" ] || fail "another disk is mounted: $(findmnt -n "$data")"
saw "the data disk plugged in" "given a file system, mounted"

for n in "${nodes[@]}"; do
    within serves "$n" || fail "cp$n is not active, or /readyz is not 200"
    [ "$(property "$n" Type)" = notify ] || fail "cp$n: not Type=notify"
    [ "$(property "$n" StatusText)" = serving ] || fail "cp$n: did not say that it serves"
done
saw "three nodes: active by Type=notify, /readyz" "200"
within farquorum kv set before killed || fail "kv set"

# The worker, from its start at boot: it serves before any node does, and registers when one leads. Nothing answers at the
# address of its object store.
worker=farquorum-worker.service
registrations() { journalctl --no-pager --unit "$worker" --output=cat | grep -c '"Worker ready"'; }
works() { [ "$(registrations)" -eq "$1" ] && farquorum worker list | grep -q '^worker-aws-1 .* healthy '; }
within works 1 || fail "the worker is not registered"
said="$(property_of "$worker" ActiveState) $(property_of "$worker" Type) $(property_of "$worker" StatusText)"
[ "$said" = "active notify serving" ] || fail "the worker is $said"
[ "$(property_of "$worker" NRestarts)" -eq 0 ] || fail "the worker was restarted"
saw "a worker: active by Type=notify, worker list" "healthy"
systemctl kill --signal=KILL "$worker" || fail "systemctl kill"
within works 2 || fail "the worker did not come back"
[ "$(property_of "$worker" NRestarts)" -eq 1 ] || fail "the worker was restarted $(property_of "$worker" NRestarts) times"
saw "systemctl kill -s KILL of the worker" "restarted, registered"
judged 12 "$worker"

within led || fail "no leader"
victim=$(leader)
systemctl kill --signal=KILL "$(unit "$victim")" || fail "systemctl kill"
within led_by_another "$victim" || fail "no other leader after cp$victim was killed"
within serves "$victim" || fail "cp$victim did not come back"
[ "$(property "$victim" NRestarts)" -ge 1 ] || fail "cp$victim was not restarted"
[ "$(farquorum kv get before)" = killed ] || fail "what was written is gone"
saw "systemctl kill -s KILL of the leader, cp$victim" "led by cp$(leader); restarted, serves"

within led || fail "no leader"
last=$(leader)
systemctl stop "$(unit "$last")" || fail "systemctl stop"
[ "$(property "$last" Result)" = success ] || fail "cp$last did not stop cleanly"
journalctl --unit "$(unit "$last")" | grep -q "leadership handed over" || fail "cp$last did not hand over"
within led_by_another "$last" || fail "no other leader after cp$last stopped"
within farquorum kv set after stopped || fail "kv set after the stop"
saw "systemctl stop of the leader, cp$last" "handed over to cp$(leader); a write"
systemctl start "$(unit "$last")" || fail "systemctl start"
within serves "$last" || fail "cp$last did not come back"

# A process that hangs: systemd hears nothing for WatchdogSec, ends it and starts it again.
watched=$(property 1 WatchdogUSec)
[ "$watched" != 0 ] || fail "no watchdog"
restarts=$(property 1 NRestarts)
systemctl kill --kill-whom=main --signal=STOP "$(unit 1)" || fail "systemctl kill -s STOP"
restarted_more_than() { [ "$(property 1 NRestarts)" -gt "$1" ]; }
within restarted_more_than "$restarts" || fail "systemd did not restart a node that hangs"
journalctl --unit "$(unit 1)" | grep -q "Watchdog timeout" || fail "it was restarted, and not by the watchdog"
within serves 1 || fail "cp1 did not come back after the watchdog"
saw "cp1 stopped where it is (SIGSTOP)" "watchdog after $watched; serves again"

judged 12 farquorum-cp{1,2,3}.service
# Nobody else can read a key.
link=$(find /run/farquorum-cp1/ -name 'cp1.key' -printf '%l') || fail "no link to the key"
[ "$(stat -c %a "$link")" = 400 ] || fail "the key handed over has mode $(stat -c %a "$link")"
saw "the key that systemd handed over" "mode 400"
systemctl stop "$worker" 'farquorum-cp*' || fail "systemctl stop of all nodes"
