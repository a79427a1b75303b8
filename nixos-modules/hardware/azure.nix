# Azure. Used beside nixpkgs' azure-image.nix.
{ lib, ... }:
{
  # The default size makes a disk that Azure refuses (nixpkgs issue 516860). MiB.
  virtualisation.diskSize = lib.mkDefault 8192;
  virtualisation.azureImage.vmGeneration = lib.mkDefault "v2";
  services.farquorum.dataDisk.label = lib.mkDefault "farquorum-data";
  # Logical unit 10 of the data disks.
  services.farquorum.dataDisk.blankDevice = lib.mkDefault "/dev/disk/azure/scsi1/lun10";
  # The host's clock, through Hyper-V.
  services.chrony.extraConfig = ''
    refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0
  '';
  services.openssh.settings.PasswordAuthentication = false;
}
