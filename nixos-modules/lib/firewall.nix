# Input rules for nftables: each port is open to the addresses that need it and to nobody else. And the options that say so.
{ lib }:
let
  isV4 = address: builtins.match "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?" address != null;
  single = address: if lib.hasInfix "/" address then address else "${address}/32";
  rule =
    { what, port, from, protocol ? "tcp" }:
    lib.optional (from != [ ])
      "ip saddr { ${lib.concatMapStringsSep ", " single (lib.sort (a: b: a < b) (lib.unique from))} } ${protocol} dport ${toString port} accept comment \"farquorum ${what}\"";
in
{
  inherit isV4;

  # opened: what the rules open, in words. Options of every host that is monitored.
  options = opened: {
    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Open ${opened}, each address a rule.";
    };
    monitors = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Addresses that read /readyz and /metrics.";
    };
  };

  # [ { from; to; } ] -> a chain that sends what goes to one address to another.
  public = moved: ''
    chain output {
      type nat hook output priority -100;
    ${lib.concatMapStrings (move: "  ip daddr ${move.from} dnat to ${move.to}\n") moved}}
  '';

  # [ { what; port; from; protocol ? "tcp"; } ] -> text
  render = rules: lib.concatMapStrings (line: line + "\n") (lib.concatMap rule rules);
}
