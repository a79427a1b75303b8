# Turns one farquorum.toml into what each cloud builds: its machines, and who may reach them.
# Rules hold one map of sources by name for each purpose, so that a name, never a position, says which rule changes.
locals {
  provider_of = { for name, c in var.farquorum.clouds : name => c.provider }

  foreign = sort(concat(
    [for name, n in var.farquorum.nodes : name if !contains(var.serves, local.provider_of[n.cloud])],
    flatten([for cloud, w in var.farquorum.workers : w.names if !contains(var.serves, local.provider_of[cloud])]),
  ))

  # name => { cloud, private_ip } of all workers
  workers = merge([for cloud, w in var.farquorum.workers : {
    for name, ip in zipmap(w.names, w.private_ips) : name => { cloud = cloud, private_ip = ip }
  }]...)

  cidr = { for name, _ in merge(var.farquorum.nodes, local.workers) : name => "${var.addresses[name]}/32" if !contains(local.foreign, name) }

  admins = { for c in var.admin_cidrs : "admin-${replace(c, "/[./]/", "-")}" => c }

  # Peers of a cloud: every node that some node of that cloud has to talk to. A cloud's only node is no peer of itself.
  peers = { for cloud, _ in var.farquorum.clouds : cloud => {
    for name, n in var.farquorum.nodes : name => local.cidr[name]
    if contains(keys(local.cidr), name) && length([for other, o in var.farquorum.nodes : other if o.cloud == cloud && other != name]) > 0
  } }

  mesh = {
    public    = { name = "raft", protocol = "tcp", port = var.farquorum.ports.raft }
    wireguard = { name = "wireguard", protocol = "udp", port = var.wireguard_port }
  }[var.connectivity]

  # Workers may be anywhere: in the mesh or not, they reach the API by mutual TLS from their own address.
  callers = { for name, _ in local.workers : name => local.cidr[name] if contains(keys(local.cidr), name) }

  node_rules = { for cloud, _ in var.farquorum.clouds : cloud => {
    (local.mesh.name) = { protocol = local.mesh.protocol, port = local.mesh.port, sources = local.peers[cloud] }
    api               = { protocol = "tcp", port = var.farquorum.ports.api, sources = merge(local.peers[cloud], local.callers, local.admins) }
    http              = { protocol = "tcp", port = var.farquorum.ports.http, sources = local.admins }
    ssh               = { protocol = "tcp", port = 22, sources = local.admins }
  } }

  worker_rules = { ssh = { protocol = "tcp", port = 22, sources = local.admins } }

  # The jobs' bucket is called as farquorum.toml says; what another cloud has beside it, after the prefix. In Azure the
  # account is what all the world shares names of: its container is called as farquorum.toml says either way.
  buckets = {
    aws   = var.farquorum.storage.service == "aws" ? var.farquorum.storage.bucket : "${var.bucket_prefix}-aws"
    gcp   = var.farquorum.storage.service == "gcp" ? var.farquorum.storage.bucket : "${var.bucket_prefix}-gcp"
    azure = var.farquorum.storage.service == "azure" ? var.farquorum.storage.account : "${replace(var.bucket_prefix, "-", "")}az"
  }

  # What needs no address; kept apart from the rules, so that addresses -> rules -> machines is no cycle.
  layout = { for name, c in var.farquorum.clouds : c.provider => {
    name    = name
    region  = c.region
    network = c.network
    bucket  = local.buckets[c.provider]
    nodes   = { for n, v in var.farquorum.nodes : n => { id = v.id, private_ip = v.private_ip } if v.cloud == name }
    workers = { for n, v in local.workers : n => { private_ip = v.private_ip } if v.cloud == name }
  } if contains(var.serves, c.provider) }

  rules = { for name, c in var.farquorum.clouds : c.provider => {
    nodes   = local.node_rules[name]
    workers = local.worker_rules
  } if contains(var.serves, c.provider) }
}
