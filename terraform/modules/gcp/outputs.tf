output "addresses" {
  description = "Public IPv4 address by name of node or worker. Depends on the addresses alone, never on rules or machines."
  value       = { for name, _ in local.machines : name => google_compute_address.this[name].address }
}

output "bucket" {
  description = "Name of the bucket of the data."
  value       = google_storage_bucket.data.name
}

output "storage" {
  description = "The bucket of the data as it was made: { url, region, account }; what another cloud has and this one has not is null."
  value       = { url = "gs://${google_storage_bucket.data.name}", region = null, account = null }
}

output "image_ids" {
  description = "The image that a new machine starts from, by its name."
  value       = local.image_ids
}
