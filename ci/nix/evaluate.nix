# Evaluates every module with `lib` alone. The result is plain data; ci/nix.sh compares it with the golden files.
# `write`: name -> text -> the path of a file in the store. `mistakes`: name -> settings of a node that must be refused.
{
  lib,
  root,
  write ? name: _: "/nix/store/00000000000000000000000000000000-${name}",
  mistakes ? { },
}:
let
  settings = builtins.fromTOML (builtins.readFile (root + "/farquorum.toml"));
  modules = root + "/nixos-modules";
  # Builds nothing: unless something writes them, what would be a store path is its name.
  pkgs = {
    runCommand = name: environment: command: write name (builtins.toJSON environment + command);
    writeShellScript = write;
    util-linux = "util-linux";
    e2fsprogs = "e2fsprogs";
    systemd = "systemd";
    openssh = "/nix/store/00000000000000000000000000000000-openssh";
    iproute2 = "iproute2";
  };
  evaluate =
    extra:
    (lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        ./nixos.nix
        { services.farquorum = { package = "/nix/store/00000000000000000000000000000000-farquorum"; inherit settings; }; }
      ]
      ++ extra;
    }).config;
  node = name: [ (modules + "/node.nix") { networking.hostName = name; services.farquorum.node.enable = true; } ];
  worker = name: [ (modules + "/worker.nix") { networking.hostName = name; services.farquorum.worker.enable = true; } ];
  gateway = extra: evaluate [
    (modules + "/gateway.nix")
    { networking.hostName = "gateway-1"; services.farquorum.gateway = { enable = true; interfaces = joined; } // extra; }
  ];
  joined = { aws = "eth1"; gcp = "eth2"; azure = "eth3"; };
  unitText = import ./unit-text.nix { inherit lib; };
  failures = config: map (a: a.message) (builtins.filter (a: !a.assertion) config.assertions);
  plain = import (modules + "/lib") { inherit lib; };
  inherit (plain) toml;
  # The flake with nothing but `lib`: what of it needs no package can be looked at.
  flake = import (root + "/flake.nix");
  outputs = flake.outputs (
    builtins.mapAttrs (_: _: { }) flake.inputs
    // {
      nixpkgs = {
        lib = lib // { inherit nixosSystem; };
        legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: { });
        outPath = "nixpkgs";
      };
      self = outputs;
    }
  );
  # As nixpkgs does (nixos/modules/image/images.nix): a system that makes an image has no others, named after their clouds.
  nixosSystem =
    { modules, ... }:
    let
      imported = map baseNameOf (builtins.filter builtins.isString modules);
      makes = builtins.filter (name: name != "amazon-image.nix") imported;
      images = [ "amazon" "azure" "google-compute" ];
    in
    {
      config.system.build =
        if makes == [ ] then { images = lib.genAttrs images (name: "${name}, beside ${toString imported}"); }
        else { image = "that of ${toString makes}"; };
    };
  clusterTest = import (root + "/nixos-tests/settings.nix");

  # TOML of more kinds than farquorum.toml has.
  odd = {
    "a key with spaces" = "quotes \" and \\ and\nlines";
    fractions = [ 0.5 0.001 ];
    deep.er.table = { x = true; list = [ { y = 1; side.of = "z"; } { y = 2; } ]; };
    empty = [ ];
  };

  cloud = name: evaluate (node "cp-${name}-1" ++ [ (modules + "/hardware/${name}.nix") ]);
  hardware = config: {
    inherit (config) fileSystems virtualisation;
    inherit (config.services) chrony journald openssh;
    firewall = config.networking.firewall;
    data_disk = config.services.farquorum.dataDisk;
    tmpfiles = config.systemd.tmpfiles.rules;
    failures = failures config;
    format = config.systemd.services.farquorum-format-disk.script or null;
  };
  bad = extra: failures (evaluate (node "cp-aws-1" ++ [ { services.farquorum = extra; } ]));
  oneNode = evaluate (node "cp-aws-1" ++ [
    (modules + "/hardware/aws.nix")
    { services.farquorum.signer = [ "ssh" "signer@192.0.2.5" "farquorum" "certs" "sign" "-" ]; }
  ]);
  # A public key is 32 bytes; this one is all zeros.
  key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  tunnelled = endpoints: extra: {
    node = {
      connectivity = "wireguard";
      wireguard = { inherit endpoints; publicKeys = { cp-gcp-1 = key; cp-azure-1 = key; }; } // extra;
    };
  };
  bothPeers = { cp-gcp-1 = "198.51.100.2"; cp-azure-1 = "198.51.100.3"; };
  meshed = evaluate (node "cp-aws-1" ++ [ { services.farquorum = tunnelled bothPeers { }; } ]);
  # Every node's end of one tunnel.
  mesh = lib.genAttrs (plain.members.names settings.nodes) (
    name:
    let
      host = evaluate (node name ++ [
        {
          services.farquorum = tunnelled (bothPeers // { cp-aws-1 = "198.51.100.1"; }) {
            publicKeys = lib.genAttrs (plain.members.names settings.nodes) (_: key);
          };
        }
      ]);
    in
    host.networking.wireguard.interfaces // { rules = host.networking.firewall.extraInputRules; failures = failures host; }
  );
  # Every host of farquorum.toml has a public address.
  publicAddresses = lib.listToAttrs (
    map (host: lib.nameValuePair host.name "203.0.113.${toString host.number}") (plain.hosts.all settings)
  );
  inPublic = host: extra: evaluate (host ++ [
    { services.farquorum = { inherit publicAddresses; operators = [ "198.51.100.9" ]; }; }
    extra
  ]);
  publicNode = inPublic (node "cp-aws-1") { };
  publicWorker = inPublic (worker "worker-aws-1") { };
  publicMesh = inPublic (node "cp-aws-1") {
    services.farquorum = tunnelled publicNode.services.farquorum.node.wireguard.endpoints { };
  };
  oneWorker = evaluate (worker "worker-aws-1" ++ [
    { services.farquorum.worker = { storageCredentials = "/var/lib/farquorum-keys/storage"; monitors = [ "198.51.100.9" ]; }; }
  ]);
  oneGateway = gateway { };
  watched = gateway { monitors = [ "198.51.100.9" ]; };
  badGateway = extra: failures (gateway extra);
  # Settings that only a gateway cannot use.
  badSettings = changes: failures (evaluate [
    (modules + "/gateway.nix")
    {
      networking.hostName = "gateway-1";
      services.farquorum.gateway = { enable = true; interfaces = joined; };
      services.farquorum.settings = lib.mkForce (settings // changes);
    }
  ]);
in
{
  files = {
    "farquorum-node-request.service" = unitText oneNode.systemd.services.farquorum-node-request;
    "farquorum-node-renew.service" = unitText oneNode.systemd.services.farquorum-node-renew;
    "farquorum-node-certificate.service" = unitText oneNode.systemd.services.farquorum-node-certificate;
    "farquorum-node-certificate.path" = unitText oneNode.systemd.paths.farquorum-node-certificate;
    "farquorum.toml" = oneNode.services.farquorum.tomlText;
    "farquorum-node.service" = unitText oneNode.systemd.services.farquorum-node;
    # NixOS makes its ExecStart of the script, which is in hardware.json.
    "farquorum-format-disk.service" = unitText oneNode.systemd.services.farquorum-format-disk;
    "farquorum-worker.service" = unitText oneWorker.systemd.services.farquorum-worker;
    "farquorum-node-certificates" = "#!/bin/sh\n" + plain.unit.linkCertificates "cp-aws-1";
    "farquorum-worker-certificates" = "#!/bin/sh\n" + plain.unit.linkCertificates "worker-aws-1";
    "farquorum-gateway.service" = unitText oneGateway.systemd.services.farquorum-gateway;
    "farquorum-gateway-close" = "#!/bin/sh\n" + plain.gateway.close "iproute2/bin/ip" (builtins.attrNames settings.clouds);
    "gateway-table.nft" = oneGateway.networking.nftables.tables.farquorum-gateway.content;
    "gateway.nft" = watched.networking.firewall.extraInputRules;
    "node.nft" = oneNode.networking.firewall.extraInputRules;
    "node-public.nft" = publicNode.networking.firewall.extraInputRules;
    "public-table.nft" = publicNode.networking.nftables.tables.farquorum-public.content;
    "worker-public.nft" = publicWorker.networking.firewall.extraInputRules;
    "public-table-worker.nft" = publicWorker.networking.nftables.tables.farquorum-public.content;
    "node-wireguard-public.nft" = publicMesh.networking.firewall.extraInputRules;
    "node-wireguard.nft" = meshed.networking.firewall.extraInputRules;
    "cluster-test.toml" = toml.render clusterTest.settings;
    "worker.nft" = oneWorker.networking.firewall.extraInputRules;
  };
  hardware = {
    aws = hardware (cloud "aws");
    gcp = hardware (cloud "gcp");
    azure = hardware (cloud "azure");
  };
  wireguard = meshed.networking.wireguard.interfaces // { inherit mesh; failures = failures meshed; };
  firstBoot = failures (evaluate (node "cp-aws-1" ++ [ { services.farquorum.node.connectivity = "wireguard"; } ]));
  public = {
    family = publicNode.networking.nftables.tables.farquorum-public.family;
    endpoints = publicNode.services.farquorum.node.wireguard.endpoints;
    # Nodes in a tunnel reach each other there.
    beside_tunnel = publicMesh.networking.nftables.tables;
    failures = failures publicNode ++ failures publicWorker ++ failures publicMesh;
    found = { inherit (publicNode.environment) systemPackages sessionVariables; };
  };
  # What a service finds without a path of the store before it.
  programs = { inherit (oneNode.systemd.services.farquorum-node-renew) path; };
  # Who asks for none gets none.
  untunnelled = oneNode.networking.wireguard.interfaces == { };
  gateway = {
    inherit (oneGateway) boot;
    inherit (oneGateway.networking) interfaces;
    reverse_path = oneGateway.networking.firewall.checkReversePath;
    family = oneGateway.networking.nftables.tables.farquorum-gateway.family;
    failures = failures oneGateway ++ failures watched;
    # Its addresses in networks of other sizes.
    own = map plain.gateway.own [ "10.0.0.0/8" "172.16.4.0/22" "192.168.1.128/25" "192.168.1.16/28" ];
    watched = { inherit (watched.systemd.services.farquorum-gateway.serviceConfig) ExecStart IPAddressAllow; };
  };
  # What the assertions say about settings that are wrong.
  refused = {
    unknown_name = failures (evaluate (node "cp-mars-1"));
    unknown_worker = failures (evaluate (worker "worker-mars-1"));
    key_in_store = bad { node.key = "${builtins.storeDir}/00000000000000000000000000000000-key"; };
    everybody = bad { node.clients = [ "0.0.0.0/0" ]; };
    peer_by_name = bad { node.peers = [ "cp-gcp-1.example.com" ]; };
    tunnel_without_a_peer = bad (tunnelled { cp-gcp-1 = "198.51.100.2"; } { });
    tunnel_without_a_key = bad (tunnelled bothPeers { publicKeys = { cp-azure-1 = key; }; });
    tunnel_to_a_name = bad (tunnelled (bothPeers // { cp-gcp-1 = "cp-gcp-1.example.com"; }) { });
    tunnel_to_everybody = bad (tunnelled (bothPeers // { cp-gcp-1 = "0.0.0.0/0"; }) { });
    tunnel_key_in_store = bad (tunnelled bothPeers { privateKeyFile = "${builtins.storeDir}/00000000000000000000000000000000-key"; });
    public_address_of_nobody = bad { publicAddresses.cp-mars-1 = "203.0.113.7"; };
    public_address_by_name = bad { publicAddresses.cp-gcp-1 = "cp-gcp-1.example.com"; node.openFirewall = false; };
    operators_everywhere = bad { operators = [ "0.0.0.0/0" ]; };
    gateway_without_a_cloud = badGateway { interfaces = { aws = "eth1"; gcp = "eth2"; }; };
    gateway_into_mars = badGateway { interfaces = joined // { mars = "eth4"; }; };
    gateway_one_interface_twice = badGateway { interfaces = joined // { gcp = "eth1"; }; };
    gateway_on_the_shaper = badGateway { interfaces = joined // { gcp = "wan0"; }; };
    gateway_for_everybody = badGateway { monitors = [ "0.0.0.0/0" ]; };
    gateway_of_names = badSettings { workers = [ { name = "w"; cloud = "aws"; address = "w.example.com"; } ]; };
    gateway_of_relays = badSettings { lab.backend = "relay"; };
    gateway_without_room = badSettings { clouds = settings.clouds // { aws.network = "10.10.0.0/30"; }; };
    label_too_long = bad { dataDisk.label = "the-disk-of-the-control-plane"; };
    device_by_name = bad { dataDisk = { label = "farquorum-data"; blankDevice = "/dev/sdb"; }; };
  }
  // builtins.mapAttrs (_: bad) mistakes;
  # Well-formed hosts, all of the file: nothing is refused.
  accepted = lib.concatMap (m: failures (evaluate (node m.name))) settings.nodes
    ++ lib.concatMap (m: failures (evaluate (worker m.name))) settings.workers;
  overridden = (evaluate (node "cp-aws-1" ++ [ { networking.firewall.enable = false; services.farquorum.node.openFirewall = false; } ])).networking.firewall;
  hosts = map (host: host // { card = plain.hosts.microvmCard host.number; }) (plain.hosts.all settings);
  flake = {
    modules = builtins.mapAttrs (_: builtins.pathExists) outputs.nixosModules;
    systems = builtins.attrNames outputs.nixosConfigurations;
    outputs = builtins.attrNames outputs;
    inputs = builtins.attrNames flake.inputs;
    images = lib.filterAttrs (name: _: lib.hasPrefix "image-" name) outputs.packages.x86_64-linux;
    named = lib.genAttrs [ "apps" "checks" "packages" ] (kind: builtins.attrNames outputs.${kind}.x86_64-linux);
    microvm_up = import (root + "/nix/microvm-up.nix") {
      inherit lib;
      machines = [ { name = "cp-aws-1"; card = "farquorum1"; runner = "/bin"; } ];
    };
  };
  # What is written is read back the same.
  same = builtins.fromTOML (toml.render settings) == settings
    && builtins.fromTOML (toml.render odd) == odd;
}
