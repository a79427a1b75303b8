# `terraform output -json | farquorum context import -`
output "farquorum_nodes" {
  description = "name => { id, cloud, region, public_ip, private_ip, raft, api }, the same in every root."
  value       = module.cluster.nodes
}

output "farquorum_addresses" {
  description = "name => public IPv4 address, of nodes and workers: for the images (docs/nix.md), before there is any machine."
  value       = module.cluster.addresses
}

output "farquorum_cluster" {
  description = "Name of the cluster, SHA-256 of the farquorum.toml it was built from, and how the nodes reach each other."
  value       = module.cluster.cluster
}

output "farquorum_storage" {
  description = "Where jobs read and write, { url, region, account }, as it was made; null when farquorum.toml names a server (storage.service = s3)."
  value       = one(concat([for k, m in module.aws : m.storage if k == var.farquorum.storage.service], [for k, m in module.gcp : m.storage if k == var.farquorum.storage.service], [for k, m in module.azure : m.storage if k == var.farquorum.storage.service]))
}

output "buckets" {
  description = "The bucket of each cloud (Azure: the storage account). Jobs use that of farquorum_storage."
  value       = merge({ for k, m in module.aws : k => m.bucket }, { for k, m in module.gcp : k => m.bucket }, { for k, m in module.azure : k => m.bucket })
}
