output "addresses" {
  description = "Public IPv4 address by name of node or worker. Depends on the addresses alone, never on rules or machines."
  value       = { for name, _ in local.machines : name => google_compute_address.this[name].address }
}

output "bucket" {
  description = "Where workers of this cloud read and write."
  value       = google_storage_bucket.data.name
}

output "image_id" {
  description = "The image that a new machine starts from."
  value       = local.image_id
}
