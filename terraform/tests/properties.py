"""Checks what must hold of any plan or state of these roots, whatever the configuration.

Usage: properties.py check PLAN STATE --admin CIDR [--marker TEXT]   both from `terraform show -json`, before and after the apply
       properties.py kept PLAN                                       no machine or data disk is changed or replaced
       properties.py renamed PLAN                                    nothing is made anew before its namesake is gone
       properties.py only PLAN CLOUD PEER [PEER ...]                 deletes of CLOUD; elsewhere only rules that named the peers
       properties.py context OUTPUTS CONTEXT                         `context show -o json` of what was imported from OUTPUTS
       properties.py self-check PLAN STATE --admin CIDR              breaks the plan and state in each way, and expects to notice
Ends with 1 and one line per finding. A finding names the resource, what it has and what it should have.
"""
import argparse
import copy
import ipaddress
import json
import sys

import rules
import storage

# Each with the attribute that holds its type, and the type unless node_types and worker_types say otherwise.
MACHINES = {"aws_instance": ("instance_type", "t3.medium"), "google_compute_instance": ("machine_type", "n1-standard-2"),
            "azurerm_linux_virtual_machine": ("size", "Standard_B2s")}
DISKS = ("aws_ebs_volume", "google_compute_disk", "azurerm_managed_disk")
# What holds a voter's log in its place. On Google Cloud the machine itself names its disk.
ATTACHED = (*DISKS, "aws_volume_attachment", "azurerm_virtual_machine_data_disk_attachment")
BOOT_DATA = ("user_data", "user_data_base64", "custom_data", "metadata_startup_script")
# The provider itself writes an account's keys into the state; the account refuses keys (shared_access_key_enabled = false).
KEYS_REFUSED = "azurerm_storage_account"
# Marked sensitive as it might be anything; here it is computed, and the object is the public system image.
NO_SECRET = (KEYS_REFUSED, "google_storage_bucket_object")


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def sensitive(mark, value):
    """Whether anything marked sensitive has a value."""
    if mark is True:
        return value not in (None, [], {}, "")
    if isinstance(mark, dict):
        return any(sensitive(m, (value or {}).get(k)) for k, m in mark.items())
    if isinstance(mark, list):
        return any(sensitive(m, v) for m, v in zip(mark, value or []))
    return False


def sources(kind, v):
    """CIDRs that an inward rule lets in; None for what is no such rule."""
    if kind == "aws_vpc_security_group_ingress_rule":
        return [v.get("cidr_ipv4")] if v.get("cidr_ipv4") else ["no cidr_ipv4"]
    if kind == "google_compute_firewall" and v.get("allow"):
        return v.get("source_ranges") or ["no source_ranges"]
    if kind == "azurerm_network_security_rule" and v["access"] == "Allow" and v["direction"] == "Inbound":
        return list(v.get("source_address_prefixes") or []) + ([v["source_address_prefix"]] if v.get("source_address_prefix") and
                not v["source_address_prefix"].startswith("azurerm-") else []) or ["no source"]
    return None


def check_rule(address, kind, v, admins):
    for source in sources(kind, v) or []:
        if source in admins:
            continue
        try:
            narrow = ipaddress.ip_network(source).prefixlen == 32
        except ValueError:
            narrow = False
        if not narrow:
            yield f"{address}: lets in {source}; only /32 and {', '.join(admins)} are allowed"


def check_disk(address, kind, v):
    want = {"aws_ebs_volume": ("size", "type", "gp3"), "google_compute_disk": ("size", "type", "pd-ssd"),
            "azurerm_managed_disk": ("disk_size_gb", "storage_account_type", "Premium_LRS")}.get(kind)
    if want:
        size, key, disk = want
        if v[key] != disk or v[size] < 50:
            yield f"{address}: {v[size]} GB of {v[key]}, expected at least 50 of {disk}"
    if kind == "aws_ebs_volume" and v["encrypted"] is not True:
        yield f"{address}: not encrypted"
    if kind == "aws_ebs_snapshot_import" and v["encrypted"] is not True:
        yield f"{address}: not encrypted"
    # Where nixos-modules/hardware looks for a new disk.
    if kind == "azurerm_virtual_machine_data_disk_attachment" and v["lun"] != 10:
        yield f"{address}: logical unit {v['lun']}, but azure.nix looks for 10"
    if kind == "google_compute_instance" and any(d["device_name"] != "farquorum-data" for d in v["attached_disk"]):
        yield f"{address}: the data disk is not called farquorum-data, which gcp.nix looks for"
    if kind == "aws_instance" and not (v["root_block_device"] and all(d["encrypted"] is True for d in v["root_block_device"])):
        yield f"{address}: the root disk is not encrypted"


