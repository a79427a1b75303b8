# What can be wrong with a host's settings, as NixOS assertions: each names the host, the value and what is allowed.
# What the values themselves must be is checked by the binary when the configuration is built.
{ lib }:
let
  listed = names: if names == [ ] then "none" else lib.concatStringsSep ", " names;
  inStore = path: lib.hasPrefix builtins.storeDir (toString path);
  firewall = import ./firewall.nix { inherit lib; };
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

  # A firewall rule needs addresses, not names.
  addresses = host: option: list: {
    assertion = builtins.all firewall.isV4 list;
    message = "${host}: ${option} has ${listed (builtins.filter (a: !firewall.isV4 a) list)}; a firewall rule needs IPv4 addresses such as 203.0.113.7. Give addresses, or set openFirewall = false and write the rules yourself.";
  };

  # The one thing that must not be open to the world.
  notTheWorld = host: option: list: {
    assertion = !(builtins.any (a: lib.hasSuffix "/0" a) list);
    message = "${host}: ${option} holds ${listed (builtins.filter (lib.hasSuffix "/0") list)}, which is everybody. Name the addresses that need the port.";
  };
}
