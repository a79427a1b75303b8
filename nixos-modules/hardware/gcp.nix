# Compute Engine. Used beside nixpkgs' google-compute-image.nix.
{ lib, ... }:
{
  # The image turns the host's firewall off and relies on the network's alone.
  networking.firewall.enable = lib.mkForce true;
  services.farquorum.dataDisk.label = lib.mkDefault "farquorum-data";
  # The device name that the attachment is given: farquorum-data.
  services.farquorum.dataDisk.blankDevice = lib.mkDefault "/dev/disk/by-id/google-farquorum-data";
  services.chrony.servers = [ "metadata.google.internal" ];
  services.openssh.settings.PasswordAuthentication = false;
}
