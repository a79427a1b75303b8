# Nodes joined by WireGuard instead of public addresses: the addresses in the settings are inside the tunnel.
# Each host makes its own key; the others learn its public half (`wg show fq0 public-key`) from `node.wireguard.publicKeys`.
{ config, lib, ... }:
let
  all = config.services.farquorum;
  cfg = all.node;
  tunnel = cfg.wireguard;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkIf mkOption types;
  host = config.networking.hostName;
  me = plain.members.node all.settings cfg.name;
  others = builtins.filter (member: (member.name or null) != cfg.name) (all.settings.nodes or [ ]);
  isKnown = member: tunnel.publicKeys ? ${member.name} && tunnel.endpoints ? ${member.name};
  known = builtins.filter isKnown others;
  missing = builtins.filter (member: !(isKnown member)) others;
  endpoint = member: tunnel.endpoints.${member.name};
  endpoints = map endpoint known;
in
{
  options.services.farquorum.node = {
    connectivity = mkOption {
      type = types.enum [ "public" "wireguard" ];
      default = "public";
      description = "How nodes reach each other: at their public addresses (mutual TLS, a firewall rule for each), or through WireGuard beside that.";
    };
    wireguard = {
      port = mkOption {
        type = types.port;
        default = 51820;
        description = "UDP port of every node.";
      };
      privateKeyFile = mkOption {
        type = types.str;
        default = "/var/lib/farquorum-wireguard/key";
        description = "The host's private key; made there on first boot.";
      };
      publicKeys = mkOption {
        type = types.attrsOf types.str;
        default = { };
        description = "Public keys of the other nodes by their names, as `wg show fq0 public-key` prints them there.";
      };
      endpoints = mkOption {
        type = types.attrsOf types.str;
        default = lib.filterAttrs (name: _: builtins.elem name (plain.members.names others)) all.publicAddresses;
        defaultText = lib.literalMD "those of `services.farquorum.publicAddresses`";
        description = "Public IPv4 addresses of the other nodes by their names.";
      };
    };
  };

  config = mkIf (cfg.enable && cfg.connectivity == "wireguard") {
    assertions = [
      (plain.checks.secret host "services.farquorum.node.wireguard.privateKeyFile" tunnel.privateKeyFile)
      {
        # Without any public key the host makes its own and reaches nobody: the first boot.
        assertion = missing == [ ] || tunnel.publicKeys == { };
        message = "${host}: services.farquorum.node.wireguard has no public key or no endpoint of ${lib.concatMapStringsSep ", " (member: member.name) missing}. Start these hosts once: each makes its key, and `wg show fq0 public-key` there prints what to enter here.";
      }
    ]
    ++ plain.checks.sources host "services.farquorum.node.wireguard.endpoints" endpoints;
    networking.wireguard.interfaces.fq0 = {
      ips = lib.optional (me != null) "${me.address}/32";
      listenPort = tunnel.port;
      inherit (tunnel) privateKeyFile;
      generatePrivateKeyFile = true;
      peers = map (member: {
        inherit (member) name;
        publicKey = tunnel.publicKeys.${member.name};
        # What comes out of the tunnel from this peer has its address, or is dropped.
        allowedIPs = [ "${member.address}/32" ];
        endpoint = "${endpoint member}:${toString tunnel.port}";
        persistentKeepalive = 25;
      }) known;
    };
    networking.firewall.extraInputRules = mkIf cfg.openFirewall (
      plain.firewall.render (
        map (member: {
          what = "wireguard ${member.name}";
          protocol = "udp";
          inherit (tunnel) port;
          from = [ (endpoint member) ];
        }) known
      )
    );
  };
}
