# Uploads the flake's image and registers it; nothing of this exists when an image is given by id.
# The account takes no keys, so whoever applies needs the role Storage Blob Data Contributor and `storage_use_azuread`.
locals {
  upload = toset(var.image.file == null ? [] : ["upload"])
}

resource "azurerm_storage_container" "images" {
  for_each = local.upload

  name                  = "images"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

# Named by content: an unchanged image is not uploaded again. Azure takes page blobs of whole MiB only (a fixed VHD).
resource "azurerm_storage_blob" "image" {
  for_each = local.upload

  name                 = "${filesha256(var.image.file)}.vhd"
  storage_container_id = azurerm_storage_container.images[each.key].id
  type                 = "Page"
  source               = var.image.file
}

resource "azurerm_image" "this" {
  for_each = local.upload

  name                = "${var.cluster}-${substr(filesha256(var.image.file), 0, 12)}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  hyper_v_generation  = "V2"

  os_disk {
    os_type      = "Linux"
    os_state     = "Generalized"
    blob_uri     = azurerm_storage_blob.image[each.key].url
    storage_type = "Premium_LRS"
    caching      = "ReadWrite"
  }
}
