{
  description = "One Raft control plane across clouds, that can be measured on a laptop before it is paid for";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    crane.url = "github:ipetkov/crane";
    microvm.url = "github:microvm-nix/microvm.nix";
    microvm.inputs.nixpkgs.follows = "nixpkgs";
  };

  # Thin: what can be a plain function is one, in nixos-modules/lib, and is tested without nixpkgs (ci/nix.sh).
  outputs =
    { self, nixpkgs, crane, microvm }:
    let
      inherit (nixpkgs) lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = f: lib.genAttrs systems (system: f system nixpkgs.legacyPackages.${system});
      plain = import ./nixos-modules/lib { inherit lib; };
      settings = builtins.fromTOML (builtins.readFile ./farquorum.toml);
      hosts = plain.hosts.all settings;

      build = pkgs: import ./nix/build.nix { inherit lib pkgs; craneLib = crane.mkLib pkgs; root = ./.; };
      # nixpkgs' own module for each cloud, and the name of its image.
      clouds = {
        aws = { image = "amazon"; module = "amazon-image.nix"; };
        gcp = { image = "google-compute"; module = "google-compute-image.nix"; };
        azure = { image = "azure"; module = "azure-image.nix"; };
      };
      base = host: [
        self.nixosModules.${host.kind}
        {
          networking.hostName = host.name;
          services.farquorum = {
            package = lib.mkDefault self.packages.x86_64-linux.farquorum;
            inherit settings;
            ${host.kind}.enable = true;
          };
          system.stateVersion = "26.05";
        }
      ];
      system =
        host: modules:
        nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          specialArgs.farquorumHost = host;
          modules = base host ++ modules;
        };
      inCloud =
        host:
        system host (
          lib.optionals (clouds ? ${host.cloud}) [
            "${nixpkgs}/nixos/modules/virtualisation/${clouds.${host.cloud}.module}"
            (./nixos-modules/hardware + "/${host.cloud}.nix")
          ]
          # Yours: docs/nix.md, "A host in a cloud".
          ++ lib.optional (builtins.pathExists ./operator.nix) ./operator.nix
        );
      # The modules of Google Cloud and Azure make the system's one image, and nixpkgs offers others only where there is none;
      # that of AWS makes none, although it is called so.
      image =
        host:
        let
          made = (inCloud host).config.system.build;
        in
        made.image or made.images.${clouds.${host.cloud}.image};
      inMicrovm = host: system host [ microvm.nixosModules.microvm ./nixos-modules/microvm.nix ];
      named = prefix: f: list: lib.listToAttrs (map (host: lib.nameValuePair "${prefix}${host.name}" (f host)) list);
      nodes = builtins.filter (host: host.kind == "node") hosts;
      ofClouds = builtins.filter (host: clouds ? ${host.cloud}) hosts;
    in
    {
      nixosModules = {
        node = ./nixos-modules/node.nix;
        worker = ./nixos-modules/worker.nix;
        gateway = ./nixos-modules/gateway.nix;
      };

      nixosConfigurations = named "" inCloud hosts // named "microvm-" inMicrovm nodes;

      packages = each (
        system: pkgs:
        let
          built = build pkgs;
        in
        {
          inherit (built) farquorum container;
          default = built.farquorum;
        }
        // lib.optionalAttrs (system == "x86_64-linux") (
          named "image-" image ofClouds
          // named "microvm-" (host: (inMicrovm host).config.microvm.declaredRunner) nodes
        )
      );

      apps = each (
        system: pkgs:
        let
          appWith = runtimeInputs: name: text: {
            type = "app";
            program = lib.getExe (pkgs.writeShellApplication { inherit name text runtimeInputs; });
          };
          app = appWith [ self.packages.${system}.farquorum pkgs.iproute2 ];
          runner = host: self.packages.x86_64-linux."microvm-${host.name}";
        in
        {
          sim-up = app "sim-up" ''exec farquorum sim up "$@"'';
          sim-down = app "sim-down" ''exec farquorum sim down "$@"'';
          # The machines of docs/microvm.md: the checkout's script with nixpkgs' tools.
          microvm-up = appWith [ pkgs.qemu_kvm pkgs.cpio pkgs.e2fsprogs pkgs.iproute2 pkgs.dpkg ] "microvm-up" ''
            if [ ! -x ci/microvm.sh ]; then
              echo "microvm-up: run it in a checkout, after: make build" >&2
              exit 2
            fi
            exec ci/microvm.sh up "$@"
          '';
          # NixOS machines, not joined through the emulated WAN.
          microvm-up-nixos = app "microvm-up-nixos" (
            import ./nix/microvm-up.nix {
              inherit lib;
              machines = map (host: {
                inherit (host) name;
                card = (plain.hosts.microvmCard host.number).id;
                runner = runner host;
              }) nodes;
            }
          );
        }
      );

      checks = each (
        _: pkgs:
        (build pkgs).checks
        // {
          cluster = pkgs.testers.runNixOSTest (
            import ./nixos-tests/cluster.nix { inherit lib; modules = self.nixosModules; package = (build pkgs).farquorum; }
          );
        }
      );

      devShells = each (
        _: pkgs: {
          default = (crane.mkLib pkgs).devShell {
            inputsFrom = [ (build pkgs).farquorum ];
            packages = [ pkgs.cargo-deny pkgs.cargo-nextest pkgs.jq pkgs.shellcheck ];
          };
        }
      );

      formatter = each (_: pkgs: pkgs.nixfmt-tree);
    };
}
