# A worker.
{ config, lib, pkgs, ... }:
let
  all = config.services.farquorum;
  cfg = all.worker;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkEnableOption mkIf mkOption types;
  me = plain.members.worker all.settings cfg.name;
  port = plain.members.port all.settings (if me == null then { } else me);
  host = config.networking.hostName;
in
{
  imports = [ ./common.nix ];

  options.services.farquorum.worker = {
    enable = mkEnableOption "a Farquorum worker";
    name = mkOption {
      type = types.str;
      default = host;
      description = "Its name in the settings.";
    };
    certificate = mkOption {
      type = types.str;
      default = "${all.keys}/${cfg.name}.crt";
      description = "Its certificate on the host.";
    };
    key = mkOption {
      type = types.str;
      default = "${all.keys}/${cfg.name}.key";
      description = "Its private key, made on the host; systemd hands it to the service (LoadCredential).";
    };
    authorities = mkOption {
      type = types.str;
      default = "${all.keys}/ca";
      description = "Folder with the authorities' certificates and revocation lists: peer.crt peer.crl client.crt client.crl.";
    };
    storageCredentials = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File on the host with the object store's access key and secret key; null: unsigned requests.";
    };
  }
  // plain.firewall.options "the HTTP port to monitors";

  config = mkIf cfg.enable {
    assertions = [
      (plain.checks.member "worker" host cfg.name me (plain.members.names (all.settings.workers or [ ])))
      (plain.checks.secret host "services.farquorum.worker.key" cfg.key)
    ]
    ++ plain.checks.sources host "services.farquorum.worker.monitors" cfg.monitors
    ++ plain.checks.sources host "services.farquorum.operators" all.operators
    ++ lib.optional (cfg.storageCredentials != null) (
      plain.checks.secret host "services.farquorum.worker.storageCredentials" cfg.storageCredentials
    );

    networking.firewall.extraInputRules = mkIf cfg.openFirewall (
      plain.firewall.render [ { what = "worker http"; port = port "http"; from = cfg.monitors ++ all.operators; } ]
    );

    systemd.services.farquorum-worker = {
      description = "Farquorum worker ${cfg.name}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" "time-sync.target" ];
      unitConfig = plain.unit.tryForEver // { ConditionPathExists = cfg.certificate; };
      serviceConfig = plain.unit.sandbox // plain.unit.supervision // {
        RuntimeDirectory = "farquorum-worker";
        LoadCredential =
          plain.unit.credentials { inherit (cfg) name certificate key authorities; }
          ++ lib.optional (cfg.storageCredentials != null) "storage:${cfg.storageCredentials}";
        ExecStartPre = pkgs.writeShellScript "farquorum-worker-certificates" (plain.unit.linkCertificates cfg.name);
        ExecStart = lib.concatStringsSep " " (
          [
            "${all.package}/bin/farquorum --config ${all.configFile} worker run"
            "--name ${cfg.name}"
            "--certs %t/farquorum-worker/certs"
            "--log-format ${all.logFormat}"
          ]
          ++ lib.optional (cfg.storageCredentials != null) "--credentials %d/storage"
        );
      };
    };
  };
}
