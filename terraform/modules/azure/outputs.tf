output "addresses" {
  description = "Public IPv4 address by name of node or worker. Depends on the addresses alone, never on rules or machines."
  value       = { for name, _ in local.machines : name => azurerm_public_ip.this[name].ip_address }
}

output "bucket" {
  description = "Where workers of this cloud read and write."
  value       = azurerm_storage_account.this.name
}

output "image_id" {
  description = "The image that a new machine starts from."
  value       = local.image_id
}
