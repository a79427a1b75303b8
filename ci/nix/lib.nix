# The part of nixpkgs' `lib` that the modules use, for machines that cannot fetch nixpkgs. Written for these tests:
# strict about unknown options and wrong types, and no more general than the modules need. `ci/nix.sh` takes the real
# one when NIXPKGS_LIB names it; the golden files must be the same with both.
rec {
  inherit (builtins) concatMap concatStringsSep sort;
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatMapStrings = concatMapStringsSep "";
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  filterAttrs = keep: set: removeAttrs set (builtins.filter (n: !(keep n set.${n})) (builtins.attrNames set));
  optional = condition: value: if condition then [ value ] else [ ];
  optionalAttrs = wanted: set: if wanted then set else { };
  optionals = condition: list: if condition then list else [ ];
  unique = builtins.foldl' (seen: value: if builtins.elem value seen then seen else seen ++ [ value ]) [ ];
  findFirst =
    wanted: fallback: list:
    let
      found = builtins.filter wanted list;
    in
    if found == [ ] then fallback else builtins.head found;
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      rest = builtins.stringLength text - builtins.stringLength suffix;
    in
    rest >= 0 && builtins.substring rest (builtins.stringLength suffix) text == suffix;
  hasInfix = part: text: builtins.length (builtins.split (escapeRegex part) text) > 1;
  escapeRegex = builtins.replaceStrings [ "\\" "." "/" "[" "(" ")" "*" "+" "?" "^" "$" "{" "|" ] [
    "\\\\" "\\." "/" "\\[" "\\(" "\\)" "\\*" "\\+" "\\?" "\\^" "\\$" "\\{" "\\|"
  ];
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then
      builtins.substring (builtins.stringLength prefix) (builtins.stringLength text) text
    else
      text;

  splitString = separator: text: builtins.filter builtins.isString (builtins.split (escapeRegex separator) text);

  genAttrs = names: f: builtins.listToAttrs (map (name: nameValuePair name (f name)) names);
  nameValuePair = name: value: { inherit name value; };
  inherit (builtins) listToAttrs;
  toLower =
    builtins.replaceStrings
      [ "A" "B" "C" "D" "E" "F" ]
      [ "a" "b" "c" "d" "e" "f" ];
  toHexString =
    number:
    (if number < 16 then "" else toHexString (number / 16))
    + builtins.substring (number - number / 16 * 16) 1 "0123456789ABCDEF";

  # Files and folders below one root; a folder stands for all that is in it.
  fileset = {
    unions = concatMap (set: if builtins.isList set then set else [ set ]);
    toSource =
      { root, fileset }:
      let
        missing = builtins.filter (path: !(builtins.pathExists path)) fileset;
        within = folder: path: path == folder || hasPrefix "${folder}/" path;
        wanted = map toString fileset;
      in
      if missing != [ ] then
        throw "fileset: ${toString (builtins.head missing)} does not exist"
      else
        builtins.path {
          name = "source";
          path = root;
          filter = path: _: builtins.any (one: within one path || within path one) wanted;
        };
  };

  mkOption = option: option // { _type = "option"; };
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  literalExpression = text: text;
  literalMD = text: text;
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;

  types =
    let
      only = name: check: {
        inherit name;
        merge = path: values:
          let
            wrong = builtins.filter (value: !(check value)) values;
          in
          if wrong != [ ] then
            throw "${path}: ${builtins.toJSON (builtins.head wrong)} is no ${name}"
          else if builtins.length (unique values) != 1 then
            throw "${path}: defined more than once, differently: ${builtins.toJSON values}"
          else
            builtins.head values;
      };
    in
    rec {
      bool = only "truth value" builtins.isBool;
      int = only "whole number" builtins.isInt;
      port = only "port" (value: builtins.isInt value && value >= 0 && value <= 65535);
      str = only "text" builtins.isString;
      package = only "package" (value: builtins.isString value || builtins.isAttrs value);
      enum = allowed: only "one of ${builtins.toJSON allowed}" (value: builtins.elem value allowed);
      # Several definitions of text become its lines, as the firewall's rules and journald's settings do.
      lines = {
        name = "lines";
        merge = path: values: concatStringsSep "\n" (map (value: str.merge path [ value ]) values);
      };
      nullOr = type: {
        name = "null or ${type.name}";
        merge = path: values: if builtins.all (value: value == null) values then null else type.merge path values;
      };
      listOf = type: {
        name = "list of ${type.name}";
        merge =
          path: values:
          concatMap (
            list:
            if builtins.isList list then map (element: type.merge path [ element ]) list else throw "${path}: ${builtins.toJSON list} is no list"
          ) values;
      };
      attrsOf = type: {
        name = "set of ${type.name}";
        merge =
          path: values:
          if builtins.all builtins.isAttrs values then
            builtins.mapAttrs (name: merged "${path}.${name}" type) (byName values)
          else
            throw "${path}: ${builtins.toJSON values} is no set";
      };
      anything = {
        name = "anything";
        merge =
          path: values:
          if builtins.all (v: builtins.isAttrs v && !(v ? outPath)) values then
            (attrsOf anything).merge path values
          else
            (only "value" (_: true)).merge path values;
      };
    };

  # Definitions of a set -> for each name the list of its definitions; conditions and priorities move inwards.
  byName =
    definitions:
    let
      sets = concatMap inwards definitions;
      names = unique (concatMap builtins.attrNames sets);
      of = name: concatMap (set: optional (set ? ${name}) set.${name}) sets;
      all = builtins.listToAttrs (map (name: { inherit name; value = of name; }) names);
    in
    filterAttrs (_: values: flat 100 (mkMerge values) != [ ]) all;
  inwards =
    value:
    if value._type or null == "merge" then
      concatMap inwards value.contents
    else if value._type or null == "if" then
      map (builtins.mapAttrs (_: mkIf value.condition)) (inwards value.content)
    else if value._type or null == "override" then
      map (builtins.mapAttrs (_: mkOverride value.priority)) (inwards value.content)
    else
      [ value ];
  # One definition -> [ { priority; value; } ], only what its conditions let through.
  flat =
    priority: value:
    if !(builtins.isAttrs value) then
      [ { inherit priority value; } ]
    else if value._type or null == "merge" then
      concatMap (flat priority) value.contents
    else if value._type or null == "if" then
      optionals value.condition (flat priority value.content)
    else if value._type or null == "override" then
      flat value.priority value.content
    else
      [ { inherit priority value; } ];
  merged =
    path: type: definitions:
    let
      all = concatMap (flat 100) definitions;
      best = builtins.foldl' (least: d: if d.priority < least then d.priority else least) 10000 all;
    in
    if all == [ ] then
      throw "${path}: used but not defined"
    else
      type.merge path (map (d: d.value) (builtins.filter (d: d.priority == best) all));

  evalModules =
    { modules, specialArgs ? { } }:
    let
      arguments = specialArgs // { inherit lib config; };
      lib = import ./lib.nix;
      # A file is taken once, however often it is imported. What was imported last comes first, as with nixpkgs: definitions
      # of lines and lists are joined in this order.
      load =
        seen: queue:
        let
          module = builtins.head queue;
          rest = builtins.tail queue;
          file = if builtins.isPath module then toString module else null;
          value = if file != null then import module else module;
          called = if builtins.isFunction value then value arguments else value;
          plain = if called ? config || called ? options || called ? imports then called else { config = called; };
        in
        if queue == [ ] then
          seen.all
        else if file != null && builtins.elem file seen.files then
          load seen rest
        else
          load {
            files = seen.files ++ optional (file != null) file;
            all = [ plain ] ++ seen.all;
          } (rest ++ plain.imports or [ ]);
      loaded = load { files = [ ]; all = [ ]; } modules;
      declared = join (map (module: module.options or { }) loaded);
      join = builtins.foldl' (
        a: b:
        a // builtins.mapAttrs (name: value: if a ? ${name} && !(value ? _type) then join [ a.${name} value ] else value) b
      ) { };
      under =
        path: options: definitions:
        let
          defined = builtins.foldl' (all: set: all // builtins.mapAttrs (_: _: null) set) { } (concatMap inwards definitions);
          unknown = builtins.attrNames (removeAttrs defined (builtins.attrNames options));
          of = name: concatMap (set: optional (set ? ${name}) set.${name}) (concatMap inwards definitions);
          one =
            name: option:
            let
              at = removePrefix "." "${path}.${name}";
            in
            if option._type or null == "option" then
              merged at option.type (of name ++ optional (option ? default) (mkOverride 1500 option.default))
            else
              under at option (of name);
        in
        if unknown != [ ] then
          throw "no such option: ${removePrefix "." "${path}.${builtins.head unknown}"}"
        else
          builtins.mapAttrs one options;
      config = under "" declared (map (module: module.config or { }) loaded);
    in
    { inherit config; };
}
