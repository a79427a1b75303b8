"""Who may reach whom, worked out a second time from the render and compared with the rules of every cloud.

Role, protocol, port and source of each rule that lets somebody in, no more and no fewer; and each machine belongs to the rules of its own
role. Used by properties.py.
"""

# Machines by cloud: the resource of their addresses, and the attribute that holds one.
ADDRESSES = {"aws_eip": "public_ip", "google_compute_address": "address", "azurerm_public_ip": "ip_address"}


def expected(variables, addresses):
    """provider -> { (role, protocol, port, CIDR) }."""
    render, admins = variables["farquorum"], variables.get("admin_cidrs") or []
    wireguard = variables.get("connectivity") == "wireguard"
    mesh = ("udp", variables.get("wireguard_port") or 51820) if wireguard else ("tcp", render["ports"]["raft"])
    only = lambda names: {f"{addresses[name]}/32" for name in names}
    workers = only(name for pool in render["workers"].values() for name in pool["names"])
    wanted = {}
    for cloud, c in render["clouds"].items():
        peers = only(n for n in render["nodes"] if any(o["cloud"] == cloud for other, o in render["nodes"].items() if other != n))
        node = {(*mesh, s) for s in peers} | {("tcp", render["ports"]["api"], s) for s in peers | workers | set(admins)}
        node |= {("tcp", port, s) for port in (render["ports"]["http"], 22) for s in admins}
        wanted[c["provider"]] = {("node", *rule) for rule in node} | {("worker", "tcp", 22, s) for s in admins}
    return wanted


def ports(text):
    """What a rule opens: a number, or the text itself when it is a range or anything else."""
    return int(text) if str(text).isdigit() else text


def found(state):
    """provider -> { (role, protocol, port, CIDR) }, of resources { type, index, values }."""
    groups = {r["values"]["id"]: r["index"] for r in state if r["type"] == "aws_security_group"}
    has = {"aws": set(), "gcp": set(), "azure": set()}
    for r in state:
        v = r["values"]
        if r["type"] == "aws_vpc_security_group_ingress_rule":
            port = v["from_port"] if v["from_port"] == v["to_port"] else f"{v['from_port']}-{v['to_port']}"
            has["aws"].add((groups.get(v["security_group_id"]), v["ip_protocol"], port, v["cidr_ipv4"]))
        if r["type"] == "google_compute_firewall":
            roles = [t.rsplit("-", 1)[-1] for t in v.get("target_tags") or []] or ["machine of any role"]
            has["gcp"] |= {(role, a["protocol"], ports(p), s) for role in roles for a in v["allow"]
                           for p in a["ports"] or ["every port"] for s in v["source_ranges"] or ["every source"]}
        if r["type"] == "azurerm_network_security_rule" and (v["access"], v["direction"]) == ("Allow", "Inbound"):
            role = v["network_security_group_name"].rsplit("-", 1)[-1]
            has["azure"] |= {(role, v["protocol"].lower(), ports(v["destination_port_range"]), s)
                             for s in v["source_address_prefixes"] or [v["source_address_prefix"]]}
    return has


def check_machines(state):
    """Each machine is under the rules of its role, and in Azure these end with a refusal, since the own network is let in otherwise."""
    group_of = {r["values"]["id"]: r["index"] for r in state if r["type"] in ("aws_security_group", "azurerm_network_security_group")}
    card_of = {r["values"]["id"]: r["index"] for r in state if r["type"] == "azurerm_network_interface"}
    guarded = {card_of.get(r["values"]["network_interface_id"]): group_of.get(r["values"]["network_security_group_id"])
               for r in state if r["type"] == "azurerm_network_interface_security_group_association"}
    for r in state:
        v, has, role = r["values"], None, None
        if r["type"] == "aws_instance":
            role, has = v["tags"]["Role"], [group_of.get(g) for g in v["vpc_security_group_ids"]]
        if r["type"] == "google_compute_instance":
            role, has = v["labels"]["role"], [t.rsplit("-", 1)[-1] for t in v["tags"]]
        if r["type"] == "azurerm_linux_virtual_machine":
            role, has = v["tags"]["role"], [guarded.get(r["index"])]
        if has != (role and [role]):
            yield f"{r['address']}: is under the rules of {has}, expected those of a {role} alone"
        if r["type"] == "azurerm_network_security_group":
            last = [x for x in state if x["type"] == "azurerm_network_security_rule" and x["values"]["access"] == "Deny" and
                    x["values"]["network_security_group_name"] == v["name"] and x["values"]["source_address_prefix"] == "*" and
                    x["values"]["direction"] == "Inbound" and x["values"]["destination_port_range"] == "*"]
            if not last:
                yield f"{r['address']}: no rule refuses all else, so Azure lets its own network in"


def check(variables, state):
    addresses = {r["index"]: r["values"][ADDRESSES[r["type"]]] for r in state if r["type"] in ADDRESSES}
    has = found(state)
    for provider, wanted in expected(variables, addresses).items():
        yield from (f"{provider}: missing: a {role} lets in {source} on {protocol} {port}"
                    for role, protocol, port, source in sorted(wanted - has[provider], key=str))
        yield from (f"{provider}: nobody needs it: a {role} lets in {source} on {protocol} {port}"
                    for role, protocol, port, source in sorted(has[provider] - wanted, key=str))
    yield from check_machines(state)


# As in properties.py: kind of resource, what to break in it, what the finding says.
BREAKS = [
    ("aws_vpc_security_group_ingress_rule", {"to_port": 65535}, "nobody needs it: a node lets in"),
    ("aws_vpc_security_group_ingress_rule", {"ip_protocol": "udp"}, "aws: missing: a node lets in"),
    ("google_compute_firewall", {"target_tags": []}, "a machine of any role lets in"),
    ("google_compute_firewall", {"allow": [{"protocol": "tcp", "ports": []}]}, "on tcp every port"),
    ("azurerm_network_security_rule", {"destination_port_range": "*"}, "azure: missing: a node lets in"),
    ("azurerm_network_security_rule", {"access": "Allow"}, "no rule refuses all else"),
    ("aws_instance", {"vpc_security_group_ids": ["other"]}, "is under the rules of [None]"),
    ("google_compute_instance", {"tags": ["farquorum-node"]}, "is under the rules of ['node'], expected those of a worker"),
    ("azurerm_network_interface_security_group_association", {"network_security_group_id": "other"}, "is under the rules of [None]"),
]
