# Three nodes and an operator as virtual machines: a write survives a partition, a rolling restart and the crash of all.
{ lib, modules, package }:
let
  inherit (import ./settings.nix) operator settings;
  certs = "/tmp/shared/certs";
  control = member: {
    imports = [ modules.node ];
    # MiB. A node wants 2048 of them free (limits.free_bytes_min).
    virtualisation.diskSize = 8192;
    services.farquorum = {
      inherit package settings;
      node = {
        enable = true;
        name = member.name;
        clients = [ operator ];
        monitors = [ operator ];
      };
    };
  };
  context = (import ../nixos-modules/lib { inherit lib; }).toml.render {
    cluster = settings.cluster.name;
    nodes = map (member: {
      inherit (member) id name cloud;
      grpc = "${member.address}:50051";
      http = "${member.address}:8080";
    }) settings.nodes;
    tls = {
      ca = "${certs}/ca/peer.crt";
      cert = "${certs}/admin.crt";
      key = "${certs}/admin.key";
    };
  };
in
{
  name = "farquorum-cluster";
  nodes = lib.listToAttrs (map (member: lib.nameValuePair member.name (control member)) settings.nodes) // {
    operator = {
      environment.systemPackages = [ package ];
      environment.etc."farquorum.toml".text = context;
      environment.variables.FARQUORUM_CONTEXT = "/etc/farquorum.toml";
    };
  };

  testScript = ''
    import json

    nodes = [cp1, cp2, cp3]
    start_all()

    # The keys of a test are made in one place. Elsewhere each host makes its own.
    operator.succeed("farquorum certs init --dir ${certs}")
    operator.succeed("farquorum certs issue --dir ${certs} --role admin --name admin")
    for number, node in enumerate(nodes, start=1):
        operator.succeed(
            f"farquorum certs issue --dir ${certs} --role node --name {node.name} --san 192.168.1.{number}"
        )
        node.succeed("install -d -m 0700 /var/lib/farquorum-keys/ca")
        node.succeed(f"cp ${certs}/{node.name}.crt ${certs}/{node.name}.key /var/lib/farquorum-keys/")
        node.succeed("cp ${certs}/ca/*.crt ${certs}/ca/*.crl /var/lib/farquorum-keys/ca/")

    def ready(node, number):
        node.wait_for_unit("farquorum-node.service")
        operator.wait_until_succeeds(f"curl --fail --silent http://192.168.1.{number}:8080/readyz", timeout=60)

    def all_ready():
        for number, node in enumerate(nodes, start=1):
            ready(node, number)

    def write(key):
        operator.wait_until_succeeds(f"farquorum kv set {key} {key}", timeout=60)

    def written(key):
        value = operator.wait_until_succeeds(f"farquorum --format json kv get {key}", timeout=60)
        assert key in json.dumps(json.loads(value)), value

    all_ready()
    write("first")

    with subtest("a partition of one node stops no write"):
        for number, node in enumerate(nodes, start=1):
            node.block()
            write(f"without-{number}")
            node.unblock()
            ready(node, number)

    with subtest("a rolling restart hands over and loses nothing"):
        for number, node in enumerate(nodes, start=1):
            node.succeed("systemctl restart farquorum-node.service")
            ready(node, number)
            write(f"restarted-{number}")

    with subtest("all crash at once"):
        for node in nodes:
            node.crash()
        start_all()
        all_ready()
        for key in ["first", "without-1", "without-3", "restarted-2"]:
            written(key)
        write("last")

    with subtest("a process that is killed comes back"):
        cp1.succeed("systemctl kill --signal=KILL farquorum-node.service")
        ready(cp1, 1)
  '';
}