def check_type(address, kind, v):
    key, want = MACHINES.get(kind, (None, None))
    if key and v[key] != want:
        yield f"{address}: {v[key]}, expected {want}"


def check_storage(address, kind, v):
    if kind == "aws_s3_bucket_versioning" and v["versioning_configuration"][0]["status"] != "Disabled":
        yield f"{address}: versioning is on"
    if kind == "google_storage_bucket" and any(x["enabled"] for x in v["versioning"]):
        yield f"{address}: versioning is on"
    if kind == KEYS_REFUSED:
        if v["blob_properties"][0]["versioning_enabled"]:
            yield f"{address}: versioning is on"
        if v["shared_access_key_enabled"] is not False:
            yield f"{address}: takes keys, and keys stand in the state"


def check_plan(plan, admins):
    """What is planned: unknown values are absent, so whatever stands here was set by the configuration."""
    for change in plan["resource_changes"]:
        after, address = change["change"]["after"], change["address"]
        if after is None:
            continue
        if sensitive(change["change"].get("after_sensitive"), after):
            yield f"{address}: a sensitive value in the plan"
        for key in BOOT_DATA:
            if after.get(key):
                yield f"{address}: {key} is set; the system is baked into the image"
        for key in (after.get("metadata") or {}) if change["type"] == "google_compute_instance" else {}:
            if key in ("user-data", "startup-script"):
                yield f"{address}: metadata {key} is set; the system is baked into the image"
        if change["type"] == "aws_instance" and [m["http_tokens"] for m in after.get("metadata_options", [])] != ["required"]:
            yield f"{address}: metadata version 1 is on"
        if change["type"] == "aws_security_group" and (after.get("ingress") or after.get("egress")):
            yield f"{address}: rules inside the group, where no rule is checked"


def check_state(state, admins, nodes):
    disks = 0
    for r in resources(state["values"]["root_module"]):
        kind, v, address = r["type"], r["values"], r["address"]
        yield from check_rule(address, kind, v, admins)
        yield from check_disk(address, kind, v)
        yield from check_storage(address, kind, v)
        yield from check_type(address, kind, v)
        disks += kind in DISKS
        if kind not in NO_SECRET and sensitive(r.get("sensitive_values"), v):
            yield f"{address}: a sensitive value in the state"
    if disks != nodes:
        yield f"{disks} data disks for {nodes} nodes"


def check(plan, state, admins, marker=None):
    outputs = state["values"]["outputs"]
    nodes, connectivity = outputs["farquorum_nodes"]["value"], outputs["farquorum_cluster"]["value"]["connectivity"]
    wanted = plan["variables"].get("connectivity", {}).get("value")
    found = list(check_plan(plan, admins)) + list(check_state(state, admins, len(nodes)))
    found += storage.check(plan, state, {r["address"]: r["values"] for r in resources(state["values"]["root_module"])})
    found += rules.check({name: v.get("value") for name, v in plan["variables"].items()},
                         [{"index": None, **r} for r in resources(state["values"]["root_module"])])
    if connectivity != wanted:
        found.append(f"farquorum_cluster: connectivity is {connectivity}, expected {wanted}")
    for name, node in nodes.items():
        keys = ["api", "cloud", "id", "private_ip", "public_ip", "raft", "region"]
        if sorted(node) != keys or not all(node.values()):
            found.append(f"farquorum_nodes.{name}: has {sorted(node)}, expected a value for each of {keys}")
        meets = "private_ip" if connectivity == "wireguard" else "public_ip"
        for port, address in (("raft", node[meets]), ("api", node["public_ip"])):
            if node[port].rpartition(":")[0] != address:
                found.append(f"farquorum_nodes.{name}: {port} is {node[port]}, expected it at {address} ({connectivity})")
    for what, document in (("plan", plan), ("state", state)):
        if marker and marker in json.dumps(document):
            found.append(f"the planted marker stands in the {what}")
    return found


