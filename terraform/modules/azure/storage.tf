# One storage account and container for the data, and what a worker may do in it.
resource "azurerm_storage_account" "this" {
  name                            = var.bucket
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false
  tags                            = { cluster = var.cluster }

  blob_properties {
    versioning_enabled = false
  }
}

resource "azurerm_storage_container" "data" {
  name                  = var.bucket_container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  # Azure takes ten prefixes in a rule.
  dynamic "rule" {
    for_each = chunklist(sort(var.intermediate_prefixes), 10)
    content {
      name    = "attempts${rule.key == 0 ? "" : rule.key}"
      enabled = true
      filters {
        prefix_match = [for p in rule.value : "${var.bucket_container}/${p}"]
        blob_types   = ["blockBlob"]
      }
      actions {
        base_blob {
          delete_after_days_since_modification_greater_than = var.intermediate_days
        }
      }
    }
  }
}

# ---- identity of the workers: the blobs of this container, nothing else ----
resource "azurerm_user_assigned_identity" "worker" {
  name                = "${var.cluster}-worker"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

# The narrowest built-in role that reads, writes and deletes blobs. It can also delete this container: less needs a role of one's own in
# the subscription. The machine's only identity, so a worker need not name it to the metadata service.
resource "azurerm_role_assignment" "worker" {
  scope                = azurerm_storage_container.data.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.worker.principal_id
  principal_type       = "ServicePrincipal"
}
