# AWS, Google Cloud. Each cloud is one module, and a cloud that farquorum.toml does not name is not built.
module "cluster" {
  source = "../../modules/cluster"

  farquorum      = var.farquorum
  serves         = ["aws", "gcp"]
  toml_file      = "${path.root}/../../../${var.farquorum.toml_path}"
  connectivity   = var.connectivity
  wireguard_port = var.wireguard_port
  admin_cidrs    = var.admin_cidrs
  bucket_prefix  = var.bucket_prefix

  # By name of the one instance: `module.aws` as a whole would wait for its rules, and that is a cycle.
  addresses = merge(
    try(module.aws["aws"].addresses, {}),
    try(module.gcp["gcp"].addresses, {}),
  )
}

provider "aws" {
  region = one([for c in var.farquorum.clouds : c.region if c.provider == "aws"])

  default_tags {
    tags = { Project = "farquorum" }
  }
}

provider "google" {
  project = var.gcp_project
  region  = one([for c in var.farquorum.clouds : c.region if c.provider == "gcp"])
}

module "aws" {
  source   = "../../modules/aws"
  for_each = { for provider, layout in module.cluster.layout : provider => layout if provider == "aws" }

  cluster        = var.farquorum.cluster
  region         = each.value.region
  network        = each.value.network
  nodes          = each.value.nodes
  workers        = each.value.workers
  rules          = module.cluster.rules[each.key]
  image          = var.images.aws
  node_type      = var.node_types.aws
  worker_type    = var.worker_types.aws
  data_disk_gb   = var.data_disk_gb
  bucket         = each.value.bucket
  images_bucket  = "${var.bucket_prefix}-aws-images"
  ssh_public_key = var.ssh_public_key

  intermediate_prefixes = var.intermediate_prefixes
}

module "gcp" {
  source   = "../../modules/gcp"
  for_each = { for provider, layout in module.cluster.layout : provider => layout if provider == "gcp" }

  cluster        = var.farquorum.cluster
  project        = var.gcp_project
  region         = each.value.region
  network        = each.value.network
  nodes          = each.value.nodes
  workers        = each.value.workers
  rules          = module.cluster.rules[each.key]
  image          = var.images.gcp
  node_type      = var.node_types.gcp
  worker_type    = var.worker_types.gcp
  data_disk_gb   = var.data_disk_gb
  bucket         = each.value.bucket
  images_bucket  = "${var.bucket_prefix}-gcp-images"
  ssh_public_key = var.ssh_public_key

  intermediate_prefixes = var.intermediate_prefixes
}