def kept(plan):
    kinds = (*MACHINES, *ATTACHED)
    there = [c for c in plan["resource_changes"] if c["type"] in kinds]
    # Of Google Cloud there is no attachment.
    missing = {"machine": MACHINES, "data disk": DISKS}
    return [f"{c['address']}: {'+'.join(c['change']['actions'])}; no machine or data disk may be touched by a new image"
            for c in there if c["change"]["actions"] != ["no-op"]] + \
        [f"no {what} is in the plan" for what, some in missing.items() if not any(c["type"] in some for c in there)]


def context(outputs, shown):
    """Operators reach every node at its public addresses, however the nodes meet."""
    wanted = sorted((name, n["api"], n["public_ip"]) for name, n in outputs["farquorum_nodes"]["value"].items())
    has = sorted((n["name"], n["grpc"], n["http"].rpartition(":")[0]) for n in shown["context"]["nodes"])
    return [] if has == wanted else [f"the context has {has}, expected {wanted}"]


def renamed(plan):
    """Names are unique in a cloud: what keeps its name cannot be made before the one that it replaces is gone."""
    return [f"{c['address']}: made anew as {c['change']['after']['name']} while the old one has that name"
            for c in plan["resource_changes"] if c["change"]["actions"] == ["create", "delete"] and
            c["change"]["after"].get("name") and c["change"]["after"]["name"] == c["change"]["before"]["name"]]


def only(plan, cloud, peers):
    found, deletes = [], 0
    for c in plan["resource_changes"]:
        actions, where = c["change"]["actions"], c.get("module_address", "")
        if actions == ["no-op"]:
            continue
        if where.startswith(f"module.{cloud}["):
            deletes += actions == ["delete"]
            if actions != ["delete"]:
                found.append(f"{c['address']}: {'+'.join(actions)}, expected delete")
            continue
        rule = sources(c["type"], c["change"]["before"] or {"access": "", "direction": ""}) is not None
        named = any(p in json.dumps([c["address"], c["change"]["before"]]) for p in peers) or c["type"] == "azurerm_network_security_rule"
        if not (rule and named and actions in (["update"], ["delete"])):
            found.append(f"{c['address']}: {'+'.join(actions)}, but only {cloud} was removed")
    return found or ([] if deletes else [f"nothing of {cloud} is deleted"])


def find(plan, state, kind):
    for c in plan["resource_changes"]:
        if c["type"] == kind:
            yield c["change"]["after"]
    for r in resources(state["values"]["root_module"]):
        if r["type"] == kind:
            yield r["values"]


# kind of resource, what to break in it, what the finding says
BREAKS = [
    ("aws_vpc_security_group_ingress_rule", {"cidr_ipv4": "0.0.0.0/0"}, "lets in 0.0.0.0/0"),
    ("aws_vpc_security_group_ingress_rule", {"cidr_ipv4": "203.0.113.0/24"}, "lets in 203.0.113.0/24"),
    ("google_compute_firewall", {"source_ranges": ["0.0.0.0/0"]}, "lets in 0.0.0.0/0"),
    ("google_compute_firewall", {"source_ranges": []}, "no source_ranges"),
    ("azurerm_network_security_rule", {"access": "Allow", "source_address_prefix": "*"}, "lets in *"),
    ("aws_ebs_volume", {"encrypted": False}, "not encrypted"),
    ("aws_ebs_volume", {"size": 8}, "expected at least 50"),
    ("google_compute_disk", {"type": "pd-standard"}, "expected at least 50 of pd-ssd"),
    ("azurerm_managed_disk", {"storage_account_type": "Standard_LRS"}, "expected at least 50 of Premium_LRS"),
    ("azurerm_virtual_machine_data_disk_attachment", {"lun": 0}, "azure.nix looks for 10"),
    ("google_compute_instance", {"attached_disk": [{"device_name": "data"}]}, "gcp.nix looks for"),
    ("aws_instance", {"root_block_device": [{"encrypted": False}]}, "root disk is not encrypted"),
    ("aws_instance", {"metadata_options": [{"http_tokens": "optional"}]}, "metadata version 1 is on"),
    ("aws_instance", {"user_data": "x"}, "user_data is set"),
    ("aws_instance", {"instance_type": "t3.micro"}, "expected t3.medium"),
    ("google_compute_instance", {"machine_type": "n1-standard-1"}, "expected n1-standard-2"),
    ("azurerm_linux_virtual_machine", {"size": "Standard_B1s"}, "expected Standard_B2s"),
    ("google_compute_instance", {"metadata": {"startup-script": "x"}}, "metadata startup-script is set"),
    ("azurerm_linux_virtual_machine", {"custom_data": "x"}, "custom_data is set"),
    ("azurerm_linux_virtual_machine", {"admin_password": "x"}, "a sensitive value in the plan"),
    ("aws_security_group", {"ingress": [{}]}, "rules inside the group"),
    ("google_storage_bucket", {"versioning": [{"enabled": True}]}, "versioning is on"),
    ("azurerm_storage_account", {"shared_access_key_enabled": True}, "takes keys"),
]


