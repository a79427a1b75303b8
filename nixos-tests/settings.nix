# The cluster of the VM test: three nodes and an operator on the test driver's network, where machines get their
# addresses in the order of their names.
let
  address = number: "192.168.1.${toString number}";
  node = id: { inherit id; name = "cp${toString id}"; cloud = "lab"; address = address id; };
in
{
  operator = address 4;
  settings = {
    cluster.name = "farquorum";
    clouds.lab = { network = "192.168.1.0/24"; region = "none"; };
    nodes = map node [ 1 2 3 ];
    workers = [ ];
    storage = { bucket = "pipeline-data"; cloud = "lab"; address = address 5; };
    raft.bootstrap = true;
  };
}
