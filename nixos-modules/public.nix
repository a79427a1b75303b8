# Hosts that reach each other at public addresses while the settings have those inside the clouds: certificates, Terraform and
# `config check` know the latter.
{ config, lib, ... }:
let
  cfg = config.services.farquorum;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkIf mkOption types;
  host = config.networking.hostName;
  public = cfg.publicAddresses;
  nodes = cfg.settings.nodes or [ ];
  names = plain.members.names (nodes ++ (cfg.settings.workers or [ ]));
  # In a tunnel the addresses of the settings are reached as they are.
  tunnelled = (cfg.node.connectivity or "public") == "wireguard";
  far = builtins.filter (node: node.name != host && public ? ${node.name}) nodes;
in
{
  options.services.farquorum = {
    publicAddresses = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = lib.literalExpression "builtins.fromJSON (builtins.readFile ./addresses.json)";
      description = "Public addresses of hosts by their names, as `terraform output -json farquorum_addresses` prints them. What goes to a node's address in the settings goes to its public one, and firewalls let that one in.";
    };
    operators = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Addresses from where gRPC is called and /readyz and /metrics are read, besides those of the hosts.";
    };
  };

  config = {
    assertions = plain.checks.public host public names;
    networking.nftables.tables.farquorum-public = mkIf (far != [ ] && !tunnelled) {
      family = "ip";
      content = plain.firewall.public (map (node: { from = node.address; to = public.${node.name}; }) far);
    };
  };
}
