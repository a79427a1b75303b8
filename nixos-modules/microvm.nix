# A host as a microVM of microvm.nix: its own kernel, one card, one volume. `farquorumHost` comes from lib/hosts.nix.
{ lib, farquorumHost, ... }:
let
  plain = import ./lib { inherit lib; };
in
{
  microvm = {
    hypervisor = lib.mkDefault "qemu";
    vcpu = lib.mkDefault 1;
    # MiB.
    mem = lib.mkDefault 512;
    interfaces = [ (plain.hosts.microvmCard farquorumHost.number) ];
    volumes = [
      {
        image = "${farquorumHost.name}.img";
        mountPoint = "/var/lib";
        # MiB. A node wants 2048 of them free (limits.free_bytes_min).
        size = 8192;
      }
    ];
  };
  networking.useDHCP = false;
  networking.interfaces.eth0.ipv4.addresses = [ { inherit (farquorumHost) address; prefixLength = 24; } ];
  networking.usePredictableInterfaceNames = false;
}
