# To be sourced by check.sh: a node that has no certificate when its machine boots. Its key is made here; the signer is
# another account of this machine, reached by ssh when a certificate is renewed. The units are the module's, but for paths.
# shellcheck shell=bash disable=SC2317,SC2154 # functions that `within` calls; shared ones are check.sh's
me=cp-aws-1
folder=/var/lib/farquorum-keys
ours=127.2.0.1
first_boot=/etc/farquorum/first-boot.toml
# Of the module's units: the node itself, or what stands beside it.
of() { property_of "farquorum-node$1" "$2"; }
fingerprint_of() { sed -n 's/^ *fingerprint  *//p'; }
serves_certificate() { [ "$(of .service ActiveState)" = active ] && readyz "$ours" && cmp "$folder/$me.crt" "/run/credentials/farquorum-node.service/$me.crt"; }
# What the admin's command says to the node, by mutual TLS.
told() { FARQUORUM_CONTEXT=/run/first-boot.toml farquorum kv "$@"; }
cat >/run/first-boot.toml <<CONTEXT
cluster = "farquorum"

[[nodes]]
id = 1
name = "$me"
cloud = "lab"
grpc = "$ours:50051"
http = "$ours:8080"

[tls]
ca = "/root/certs/ca/peer.crt"
cert = "/root/certs/admin.crt"
key = "/root/certs/admin.key"
CONTEXT

# Since boot.
done_well() { [ "$(of "$1" ActiveState) $(of "$1" Result)" = "inactive success" ] && [ "$(of "$1" ExecMainExitTimestampMonotonic)" -gt 0 ]; }
within done_well -request.service || fail "no request was made at boot"
printed=$(journalctl --no-pager --unit farquorum-node-request.service --output=cat)
[[ $printed == *"BEGIN CERTIFICATE REQUEST"* ]] || fail "the request is not in the journal"
fingerprint=$(fingerprint_of <<<"$printed")
[ "${#fingerprint}" -ge 64 ] || fail "the key's fingerprint is not in the journal"
# The computer that has this machine's console looks there.
echo "systemd-vm: to be on the console: $fingerprint"
[ "$(stat -c '%a %U' "$folder" "$folder/$me.key" | paste -sd ' ')" = "700 root 600 root" ] || fail "others may read the key: $(stat -c '%n %a' "$folder" "$folder/$me.key")"
[ ! -e "$folder/$me.crt" ] || fail "there is a certificate already"
saw "no certificate: the key was made at boot" "mode 600; request in the journal"
{ [ "$(of .service ActiveState)" = inactive ] && [ "$(of .service ExecMainStartTimestampMonotonic)" -eq 0 ]; } || fail "the node was started without a certificate"
[ "$(of -certificate.path ActiveState)" = active ] || fail "nobody waits for the certificate"
{ [ "$(of -renew.service ActiveState)" = active ] && [ "$(of -renew.service NRestarts)" -eq 0 ]; } || fail "the unit that renews does not run"
saw "the node was never started; who renews" "waits"

# As docs/deployment.md says, but for ssh to the host. The certificate is for a day.
asked() { FARQUORUM_CONFIG=$first_boot farquorum certs request --dir "$folder" --name "$me"; }
signed() { runuser --user signer -- sh -c "cd && farquorum certs sign - --fingerprint $1 --days 1"; }
if asked 2>/dev/null | signed "${fingerprint//[0-9]/0}" >/dev/null 2>&1; then fail "another key's request was signed"; fi
asked 2>/dev/null | signed "$fingerprint" >/tmp/signed 2>/tmp/said || { cat /tmp/said; fail "certs sign"; }
farquorum certs install --dir "$folder" </tmp/signed >/dev/null || fail "certs install"
within serves_certificate || fail "the node does not start with its certificate"
within done_well -certificate.service || fail "it was not the path unit that started it"
[ "$(of .service StatusText)" = serving ] || fail "it did not say that it serves"
within told set first boot || fail "kv set"
saw "certs request | certs sign - | certs install" "started by the path unit; a write"
if mountpoint -q /var/lib/private/farquorum; then
    { [ -n "$(ls /var/lib/private/farquorum/)" ] && [ "$(stat -c %a /var/lib/private/farquorum)" = 700 ]; } || fail "its log is not on the data disk"
    saw "its log, on the data disk" "mode 700"
fi

# Due when two thirds of its day are over. The unit has looked last at boot, when there was none.
systemctl restart farquorum-node-renew.service || fail "systemctl restart of the unit that renews"
{ ip address add 192.0.2.5/32 dev lo && systemctl start ssh.service; } || fail "the signer's ssh"
logins() { journalctl --no-pager --unit ssh.service --output=cat | grep -c 'Accepted publickey for signer'; }
sleep 5
[ "$(logins)" -eq 0 ] || fail "a certificate that is not due is renewed"
before=$(cksum <"$folder/$me.crt") process=$(of .service MainPID)
date --set '+17 hours' >/dev/null || fail "date"
systemctl restart farquorum-node-renew.service || fail "systemctl restart of the unit that renews"
renewed() { [ "$(cksum <"$folder/$me.crt")" != "$before" ] && [ "$(of .service MainPID)" != "$process" ] && serves_certificate; }
within renewed || fail "the certificate was not renewed, or the node did not take it up"
[ "$(logins)" -eq 1 ] || fail "the signer was asked $(logins) times"
[ "$(asked 2>&1 >/dev/null | fingerprint_of)" = "$fingerprint" ] || fail "renewed for another key"
within told get first >/dev/null || fail "kv get"
[ "$(told get first)" = boot ] || fail "what was written is gone"
saw "17 hours later: signed by ssh, for the same key" "restarted, serves with it"

# Its second line: 64 characters of the key that are in no other file of this machine but the copy of the service.
secret=$(sed -n 2p "$folder/$me.key")
[ "${#secret}" -eq 64 ] || fail "not the form of a key"
found=$(grep -rlsF -- "$secret" /etc /home /root /run /tmp /var/lib/{farquorum*,private,systemd} /var/{log,tmp} | grep -v '^/run/credentials/farquorum-node.service/' | paste -sd ' ')
[ "$found" = "$folder/$me.key" ] || fail "the key is in $found"
if journalctl --no-pager --output=cat | grep -qF -- "$secret"; then fail "the key is in the journal"; fi
saw "the key, in every file that was written here" "in its own only"
systemctl stop farquorum-node.service farquorum-node-renew.service ssh.service || fail "systemctl stop"
