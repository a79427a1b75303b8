# A host's key and certificate, from first boot to renewal. The key is made on the host and never leaves it; the request
# is printed on the console and in the journal, for `farquorum certs sign` where the authorities are.
{ lib }:
{
  # kind: node or worker; command: the binary with its configuration; folder: where key and certificate lie; signer: the
  # command that signs renewals (argv), or [], and the packages that it may need; systemctl: the program. -> { services, paths }
  units =
    { kind, name, command, folder, signer, signerPath, systemctl }:
    let
      service = "farquorum-${kind}.service";
      certificate = "${folder}/${name}.crt";
      # Root's own work on root's own folder: no network for the request, no home, nothing else to write to.
      closed = {
        UMask = "0077";
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectControlGroups = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectSystem = "strict";
        ReadWritePaths = folder;
      };
    in
    {
      services = {
        "farquorum-${kind}-request" = {
          description = "Farquorum: key and signing request of ${name}";
          wantedBy = [ "multi-user.target" ];
          unitConfig.ConditionPathExists = "!${certificate}";
          serviceConfig = closed // {
            Type = "oneshot";
            PrivateNetwork = true;
            ProtectHome = true;
            ExecStart = "${command} certs request --dir ${folder} --name ${name}";
            StandardOutput = "journal+console";
            StandardError = "journal+console";
          };
        };
        # A credential is read when its service starts: a new certificate needs a start, and that is a graceful one.
        "farquorum-${kind}-certificate" = {
          description = "Farquorum: ${name} takes up its new certificate";
          serviceConfig = { Type = "oneshot"; ExecStart = "${systemctl} restart ${service}"; };
        };
      }
      // lib.optionalAttrs (signer != [ ]) {
        "farquorum-${kind}-renew" = {
          description = "Farquorum: renews the certificate of ${name}";
          wantedBy = [ "multi-user.target" ];
          wants = [ "network-online.target" ];
          after = [ "network-online.target" "time-sync.target" ];
          # A service of NixOS has next to nothing in its PATH.
          path = signerPath;
          serviceConfig = closed // {
            ExecStart = "${command} certs renew --watch --dir ${folder} --name ${name} -- ${lib.concatMapStringsSep " " (word: "\"${word}\"") signer}";
            Restart = "always";
            RestartSec = "60s";
          };
        };
      };
      paths."farquorum-${kind}-certificate" = {
        description = "Farquorum: a new certificate of ${name}";
        wantedBy = [ "multi-user.target" ];
        pathConfig.PathChanged = certificate;
      };
    };
}
