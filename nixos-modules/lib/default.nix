# Plain functions behind the modules. They need nixpkgs' `lib` and nothing else: no packages, no builds.
{ lib }:
{
  checks = import ./checks.nix { inherit lib; };
  firewall = import ./firewall.nix { inherit lib; };
  gateway = import ./gateway.nix { inherit lib; };
  keys = import ./keys.nix { inherit lib; };
  hosts = import ./hosts.nix { inherit lib; };
  members = import ./members.nix { inherit lib; };
  toml = import ./toml.nix { inherit lib; };
  unit = import ./unit.nix { inherit lib; };
}
