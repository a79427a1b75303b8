output "addresses" {
  description = "Public IPv4 address by name of node or worker. Depends on the addresses alone, never on rules or machines."
  value       = { for name, _ in local.machines : name => azurerm_public_ip.this[name].ip_address }
}

output "bucket" {
  description = "Name of the storage account."
  value       = azurerm_storage_account.this.name
}

output "storage" {
  description = "The bucket of the data as it was made: { url, region, account }; what another cloud has and this one has not is null."
  value       = { url = "az://${azurerm_storage_container.data.name}", region = null, account = azurerm_storage_account.this.name }
}

output "image_ids" {
  description = "The image that a new machine starts from, by its name."
  value       = local.image_ids
}
