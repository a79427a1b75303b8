"""What must hold of buckets and of the identities that use them, in a plan and in the state after it.

The jobs' bucket is called as farquorum.toml says and stands in the output; a worker can ask its cloud who it is and may do in its own
cloud's bucket what the product does, no more; a node has no identity at all. Used by properties.py.
"""
import json

# What the product asks of S3: list by prefix, read ranges, write (also conditionally and in parts), abandon parts, delete.
S3_ON_BUCKET = ["s3:ListBucket"]
S3_ON_OBJECTS = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
# What EC2's import of an image asks for, of the images' bucket and of everything.
S3_OF_IMPORT = ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"]
EC2_OF_IMPORT = ["ec2:CopySnapshot", "ec2:Describe*", "ec2:ModifySnapshotAttribute", "ec2:RegisterImage"]
# In Google's and Azure's words: everything with objects and multipart uploads, nothing with the bucket's settings.
GOOGLE_ROLE = "roles/storage.objectUser"
AZURE_ROLE = "Storage Blob Data Contributor"
STORAGE_SCOPES = ("cloud-platform", "devstorage.read_write", "devstorage.full_control")

# Per cloud: the resource that is named, the attribute that names it, and what follows the prefix when farquorum.toml names another.
NAMED = {"aws": ("aws_s3_bucket.data", "bucket", lambda prefix: f"{prefix}-aws"),
         "gcp": ("google_storage_bucket.data", "name", lambda prefix: f"{prefix}-gcp"),
         "azure": ("azurerm_storage_account.this", "name", lambda prefix: prefix.replace("-", "") + "az")}


def identity(kind, after):
    """Role of a machine, and the identity that it is given; unknown values are absent from a plan."""
    if kind == "aws_instance":
        return after["tags"]["Role"], after.get("iam_instance_profile")
    if kind == "google_compute_instance":
        return after["labels"]["role"], after.get("service_account")
    if kind == "azurerm_linux_virtual_machine":
        return after["tags"]["role"], after.get("identity")
    return None, None


def check_machines(plan):
    for change in plan["resource_changes"]:
        after, address, kind = change["change"]["after"], change["address"], change["type"]
        role, has = identity(kind, after or {}) if after else (None, None)
        if role == "node" and has:
            yield f"{address}: a node has an identity; only workers need one"
        if role == "worker" and not has:
            yield f"{address}: a worker has no identity, so its cloud's store would refuse it"
        elif role == "worker" and kind == "google_compute_instance":
            scopes = [s.rsplit("/", 1)[-1] for s in has[0].get("scopes") or []]
            if not any(s in STORAGE_SCOPES for s in scopes):
                yield f"{address}: scopes {scopes} do not reach storage; one of {', '.join(STORAGE_SCOPES)} is needed"
        elif role == "worker" and kind == "azurerm_linux_virtual_machine" and [i["type"] for i in has] != ["UserAssigned"]:
            yield f"{address}: must have one identity, UserAssigned: with several the metadata service would ask which"
        for options in (after or {}).get("metadata_options", []) if kind == "aws_instance" else []:
            if options.get("http_endpoint") != "enabled" or options.get("http_put_response_hop_limit") != 1:
                yield f"{address}: metadata must be enabled with a hop limit of 1: for a process on the host, not behind it"


def grants(policy):
    """(action, resource) of every statement of an AWS policy."""
    listed = lambda value: value if isinstance(value, list) else [value]
    return sorted((a, r) for s in json.loads(policy)["Statement"] for a in listed(s["Action"]) for r in listed(s["Resource"]))


def check_grants(by_address):
    """by_address: address -> values of every resource in the state."""
    for address, values in by_address.items():
        module = address.rsplit(".", 2)[0]
        beside = lambda name: by_address.get(f"{module}.{name}", {})
        if address.endswith(".aws_s3_bucket.data"):
            want = sorted([(a, values["arn"]) for a in S3_ON_BUCKET] + [(a, values["arn"] + "/*") for a in S3_ON_OBJECTS])
            has = grants(beside("aws_iam_role_policy.worker").get("policy", '{"Statement": []}'))
            if has != want:
                yield f"{module}: the workers' policy grants {has}, expected {want}"
        if address.endswith('.aws_iam_role_policy.import["upload"]'):
            arn = beside('aws_s3_bucket.images["upload"]')["arn"]
            want = sorted([(a, r) for a in S3_OF_IMPORT for r in (arn, arn + "/*")] + [(a, "*") for a in EC2_OF_IMPORT])
            if grants(values["policy"]) != want:
                yield f"{address}: grants {grants(values['policy'])}, expected {want}"
        if address.endswith(".google_storage_bucket.data"):
            has = beside("google_storage_bucket_iam_member.worker")
            if (has.get("role"), has.get("bucket")) != (GOOGLE_ROLE, values["name"]):
                yield f"{module}: workers have {has.get('role')} on {has.get('bucket')}, expected {GOOGLE_ROLE} on {values['name']}"
        if address.endswith(".azurerm_storage_container.data"):
            has = beside("azurerm_role_assignment.worker")
            if (has.get("role_definition_name"), has.get("scope")) != (AZURE_ROLE, values["id"]):
                role, scope = has.get("role_definition_name"), has.get("scope")
                yield f"{module}: workers have {role} on {scope}, expected {AZURE_ROLE} on {values['id']}"


