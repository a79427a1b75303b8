# What Nix itself puts into its store for this checkout, with `lib` alone: the source that the build reads, the rendered
# configuration, scripts and units. For `nix-instantiate --eval --read-write-mode` with a store that is thrown away.
# The result names the paths, and says what the flake tests.
{ lib, root, source ? root, mistakes ? { } }:
let
  evaluated = import ./evaluate.nix { inherit lib root mistakes; write = builtins.toFile; };
  # Of crane and of nixpkgs nothing is looked at but what is handed to them.
  crane = builtins.listToAttrs (
    map (name: { inherit name; value = given: given; }) [ "buildDepsOnly" "buildPackage" "cargoClippy" "cargoDeny" "cargoFmt" "cargoTest" ]
  );
  inherit (import (root + "/nix/build.nix") { inherit lib; root = source; pkgs = { }; craneLib = crane; }) checks;
in
{
  source = checks.fmt.src;
  tested = checks.tests.cargoTestExtraArgs;
  files = builtins.mapAttrs builtins.toFile evaluated.files;
  rest = builtins.toFile "rest.json" (builtins.toJSON (removeAttrs evaluated [ "files" ]));
  refused = builtins.intersectAttrs mistakes evaluated.refused;
}
