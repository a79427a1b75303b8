# `terraform output -json | farquorum context import -`
output "farquorum_nodes" {
  description = "name => { id, cloud, region, public_ip, private_ip, raft, api }, the same in every root."
  value       = module.cluster.nodes
}

output "farquorum_cluster" {
  description = "Name of the cluster, SHA-256 of the farquorum.toml it was built from, and how the nodes reach each other."
  value       = module.cluster.cluster
}

output "buckets" {
  description = "Where the workers of each cloud read and write."
  value       = merge({ for k, m in module.aws : k => m.bucket }, { for k, m in module.gcp : k => m.bucket })
}