def self_check(plan, state, admins):
    missed = []
    for kind, change, says in BREAKS + rules.BREAKS + storage.BREAKS:
        p, s = copy.deepcopy(plan), copy.deepcopy(state)
        for values in find(p, s, kind):
            values.update(change)
        if "admin_password" in change:
            for c in p["resource_changes"]:
                if c["type"] == kind:
                    c["change"]["after_sensitive"]["admin_password"] = True
        if not any(says in line for line in check(p, s, admins)):
            missed.append(f"not noticed: {kind} with {change}")
    for change, says in storage.OTHER_RENDERS:
        p = copy.deepcopy(plan)
        p["variables"]["farquorum"]["value"]["storage"].update(change)
        if not any(says in line for line in check(p, state, admins)):
            missed.append(f"not noticed: another render with {change}")
    p = copy.deepcopy(plan)
    p["resource_changes"][0]["change"]["after"]["note"] = "MARKER"
    if not check(p, state, admins, "MARKER"):
        missed.append("not noticed: a planted marker")
    # Nothing is touched; then one of each kind, and nothing at all.
    p = {"resource_changes": [{**c, "change": {"actions": ["no-op"]}} for c in plan["resource_changes"]]}
    if kept(p):
        missed.append(f"a plan without changes is refused: {kept(p)}")
    for kind in (*MACHINES, *ATTACHED):
        touched = copy.deepcopy(p)
        one = next(c for c in touched["resource_changes"] if c["type"] == kind)
        one["change"]["actions"] = ["delete", "create"]
        if not any(line.startswith(one["address"]) for line in kept(touched)):
            missed.append(f"not noticed: a replaced {kind}")
    if len(kept({"resource_changes": []})) != 2:
        missed.append("not noticed: a plan without machines and data disks")
    for port in ("api", "raft"):
        s = copy.deepcopy(state)
        node = s["values"]["outputs"]["farquorum_nodes"]["value"]["cp-aws-1"]
        node[port] = f"{node['private_ip']}:1"
        if not any(f"{port} is" in line for line in check(plan, s, admins)):
            missed.append(f"not noticed: {port} at the private address")
    s = copy.deepcopy(state)
    s["values"]["outputs"]["farquorum_cluster"]["value"]["connectivity"] = "wireguard"
    if not any("connectivity is wireguard" in line for line in check(plan, s, admins)):
        missed.append("not noticed: another connectivity")
    outputs = state["values"]["outputs"]
    names = outputs["farquorum_nodes"]["value"]
    shown = {"context": {"nodes": [{"name": n, "grpc": v["api"], "http": f"{v['public_ip']}:8080"} for n, v in names.items()]}}
    if context(outputs, shown):
        missed.append(f"a good context is refused: {context(outputs, shown)}")
    shown["context"]["nodes"][0]["grpc"] = "10.10.0.11:50051"
    if not context(outputs, shown):
        missed.append("not noticed: a context with a private address")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("check", "kept", "renamed", "only", "context", "self-check"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--admin", action="append", default=[])
    parser.add_argument("--marker")
    args = parser.parse_args()
    documents = []
    for path in args.files[:1 if args.what in ("kept", "renamed", "only") else 2]:
        with open(path, encoding="utf-8") as file:
            documents.append(json.load(file))
    if args.what == "check":
        found = check(*documents, args.admin, args.marker)
    elif args.what == "self-check":
        found = self_check(*documents, args.admin)
    elif args.what == "context":
        found = context(*documents)
    elif args.what in ("kept", "renamed"):
        found = {"kept": kept, "renamed": renamed}[args.what](documents[0])
    else:
        found = only(documents[0], args.files[1], args.files[2:])
    for line in found:
        print(f"terraform/tests/properties.py {args.what}: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
