# The text of the app `microvm-up-nixos`: names what is missing, then runs one machine per node until it is interrupted.
{ lib, machines }:
''
  missing=0
''
+ lib.concatMapStrings (machine: ''
  if ! ip link show ${machine.card} >/dev/null 2>&1; then
    echo "missing: the network card ${machine.card} of ${machine.name}; try: sudo ${machine.runner}/bin/tap-up" >&2
    missing=1
  fi
'') machines
+ ''
  [ "$missing" -eq 0 ] || exit 2
  machines=()
  stop() { kill "''${machines[@]}" 2>/dev/null || true; }
  trap stop EXIT INT TERM
''
+ lib.concatMapStrings (machine: ''
  ${machine.runner}/bin/microvm-run &
  machines+=("$!")
'') machines
+ ''
  wait
''
