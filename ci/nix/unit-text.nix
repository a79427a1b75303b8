# Writes a service of `systemd.services`, or a path of `systemd.paths`, as a unit file, as NixOS does for the keys that the modules use.
{ lib }:
let
  shown = value: if builtins.isBool value then (if value then "true" else "false") else toString value;
  line =
    name: value: if builtins.isList value then map (element: "${name}=${shown element}") value else [ "${name}=${shown value}" ];
  lines = set: lib.concatMap (name: line name set.${name}) (builtins.attrNames set);
  joined = name: list: lib.optional (list != [ ]) "${name}=${lib.concatStringsSep " " list}";
in
service:
lib.concatStringsSep "\n" (
  [ "[Unit]" "Description=${service.description}" ]
  ++ joined "Wants" (service.wants or [ ])
  ++ joined "After" (service.after or [ ])
  ++ lines (service.unitConfig or { })
  ++ lib.optionals (service ? serviceConfig) ([ "" "[Service]" ] ++ lines service.serviceConfig)
  ++ lib.optionals (service ? pathConfig) ([ "" "[Path]" ] ++ lines service.pathConfig)
  ++ [ "" "[Install]" ]
  ++ joined "WantedBy" (service.wantedBy or [ ])
)
+ "\n"
