# What every host of a cluster has: the settings, the binary, time, logs.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.farquorum;
  plain = import ./lib { inherit lib; };
  inherit (lib) mkOption mkDefault types;
in
{
  imports = [ ./keys.nix ./public.nix ];

  options.services.farquorum = {
    package = mkOption {
      type = types.package;
      description = "The package with bin/farquorum; the flake sets it.";
    };
    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = lib.literalExpression "builtins.fromTOML (builtins.readFile ./farquorum.toml)";
      description = "farquorum.toml as Nix values (RFC 42); `farquorum config keys` lists every key. Checked by the binary at build.";
    };
    configFile = mkOption {
      type = types.anything;
      readOnly = true;
      description = "The settings as a checked TOML file.";
    };
    tomlText = mkOption {
      type = types.str;
      readOnly = true;
      internal = true;
      description = "The settings as TOML.";
    };
    logFormat = mkOption {
      type = types.enum [ "text" "json" ];
      default = "json";
      description = "How log lines look in the journal.";
    };
    logBytesMax = mkOption {
      type = types.str;
      default = "1G";
      description = "Most that the journal keeps on disk; older files are deleted by journald itself.";
    };
  };

  config = {
    services.farquorum.tomlText = plain.toml.render cfg.settings;
    services.farquorum.configFile =
      pkgs.runCommand "farquorum.toml"
        {
          toml = cfg.tomlText;
          passAsFile = [ "toml" ];
          nativeBuildInputs = [ cfg.package ];
        }
        ''
          farquorum --config "$tomlPath" config check
          cp "$tomlPath" "$out"
        '';
    # `ssh root@HOST farquorum ...` finds the binary and the file.
    environment.systemPackages = [ cfg.package ];
    environment.sessionVariables.FARQUORUM_CONFIG = "${cfg.configFile}";
    # The leader's wall clock is data in the log; intervals do not depend on it.
    services.chrony.enable = mkDefault true;
    services.journald.extraConfig = ''
      SystemMaxUse=${cfg.logBytesMax}
      MaxRetentionSec=1month
    '';
    networking.firewall.enable = mkDefault true;
    networking.nftables.enable = mkDefault true;
  };
}
