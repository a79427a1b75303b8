# The options of NixOS that the modules set, with the types that matter here: enough to evaluate the modules alone.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  free = mkOption { type = types.attrsOf types.anything; default = { }; };
  list = mkOption { type = types.listOf types.anything; default = [ ]; };
in
{
  options = {
    assertions = list;
    environment.systemPackages = list;
    environment.sessionVariables = free;
    fileSystems = free;
    virtualisation = free;
    networking.hostName = mkOption { type = types.str; };
    networking.firewall.enable = mkOption { type = types.bool; };
    networking.firewall.extraInputRules = mkOption { type = types.lines; default = ""; };
    boot.kernel.sysctl = free;
    boot.kernelModules = list;
    networking.firewall.checkReversePath = mkOption { type = types.enum [ true false "strict" "loose" ]; default = true; };
    networking.interfaces = free;
    networking.wireguard.interfaces = free;
    networking.nftables.enable = mkOption { type = types.bool; };
    networking.nftables.tables = free;
    services.chrony.enable = mkOption { type = types.bool; };
    services.chrony.servers = list;
    services.chrony.extraConfig = mkOption { type = types.lines; default = ""; };
    services.journald.extraConfig = mkOption { type = types.lines; default = ""; };
    services.openssh.settings = free;
    systemd.services = free;
    systemd.paths = free;
    systemd.tmpfiles.rules = list;
  };
}
