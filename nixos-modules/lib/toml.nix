# Writes an attribute set as TOML, the way that farquorum.toml is laid out: scalars first, then tables, then lists of
# tables. Values that are null are left out: TOML has none. The order is that of the names, so the text is always the same.
{ lib }:
let
  bare = name: builtins.match "[A-Za-z0-9_-]+" name != null;
  key = name: if bare name then name else builtins.toJSON name;
  isTable = value: builtins.isAttrs value;
  isTables = value: builtins.isList value && value != [ ] && builtins.all isTable value;

  # JSON's strings, whole numbers, fractions and truth values are TOML's too.
  inline =
    path: value:
    if builtins.isList value then
      "[${lib.concatMapStringsSep ", " (inline path) value}]"
    else if builtins.isAttrs value then
      "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList (n: v: "${key n} = ${inline path v}") (present value))} }"
    else if builtins.isString value || builtins.isBool value || builtins.isInt value || builtins.isFloat value then
      builtins.toJSON value
    else
      throw "farquorum settings: ${path} is a ${builtins.typeOf value}; allowed are text, numbers, true, false, lists and sets";

  present = lib.filterAttrs (_: value: value != null);

  # `path` is the list of names down to this table.
  table =
    path: value:
    let
      all = present value;
      names = builtins.attrNames all;
      at = name: lib.concatMapStringsSep "." key (path ++ [ name ]);
      scalars = builtins.filter (n: !(isTable all.${n}) && !(isTables all.${n})) names;
      tables = builtins.filter (n: isTable all.${n}) names;
      lists = builtins.filter (n: isTables all.${n}) names;
    in
    map (n: "${key n} = ${inline (at n) all.${n}}") scalars
    ++ lib.concatMap (n: [ "" "[${at n}]" ] ++ table (path ++ [ n ]) all.${n}) tables
    ++ lib.concatMap (
      n: lib.concatMap (element: [ "" "[[${at n}]]" ] ++ table (path ++ [ n ]) element) all.${n}
    ) lists;
in
{
  # attribute set -> TOML text
  render = settings: lib.removePrefix "\n" (lib.concatStringsSep "\n" (table [ ] settings)) + "\n";
}
