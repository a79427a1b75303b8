# A control-plane node.
{ config, lib, pkgs, ... }:
let
  all = config.services.farquorum;
  cfg = all.node;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkEnableOption mkIf mkOption types;
  me = plain.members.node all.settings cfg.name;
  port = plain.members.port all.settings (if me == null then { } else me);
  host = config.networking.hostName;
  disk = all.dataDisk.label;
  rules = [
    { what = "raft"; port = port "raft"; from = cfg.peers; }
    { what = "grpc"; port = port "grpc"; from = cfg.peers ++ cfg.clients ++ all.operators; }
    { what = "http"; port = port "http"; from = cfg.monitors ++ all.operators; }
  ];
in
{
  imports = [ ./common.nix ./data-disk.nix ./wireguard.nix ];

  options.services.farquorum.node = {
    enable = mkEnableOption "a Farquorum control-plane node";
    name = mkOption {
      type = types.str;
      default = host;
      description = "Its name in the settings.";
    };
    listen = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Address to listen on when the host does not have the one of the settings, as behind a public address: 0.0.0.0.";
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
    peers = mkOption {
      type = types.listOf types.str;
      default = plain.members.others (if cfg.connectivity == "wireguard" then { } else all.publicAddresses) (all.settings.nodes or [ ]) cfg.name;
      defaultText = lib.literalMD "the public addresses of the other nodes, or those of the settings";
      description = "Addresses of the other nodes as they are seen here.";
    };
    clients = mkOption {
      type = types.listOf types.str;
      default = plain.members.others all.publicAddresses (all.settings.workers or [ ]) cfg.name;
      defaultText = lib.literalMD "the public addresses of the workers, or those of the settings";
      description = "Addresses of workers that call gRPC.";
    };
  }
  // plain.firewall.options "the ports to peers, clients and monitors";

  config = mkIf cfg.enable {
    assertions = [
      (plain.checks.member "node" host cfg.name me (plain.members.names (all.settings.nodes or [ ])))
      (plain.checks.secret host "services.farquorum.node.key" cfg.key)
    ]
    ++ lib.optionals cfg.openFirewall (
      lib.concatMap (option: plain.checks.sources host "services.farquorum.node.${option}" cfg.${option}) [
        "peers"
        "clients"
        "monitors"
      ]
      ++ plain.checks.sources host "services.farquorum.operators" all.operators
    );

    networking.firewall.extraInputRules = mkIf cfg.openFirewall (plain.firewall.render rules);

    systemd.services.farquorum-node = {
      description = "Farquorum control-plane node ${cfg.name}";
      # A data disk that appears when the mount has given up starts the node too. In a unit's name "-" would stand for "/".
      wantedBy = [ "multi-user.target" ] ++ lib.optional (disk != null)
        "dev-disk-by\\x2dlabel-${builtins.replaceStrings [ "-" ] [ "\\x2d" ] disk}.device";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" "time-sync.target" ];
      unitConfig = plain.unit.tryForEver // {
        RequiresMountsFor = "/var/lib/private/farquorum";
        ConditionPathExists = cfg.certificate;
      };
      serviceConfig = plain.unit.sandbox // plain.unit.supervision // {
        # The log's second witness needs the kernel's boot id (/proc/sys/kernel/random/boot_id): without it the end of a
        # log that was torn by a kill would stay in doubt. Other processes stay invisible (ProtectProc).
        ProcSubset = "all";
        StateDirectory = "farquorum";
        RuntimeDirectory = "farquorum-node";
        LoadCredential = plain.unit.credentials { inherit (cfg) name certificate key authorities; };
        ExecStartPre = pkgs.writeShellScript "farquorum-node-certificates" (plain.unit.linkCertificates cfg.name);
        ExecStart = lib.concatStringsSep " " (
          [
            "${all.package}/bin/farquorum --config ${all.configFile} node run"
            "--name ${cfg.name}"
            "--data-dir %S/farquorum"
            "--certs %t/farquorum-node/certs"
            "--log-format ${all.logFormat}"
          ]
          ++ lib.optional (cfg.listen != null) "--listen ${cfg.listen}"
        );
      };
    };
  };
}
