# The hosts of a configuration: what the flake makes NixOS systems, images and microVMs of.
{ lib }:
let
  of = kind: member: { inherit kind; inherit (member) name cloud address; };
in
{
  # settings -> [ { kind; name; cloud; address; number; } ], nodes first; `number` counts from 1.
  all =
    settings:
    let
      hosts = map (of "node") (settings.nodes or [ ]) ++ map (of "worker") (settings.workers or [ ]);
    in
    builtins.genList (index: builtins.elemAt hosts index // { number = index + 1; }) (builtins.length hosts);

  # What a microVM's network card is called on the host (at most 15 characters), and its address, of its number.
  microvmCard = number: {
    type = "tap";
    id = "farquorum${toString number}";
    mac = "02:66:71:00:00:${if number < 16 then "0" else ""}${lib.toLower (lib.toHexString number)}";
  };
}
