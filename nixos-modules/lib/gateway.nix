# Who joins the clouds' networks: its addresses, the devices of its shaper, and what may pass between them. The names and
# addresses are the binary's own (netem/src/gateway).
{ lib }:
let
  # The smallest network that has room for a gateway beside its hosts.
  prefixMax = 28;
  number = text: builtins.fromJSON text;
  powerOfTwo = exponent: if exponent == 0 then 1 else 2 * powerOfTwo (exponent - 1);
  shown = value: lib.concatMapStringsSep "." (place: toString (digit place value)) [ 16777216 65536 256 1 ];
  digit = place: value: value / place - value / place / 256 * 256;
  parts = network: builtins.match "([0-9]+)\\.([0-9]+)\\.([0-9]+)\\.([0-9]+)/([0-9]+)" network;
  prefix = network: number (builtins.elemAt (parts network) 4);
  base = network: builtins.foldl' (sum: part: sum * 256 + number part) 0 (builtins.genList (builtins.elemAt (parts network)) 4);

  # Ordered pairs of different clouds, each with the two ends of its device: where packets go in and where they come out.
  pairs =
    clouds:
    let
      at = builtins.elemAt clouds;
      indexes = builtins.genList (index: index) (builtins.length clouds);
      pair = from: to: {
        from = at from;
        to = at to;
        into = "in${toString from}-${toString to}";
        out = "out${toString from}-${toString to}";
      };
    in
    lib.concatMap (from: map (pair from) (builtins.filter (to: to != from) indexes)) indexes;
  # The device of the shaper in user space.
  device = "wan0";
  quoted = names: lib.concatMapStringsSep ", " (name: "\"${name}\"") names;
in
{
  inherit device pairs prefixMax;

  # "10.10.0.0/24" -> whether a gateway has room in it
  fits = network: parts network != null && prefix network <= prefixMax;

  # "10.10.0.0/24" -> { address = "10.10.0.254"; prefixLength = 24; }: the highest is the gateway's own.
  own = network: {
    address = shown (base network + powerOfTwo (32 - prefix network) - 2);
    prefixLength = prefix network;
  };

  # Every name that the shaper gives a device.
  devices = clouds: [ device ] ++ lib.concatMap (pair: [ pair.into pair.out ]) (pairs clouds);

  # Program `ip`, clouds -> script that ends what shapes in the kernel: it outlives the process that made it, and would go
  # on passing packets. The device of the shaper in user space ends with its process.
  close =
    ip: clouds:
    ''
      for device in ${lib.concatMapStringsSep " " (pair: pair.into) (pairs clouds)}; do
        [ ! -e "/sys/class/net/$device" ] || ${ip} link delete dev "$device"
      done
    '';

  # { cloud = interface; } -> rules of a table of family ip: from a cloud only into the shaper, out of the shaper only into
  # a cloud, and nothing else from one interface of this host to another. What passes comes by twice, before and after its
  # delay, so the kernel's connection tracking, which would see each packet doubled, does not follow it.
  table =
    interfaces:
    let
      clouds = builtins.attrNames interfaces;
      all = quoted (map (cloud: interfaces.${cloud}) clouds);
      shapers = quoted ([ device ] ++ map (pair: pair.out) (pairs clouds));
      into = cloud: quoted ([ device ] ++ map (pair: pair.into) (builtins.filter (pair: pair.from == cloud) (pairs clouds)));
      out = cloud: quoted ([ device ] ++ map (pair: pair.out) (builtins.filter (pair: pair.to == cloud) (pairs clouds)));
      allow = cloud: ''
        iifname "${interfaces.${cloud}}" oifname { ${into cloud} } accept comment "farquorum: from ${cloud}"
        iifname { ${out cloud} } oifname "${interfaces.${cloud}}" accept comment "farquorum: to ${cloud}"
      '';
      indented = text: lib.concatMapStrings (line: if line == "" then "" else "  ${line}\n") (lib.splitString "\n" text);
    in
    ''
      chain untracked {
        type filter hook prerouting priority raw; policy accept;
        iifname { ${all}, ${shapers} } fib daddr type != local notrack
      }
      chain forward {
        type filter hook forward priority filter; policy drop;
      ${indented (lib.concatMapStrings allow clouds)}}
    '';
}
