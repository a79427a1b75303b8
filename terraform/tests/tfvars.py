"""Makes the variables of one root's test: the object that `farquorum render` writes, and what an operator adds.

Usage: tfvars.py TOML OUT --provider CLOUD ... [--without CLOUD] [--image SUFFIX]
       tfvars.py TOML RENDER --compare      ends with 1 when the binary's render says something else
The tests do not need the binary; this is its contract, written a second time, so that the two can be compared.
"""
import argparse
import hashlib
import json
import pathlib
import sys
import tomllib

PORTS = {"raft": 7379, "api": 50051, "http": 8080}


def render(path):
    raw = pathlib.Path(path).read_bytes()
    toml = tomllib.loads(raw.decode())
    clouds = {n: {"provider": n, "region": c["region"], "network": c["network"]} for n, c in toml["clouds"].items()}
    nodes = {n["name"]: {"id": n["id"], "cloud": n["cloud"], "region": clouds[n["cloud"]]["region"],
                         "private_ip": n["address"], "voter": n.get("voter", True)} for n in toml["nodes"]}
    workers = {}
    for w in toml.get("workers", []):
        pool = workers.setdefault(w["cloud"], {"count": 0, "names": [], "private_ips": []})
        pool["count"] += 1
        pool["names"].append(w["name"])
        pool["private_ips"].append(w["address"])
    storage = {"service": toml["storage"].get("service", "s3"), "bucket": toml["storage"]["bucket"],
               "account": toml["storage"].get("account")}
    return {"toml_sha256": hashlib.sha256(raw).hexdigest(), "toml_path": "farquorum.toml", "cluster": toml["cluster"]["name"],
            "clouds": clouds, "nodes": nodes, "workers": workers, "ports": PORTS, "storage": storage}


def keep(farquorum, clouds):
    """The same deployment with these clouds only."""
    out = dict(farquorum)
    out["clouds"] = {n: c for n, c in out["clouds"].items() if n in clouds}
    out["nodes"] = {n: v for n, v in out["nodes"].items() if v["cloud"] in clouds}
    out["workers"] = {n: v for n, v in out["workers"].items() if n in clouds}
    return out


def operator(providers, image):
    """What a person sets; `image` is one hex digit, so that a second image (and ssh key) differs from the first."""
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/images/providers/Microsoft.Compute/images/"
    ids = {"aws": "ami-0123456789abcdef" + image, "gcp": "projects/images-test/global/images/farquorum-" + image,
           "azure": group + "farquorum-" + image}
    out = {"images": {p: {"id": ids[p]} for p in providers}, "bucket_prefix": "fq-test",
           "ssh_public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4" + ("f" if image == "0" else "e"),
           "admin_cidrs": ["192.0.2.77/32"]}
    if "gcp" in providers:
        out["gcp_project"] = "farquorum-test"
    if "azure" in providers:
        out["azure_subscription_id"] = "00000000-0000-0000-0000-000000000001"
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("toml")
    parser.add_argument("out")
    parser.add_argument("--provider", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--image", default="0")
    parser.add_argument("--compare", action="store_true")
    args = parser.parse_args()
    if args.compare:
        rendered = json.loads(pathlib.Path(args.out).read_text()).get("farquorum", {})
        wanted = render(args.toml)
        sys.exit("\n".join(f"{args.out}: {k}: {rendered.get(k)!r}, expected {wanted.get(k)!r}; run `farquorum render`"
                           for k in sorted(wanted | rendered) if rendered.get(k) != wanted.get(k)) or 0)
    clouds = [p for p in args.provider if p not in args.without]
    values = {"farquorum": keep(render(args.toml), clouds), **operator(args.provider, args.image)}
    pathlib.Path(args.out).write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()
