# The disk that a node keeps its log on: mounted by label, never by a device name that may change at the next boot.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.farquorum.dataDisk;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkIf mkOption types;
  label = "/dev/disk/by-label/${cfg.label}";
in
{
  options.services.farquorum.dataDisk = {
    label = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "farquorum-data";
      description = "Label of the data disk's ext4 file system; null: the log lies on the root disk.";
    };
    blankDevice = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/dev/disk/by-id/google-farquorum-data";
      description = "A link in /dev/disk, or a pattern of links, by which a new disk is found. The first that holds nothing is given a file system, when no disk has the label yet.";
    };
  };

  config = mkIf (cfg.label != null) {
    assertions = [
      {
        assertion = builtins.match "[A-Za-z0-9_-]{1,16}" cfg.label != null;
        message = "${config.networking.hostName}: services.farquorum.dataDisk.label is \"${cfg.label}\"; ext4 takes 1 to 16 of A-Z a-z 0-9 _ -.";
      }
      {
        assertion = cfg.blankDevice == null || lib.hasPrefix "/dev/disk/" cfg.blankDevice;
        message = "${config.networking.hostName}: services.farquorum.dataDisk.blankDevice is \"${toString cfg.blankDevice}\"; it must be a link below /dev/disk, because names such as /dev/sdb move.";
      }
    ];
    # systemd keeps the state of a DynamicUser there, and wants it closed to others.
    systemd.tmpfiles.rules = [ "d /var/lib/private 0700 root root -" ];
    fileSystems."/var/lib/private/farquorum" = {
      device = label;
      fsType = "ext4";
      options = [ "noatime" "nodev" "nosuid" "noexec" "nofail" "x-systemd.device-timeout=60s" ];
    };
    # Clouds attach the disk when the machine runs already, minutes later in bad cases: until one has the label, this fails
    # and is run again. The mount waits for the label and not for this, so nothing else at boot does.
    systemd.services.farquorum-format-disk = mkIf (cfg.blankDevice != null) {
      description = "Give a blank data disk a file system";
      wantedBy = [ "multi-user.target" ];
      unitConfig = plain.unit.tryForEver;
      path = [ pkgs.util-linux pkgs.e2fsprogs pkgs.systemd ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        Restart = "on-failure";
        RestartSec = "5s";
      };
      script = ''
        set -eu
        # Disks that are there already have their labels when udev has seen them all.
        udevadm settle --timeout=60 || true
        for disk in ${cfg.blankDevice}; do
          test ! -e ${label} || exit 0
          test -b "$disk" || continue
          # 2: it was read and holds nothing that is known. Anything else is somebody's data, or a fault.
          status=0
          blkid --probe "$disk" || status=$?
          if [ "$status" -eq 2 ]; then
            mkfs.ext4 -q -L ${cfg.label} "$disk"
            udevadm trigger --settle "$disk"
            exit 0
          fi
        done
        echo "no disk has the label ${cfg.label} yet, and no blank one is ${cfg.blankDevice}" >&2
        exit 1
      '';
    };
  };
}
