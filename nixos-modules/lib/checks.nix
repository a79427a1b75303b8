# What can be wrong with a host's settings, as NixOS assertions: each names the host, the value and what is allowed.
# What the values themselves must be is checked by the binary when the configuration is built.
{ lib }:
let
  listed = names: if names == [ ] then "none" else lib.concatStringsSep ", " names;
  inStore = path: lib.hasPrefix builtins.storeDir (toString path);
  firewall = import ./firewall.nix { inherit lib; };
  gateway = import ./gateway.nix { inherit lib; };
  without = list: builtins.filter (element: !(builtins.elem element list));
in
{
  # The host must be in the settings.
  member = kind: host: name: member: names: {
    assertion = member != null;
    message = "${host}: services.farquorum.${kind}.name is \"${name}\", which is no ${kind} of the settings; they have: ${listed names}. Set it to one of these or add it to farquorum.toml.";
  };

  # A key in the Nix store can be read by every process of every machine that has the store path.
  secret = host: option: path: {
    assertion = !(inStore path);
    message = "${host}: ${option} is \"${toString path}\", a path of the Nix store, which everybody can read. Give it as text in quotes, a file that is made on the host: \"/var/lib/farquorum-keys/NAME.key\".";
  };

  # Whom a firewall rule lets in: addresses, not names, and not everybody.
  sources = host: option: list: [
    {
      assertion = builtins.all firewall.isV4 list;
      message = "${host}: ${option} has ${listed (builtins.filter (a: !firewall.isV4 a) list)}; a firewall rule needs IPv4 addresses such as 203.0.113.7. Give addresses, or set openFirewall = false and write the rules yourself.";
    }
    {
      assertion = !(builtins.any (a: lib.hasSuffix "/0" a) list);
      message = "${host}: ${option} holds ${listed (builtins.filter (lib.hasSuffix "/0") list)}, which is everybody. Name the addresses that need the port.";
    }
  ];

  # Public addresses are of hosts of the settings, and addresses.
  public =
    host: addresses: names:
    let
      unknown = without names (builtins.attrNames addresses);
      odd = builtins.filter (address: builtins.match "[0-9]{1,3}(\\.[0-9]{1,3}){3}" address == null) (builtins.attrValues addresses);
    in
    [
      {
        assertion = unknown == [ ];
        message = "${host}: services.farquorum.publicAddresses names ${listed unknown}, which the settings do not have; they have: ${listed names}.";
      }
      {
        assertion = odd == [ ];
        message = "${host}: services.farquorum.publicAddresses has ${listed odd}; IPv4 addresses such as 203.0.113.7 are needed.";
      }
    ];

  # A gateway has one interface in each cloud's network, and the settings are some that it can shape.
  gateway =
    host: settings: interfaces:
    let
      clouds = settings.clouds or { };
      names = builtins.attrNames clouds;
      named = builtins.attrNames interfaces;
      devices = map (cloud: interfaces.${cloud}) named;
      isDevice = name: builtins.match "[A-Za-z0-9_.-]{1,15}" name != null && !(builtins.elem name (gateway.devices names));
      small = builtins.filter (cloud: !(gateway.fits (clouds.${cloud}.network or ""))) names;
      members = (settings.nodes or [ ]) ++ (settings.workers or [ ]);
      unnumbered = builtins.filter (address: !(firewall.isV4 address)) (map (member: member.address or "") members);
    in
    [
      {
        assertion = named == names && builtins.length names > 1;
        message = "${host}: services.farquorum.gateway.interfaces has no interface for ${listed (without named names)} and one for ${listed (without names named)}, which the settings do not have; give one for each cloud of at least two: ${listed names}.";
      }
      {
        assertion = builtins.all isDevice devices && lib.unique devices == devices;
        message = "${host}: services.farquorum.gateway.interfaces has ${listed devices}; allowed are different names of at most 15 of A-Z a-z 0-9 _ . -, none of them ${listed (gateway.devices names)}, which are the shaper's.";
      }
      {
        assertion = small == [ ];
        message = "${host}: services.farquorum.settings.clouds has a network without room for a gateway: ${listed (map (cloud: "${cloud} ${clouds.${cloud}.network or "(none)"}") small)}. Write a prefix of at most ${toString gateway.prefixMax}, such as 10.10.0.0/24.";
      }
      {
        assertion = unnumbered == [ ];
        message = "${host}: services.farquorum.settings has hosts without an IPv4 address: ${listed unnumbered}. A gateway tells a packet's cloud by its address: write 10.10.0.11.";
      }
      {
        assertion = settings.lab.backend or "auto" != "relay";
        message = "${host}: services.farquorum.settings.lab.backend is \"relay\", which passes no packets. Allowed for a gateway: auto, user, kernel.";
      }
    ];
}
