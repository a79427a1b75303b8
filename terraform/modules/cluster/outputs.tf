output "layout" {
  description = "What to build, by provider: region, network, bucket (Azure: account) and machines. Needs no address, so that addresses can be made from it."
  value       = local.layout

  precondition {
    condition     = filesha256(var.toml_file) == var.farquorum.toml_sha256
    error_message = "The Terraform variables are stale: farquorum.toml has changed since they were rendered (or the render was edited). Run `farquorum render` at the top of the repository, look at the diff, then plan again."
  }
  precondition {
    condition     = length(local.foreign) == 0
    error_message = "This root serves ${join(", ", var.serves)} only, but farquorum.toml places ${join(", ", local.foreign)} elsewhere. Use the root that names all your clouds, or move them in farquorum.toml and run `farquorum render`."
  }
  precondition {
    condition     = length(local.layout) > 0
    error_message = "farquorum.toml names no cloud that this root serves (${join(", ", var.serves)})."
  }
  precondition {
    condition     = contains(setunion(["s3"], var.serves), var.farquorum.storage.service)
    error_message = "farquorum.toml has storage.service = \"${var.farquorum.storage.service}\", which this root does not serve. Allowed here: s3, ${join(", ", var.serves)}. Use the root that names all your clouds, or change storage.service and run `farquorum render`."
  }
  precondition {
    condition     = contains(concat(["s3"], values(local.provider_of)), var.farquorum.storage.service)
    error_message = "farquorum.toml has storage.service = \"${var.farquorum.storage.service}\", but none of its clouds has this provider, so nobody would make the bucket ${var.farquorum.storage.bucket}. Allowed: s3, ${join(", ", values(local.provider_of))}. Change storage.service or add the cloud, and run `farquorum render`."
  }
}

output "rules" {
  description = "Who may reach the machines, by provider and then role: purpose => { protocol, port, sources = { name = CIDR } }."
  value       = local.rules
}

output "nodes" {
  description = "The contract of all clouds: name => { id, cloud, region, public_ip, private_ip, raft, api }. raft and api are host:port."
  value = { for name, n in var.farquorum.nodes : name => {
    id         = n.id
    cloud      = n.cloud
    region     = n.region
    public_ip  = var.addresses[name]
    private_ip = n.private_ip
    raft       = "${var.connectivity == "wireguard" ? n.private_ip : var.addresses[name]}:${var.farquorum.ports.raft}"
    api        = "${var.addresses[name]}:${var.farquorum.ports.api}"
  } if !contains(local.foreign, name) }
}

output "addresses" {
  description = "Public IPv4 address of each node and worker of this root, by name: what the hosts' own firewalls must know."
  value       = { for name, _ in local.cidr : name => var.addresses[name] }
}

output "cluster" {
  description = "Name of the cluster and the render it was built from, for `farquorum context import`."
  value       = { name = var.farquorum.cluster, toml_sha256 = var.farquorum.toml_sha256, connectivity = var.connectivity }
}
