# Who is who in the settings, and on which port. The defaults are the binary's own (`farquorum config explain ports.raft`).
{ lib }:
let
  defaults = {
    raft = 7379;
    grpc = 50051;
    http = 8080;
  };
  port = settings: member: kind: member."${kind}_port" or (settings.ports.${kind} or defaults.${kind});
  find = list: name: lib.findFirst (member: (member.name or null) == name) null list;
in
{
  inherit port;
  # The member of that name, or null.
  node = settings: find (settings.nodes or [ ]);
  worker = settings: find (settings.workers or [ ]);
  names = list: map (member: member.name or "(no name)") list;
  # Addresses of a list of members, without one's own: the public one of who has one.
  others =
    public: list: name:
    map (member: public.${member.name or ""} or member.address) (builtins.filter (member: (member.name or null) != name) list);
}
