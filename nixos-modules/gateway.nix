# The gateway: a host on every cloud's network that delays, limits and loses what passes between them as the links say.
# It is how the containers' network is made (docs/containers.md), for hosts that are machines.
{ config, lib, pkgs, ... }:
let
  all = config.services.farquorum;
  cfg = all.gateway;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkEnableOption mkIf mkOption types;
  host = config.networking.hostName;
  clouds = all.settings.clouds or { };
  backend = all.settings.lab.backend or "auto";
  port = plain.members.port all.settings { } "http";
  # Where an assertion speaks, nothing else shall fail first.
  usable = lib.filterAttrs (cloud: _: clouds ? ${cloud} && plain.gateway.fits (clouds.${cloud}.network or "")) cfg.interfaces;
in
{
  imports = [ ./common.nix ];

  options.services.farquorum.gateway = {
    enable = mkEnableOption "a Farquorum gateway between the clouds' networks";
    interfaces = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = { aws = "eth1"; gcp = "eth2"; azure = "eth3"; };
      description = "For each cloud of the settings the interface in its network. It gets the network's highest address; the hosts send what is for other clouds to the network's second, which the gateway takes when it shapes.";
    };
    listen = mkOption {
      type = types.str;
      default = if cfg.monitors == [ ] then "127.0.0.1" else "0.0.0.0";
      defaultText = lib.literalMD "127.0.0.1, or 0.0.0.0 when there are monitors";
      description = "Address of /livez, /readyz and /metrics; the port is the settings' `ports.http`.";
    };
  }
  // plain.firewall.options "the HTTP port to monitors";

  config = mkIf cfg.enable {
    assertions =
      plain.checks.gateway host all.settings cfg.interfaces
      ++ plain.checks.sources host "services.farquorum.gateway.monitors" cfg.monitors;

    boot.kernelModules = lib.optional (backend != "kernel") "tun" ++ lib.optional (backend != "user") "sch_netem";
    # Forwarding is for the table below to bound. What was shaped comes in by a device that does not lead back to its
    # sender, which a strict filter of return paths drops: the binary refuses to start with one.
    boot.kernel.sysctl = {
      "net.ipv4.ip_forward" = 1;
      "net.ipv4.conf.all.rp_filter" = 0;
      "net.ipv4.conf.default.rp_filter" = 0;
    };
    networking.interfaces = lib.listToAttrs (
      map (cloud: lib.nameValuePair usable.${cloud} { ipv4.addresses = [ (plain.gateway.own clouds.${cloud}.network) ]; }) (
        builtins.attrNames usable
      )
    );
    networking.firewall.checkReversePath = "loose";
    networking.firewall.extraInputRules = mkIf cfg.openFirewall (
      plain.firewall.render [ { what = "gateway http"; inherit port; from = cfg.monitors; } ]
    );
    networking.nftables.tables.farquorum-gateway = { family = "ip"; content = plain.gateway.table cfg.interfaces; };

    systemd.services.farquorum-gateway = {
      description = "Farquorum gateway ${host}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" "nftables.service" ];
      # When it ends nothing passes (netem/src/gateway, ExecStopPost), and it is started again.
      unitConfig = plain.unit.tryForEver;
      serviceConfig = plain.unit.sandbox // plain.unit.supervision // {
        # Its network's devices, rules, routes and addresses; a capability counts in the namespace of users that owns the
        # network, so it has none of its own.
        AmbientCapabilities = "CAP_NET_ADMIN";
        CapabilityBoundingSet = "CAP_NET_ADMIN";
        PrivateUsers = false;
        PrivateDevices = false;
        DeviceAllow = "/dev/net/tun rw";
        # It reads /proc/sys/net before it starts.
        ProcSubset = "all";
        RestrictAddressFamilies = plain.unit.sandbox.RestrictAddressFamilies ++ [ "AF_NETLINK" ];
        # A late thread is a link that is longer than configured: one thread asks for the lowest real-time priority.
        RestrictRealtime = false;
        LimitRTPRIO = 1;
        SystemCallFilter = plain.unit.sandbox.SystemCallFilter ++ [ "sched_setattr" ];
        # Of its own sockets; what it passes on is no socket's.
        IPAddressDeny = "any";
        IPAddressAllow = [ "localhost" ] ++ cfg.monitors;
        ExecStart = "${all.package}/bin/farquorum --config ${all.configFile} gateway --listen ${cfg.listen}:${toString port} --log-format ${all.logFormat}";
        # However it ended, also by SIGKILL, and before it is started again.
        ExecStopPost = pkgs.writeShellScript "farquorum-gateway-close" (
          plain.gateway.close "${pkgs.iproute2}/bin/ip" (builtins.attrNames clouds)
        );
      };
    };
  };
}
