# The binary, its checks and its container image. The dependencies are built once, then the workspace.
{ lib, pkgs, craneLib, root }:
let
  # Everything that a build reads, and nothing that changes without changing it.
  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions (
      map (name: root + "/${name}") [
        ".cargo" "Cargo.lock" "Cargo.toml" "ci/baseline" "cli" "clippy.toml" "config" "deny.toml" "farquorum.toml"
        "netem" "node" "proto" "rustfmt.toml" "worker"
        # A test plays the scenario that it shows.
        "docs/lab.md"
      ]
    );
  };
  common = {
    inherit src;
    pname = "farquorum";
    strictDeps = true;
    # bindgen reads RocksDB's header; RocksDB itself comes with its crate, because versions must match.
    nativeBuildInputs = [ pkgs.rustPlatform.bindgenHook pkgs.protobuf ];
    PROTOC = lib.getExe' pkgs.protobuf "protoc";
  };
  cargoArtifacts = craneLib.buildDepsOnly common;
  with' = extra: common // { inherit cargoArtifacts; } // extra;
  farquorum = craneLib.buildPackage (with' {
    cargoExtraArgs = "--locked --package farquorum";
    # Tests are a check of their own.
    doCheck = false;
    meta.mainProgram = "farquorum";
  });
in
{
  inherit farquorum;

  # Its layers have the time 0, so that the same inputs give the same image.
  container = pkgs.dockerTools.buildLayeredImage {
    name = "farquorum";
    tag = "latest";
    contents = [ farquorum ];
    config = {
      Entrypoint = [ (lib.getExe farquorum) ];
      User = "65532:65532";
    };
  };

  checks = {
    build = farquorum;
    clippy = craneLib.cargoClippy (with' { cargoClippyExtraArgs = "--workspace --all-targets -- -D warnings"; });
    fmt = craneLib.cargoFmt { inherit src; pname = "farquorum"; };
    # Licences, sources and banned crates. Advisories come over the network.
    deny = craneLib.cargoDeny { inherit src; pname = "farquorum"; };
    # Those that need no network namespaces, which the build sandbox does not give.
    tests = craneLib.cargoTest (with' {
      cargoTestExtraArgs = lib.concatMapStringsSep " " (name: "--package farquorum-${name}") [
        "config" "core" "driver" "tls" "proto"
      ];
    });
    modules =
      let
        evaluated = import ../ci/nix/evaluate.nix { inherit lib root; };
        text = builtins.toJSON { inherit (evaluated) files hardware refused; };
      in
      assert evaluated.same && evaluated.accepted == [ ];
      pkgs.runCommand "farquorum-modules" { inherit text; passAsFile = [ "text" ]; } ''cp "$textPath" "$out"'';
  };
}
