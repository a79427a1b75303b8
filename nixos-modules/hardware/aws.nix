# EC2. Used beside nixpkgs' amazon-image.nix.
{ lib, ... }:
{
  # It would fetch and build what user data says, at each boot, on a machine that is too small for it.
  virtualisation.amazon-init.enable = lib.mkForce false;
  services.farquorum.dataDisk.label = lib.mkDefault "farquorum-data";
  # The root disk matches too, and is left alone: it holds something.
  services.farquorum.dataDisk.blankDevice = lib.mkDefault "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol*";
  services.chrony.servers = [ "169.254.169.123" ];
  services.openssh.settings.PasswordAuthentication = false;
}
