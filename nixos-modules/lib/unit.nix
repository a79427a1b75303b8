# The parts of a systemd service that node and worker share. `systemd-analyze security` judges them in ci/nix.sh.
{ lib }:
let
  sandbox = {
    DynamicUser = true;
    UMask = "0077";
    AmbientCapabilities = "";
    CapabilityBoundingSet = "";
    NoNewPrivileges = true;
    DevicePolicy = "closed";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProcSubset = "pid";
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    # AF_UNIX: to tell systemd that it is ready, and the journal.
    RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [ "@system-service" "~@resources" "~@privileged" ];
  };
in
{
  inherit sandbox;

  # name: the credential's; the paths are on the host and never in the store.
  # { certificate, key, authorities } -> LoadCredential lines
  credentials =
    { name, certificate, key, authorities }:
    [ "${name}.crt:${certificate}" "${name}.key:${key}" ]
    ++ map (file: "ca_${file}:${authorities}/${file}") [ "peer.crt" "peer.crl" "client.crt" "client.crl" ];

  # The binary wants a folder with NAME.crt, NAME.key and ca/; systemd hands over a flat one. Links cost no copy of a key.
  linkCertificates = name: ''
    set -eu
    certs=$RUNTIME_DIRECTORY/certs
    mkdir -p "$certs/ca"
    ln -sf "$CREDENTIALS_DIRECTORY/${name}.crt" "$CREDENTIALS_DIRECTORY/${name}.key" "$certs/"
    for file in peer.crt peer.crl client.crt client.crl; do
      ln -sf "$CREDENTIALS_DIRECTORY/ca_$file" "$certs/ca/$file"
    done
  '';

  # What supervises it: READY=1 when it serves, a watchdog on its runtime, SIGTERM to hand over and drain.
  supervision = {
    Type = "notify";
    NotifyAccess = "main";
    Restart = "always";
    RestartSec = "1s";
    WatchdogSec = "30s";
    TimeoutStartSec = "90s";
    # Longer than handing over and draining take together.
    TimeoutStopSec = "60s";
    LimitNOFILE = 65536;
    RuntimeDirectoryMode = "0700";
    StateDirectoryMode = "0700";
  };

  # No limit on restarts: a voter that gave up for good is worse than one that tries again each second.
  tryForEver = { StartLimitIntervalSec = 0; };
}