def check_kept(by_address, prefixes):
    """Only attempts expire, and nothing in a bucket is public; prefixes: intermediate_prefixes."""
    for address, v in by_address.items():
        kind, expiring = address.rsplit(".", 2)[-2], None
        if kind == "aws_s3_bucket_lifecycle_configuration":
            expiring = [r["filter"][0]["prefix"] if r["filter"] else None for r in v["rule"] if r["expiration"]]
        if kind == "google_storage_bucket" and "images" not in address:
            deleting = [r for r in v["lifecycle_rule"] if r["action"][0]["type"] == "Delete"]
            expiring = [p for r in deleting for p in r["condition"][0]["matches_prefix"] or [None]]
        if kind == "azurerm_storage_management_policy":
            expiring = [p and p.partition("/")[2] for r in v["rule"] for p in r["filters"][0]["prefix_match"] or [None]]
        if expiring is not None and sorted(expiring, key=str) != sorted(prefixes):
            yield f"{address}: deletes {expiring}, expected {sorted(prefixes)}; anything wider would delete results"
        if kind == "aws_s3_bucket_public_access_block" and not all(x for key, x in v.items() if key.startswith(("block_", "ignore_", "restrict_"))):
            yield f"{address}: lets the public in"
        if kind == "google_storage_bucket" and v["public_access_prevention"] != "enforced":
            yield f"{address}: lets the public in"
        if kind == "azurerm_storage_account" and v["allow_nested_items_to_be_public"] is not False:
            yield f"{address}: lets the public in"


def check_names(by_address, storage, prefix, output):
    """storage: { service, bucket, account } of the render; output: farquorum_storage."""
    want = None
    for cloud, (resource, key, otherwise) in NAMED.items():
        at = f'module.{cloud}["{cloud}"].'
        if at + resource not in by_address:
            continue
        values, chosen = by_address[at + resource], storage["service"] == cloud
        name = (storage["account"] if cloud == "azure" else storage["bucket"]) if chosen else otherwise(prefix)
        if values[key] != name:
            yield f"{at}{resource}: {key} = {values[key]}, expected {name} with storage.service = {storage['service']}"
        if cloud == "azure" and by_address[at + "azurerm_storage_container.data"]["name"] != storage["bucket"]:
            yield f"{at}azurerm_storage_container.data: is not called {storage['bucket']}"
        if chosen:
            scheme = {"aws": "s3", "gcp": "gs", "azure": "az"}[cloud]
            want = {"url": f"{scheme}://{storage['bucket']}", "region": values.get("bucket_region"),
                    "account": storage["account"] if cloud == "azure" else None}
    if storage["service"] != "s3" and want is None:
        yield f"nobody made the bucket of storage.service = {storage['service']}"
    if output != want:
        yield f"farquorum_storage: {output}, expected {want}"


def check(plan, state, by_address):
    variables = {name: v.get("value") for name, v in plan["variables"].items()}
    output = state["values"]["outputs"].get("farquorum_storage", {}).get("value")
    yield from check_machines(plan)
    yield from check_grants(by_address)
    yield from check_kept(by_address, variables.get("intermediate_prefixes") or ["_attempts/"])
    yield from check_names(by_address, variables["farquorum"]["storage"], variables["bucket_prefix"], output)


# As in properties.py: kind of resource, what to break in it, what the finding says.
BREAKS = [
    ("aws_instance", {"iam_instance_profile": "other"}, "a node has an identity"),
    ("aws_instance", {"iam_instance_profile": None}, "a worker has no identity"),
    ("aws_instance", {"metadata_options": [{"http_tokens": "required", "http_endpoint": "disabled"}]}, "metadata must be enabled"),
    ("google_compute_instance", {"service_account": [{"scopes": ["cloud-platform"]}]}, "a node has an identity"),
    ("google_compute_instance", {"service_account": []}, "a worker has no identity"),
    ("google_compute_instance", {"service_account": [{"scopes": ["logging-write"]}]}, "do not reach storage"),
    ("azurerm_linux_virtual_machine", {"identity": [{"type": "SystemAssigned"}]}, "a node has an identity"),
    ("azurerm_linux_virtual_machine", {"identity": []}, "a worker has no identity"),
    ("azurerm_linux_virtual_machine", {"identity": [{"type": "SystemAssigned, UserAssigned"}]}, "must have one identity"),
    ("aws_iam_role_policy", {"policy": '{"Statement": [{"Action": "s3:*", "Resource": "*"}]}'}, "the workers' policy grants"),
    ("google_storage_bucket_iam_member", {"role": "roles/storage.objectViewer"}, "workers have roles/storage.objectViewer"),
    ("azurerm_role_assignment", {"scope": "the whole account"}, "on the whole account"),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [{"filter": [{"prefix": ""}], "expiration": [{"days": 7}]}]}, "anything wider"),
    ("google_storage_bucket", {"lifecycle_rule": [{"action": [{"type": "Delete"}], "condition": [{"matches_prefix": []}]}]}, "anything wider"),
    ("azurerm_storage_management_policy", {"rule": [{"filters": [{"prefix_match": ["pipeline-data/"]}]}]}, "anything wider"),
    ("aws_s3_bucket_public_access_block", {"block_public_policy": False}, "lets the public in"),
    ("google_storage_bucket", {"public_access_prevention": "inherited"}, "lets the public in"),
    ("azurerm_storage_account", {"allow_nested_items_to_be_public": True}, "lets the public in"),
    ("aws_s3_bucket", {"bucket": "other"}, "bucket = other"),
    ("google_storage_bucket", {"name": "other"}, "name = other"),
    ("azurerm_storage_account", {"name": "other"}, "name = other"),
    ("azurerm_storage_container", {"name": "other"}, "is not called"),
]
# Values of the render that these machines were not planned from.
OTHER_RENDERS = [({"service": "gcp"}, "expected pipeline-data with storage.service = gcp"), ({"service": "none"}, "nobody made the bucket")]
