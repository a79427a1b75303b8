# Keys of a host: made on first boot, signed elsewhere, taken up when they are renewed.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.farquorum;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkOption types;
  kinds = builtins.filter (kind: cfg.${kind}.enable or false) [ "node" "worker" ];
  units = map (
    kind:
    plain.keys.units {
      inherit kind;
      inherit (cfg.${kind}) name;
      inherit (cfg) signer signerPath;
      folder = cfg.keys;
      command = "${cfg.package}/bin/farquorum --config ${cfg.configFile}";
      systemctl = "${pkgs.systemd}/bin/systemctl";
    }
  ) kinds;
in
{
  options.services.farquorum = {
    keys = mkOption {
      type = types.str;
      default = "/var/lib/farquorum-keys";
      description = "Folder on the host with its key, its certificate, and ca/ with the authorities' certificates and revocation lists.";
    };
    signer = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "ssh" "signer@ca.example.com" "farquorum" "certs" "sign" "-" ];
      description = "Command that signs renewals: it gets the request on its standard input and prints what `farquorum certs sign` prints. Empty: the operator renews.";
    };
  };

  options.services.farquorum.signerPath = mkOption {
    type = types.listOf types.package;
    default = [ pkgs.openssh ];
    defaultText = lib.literalExpression "[ pkgs.openssh ]";
    description = "Packages with the programs that the command which signs renewals runs.";
  };

  config.systemd = {
    services = lib.mkMerge (map (unit: unit.services) units);
    paths = lib.mkMerge (map (unit: unit.paths) units);
    tmpfiles.rules = [ "d ${cfg.keys} 0700 root root -" ];
  };
}
