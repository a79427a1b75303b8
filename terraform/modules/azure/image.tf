# Uploads the flake's image and registers it; nothing of this exists when an image is given by id.
# The account takes no keys, so whoever applies needs the role Storage Blob Data Contributor and `storage_use_azuread`.
locals {
  # What is uploaded: a file for all machines under "upload", and a host's own under its name. Only hosts that exist count.
  own   = { for name, image in var.image.hosts : name => image if contains(keys(local.machines), name) }
  files = merge({ for name, image in local.own : name => image.file if image.file != null }, var.image.file == null ? {} : { upload = var.image.file })

  # What all uploads share.
  upload = toset(length(local.files) == 0 ? [] : ["upload"])
}

resource "azurerm_storage_container" "images" {
  for_each = local.upload

  name                  = "images"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

# Named by content: an unchanged image is not uploaded again. Azure takes page blobs of whole MiB only (a fixed VHD).
resource "azurerm_storage_blob" "image" {
  for_each = local.files

  name                 = "${filesha256(each.value)}.vhd"
  storage_container_id = azurerm_storage_container.images["upload"].id
  type                 = "Page"
  source               = each.value
}

resource "azurerm_image" "this" {
  for_each = local.files

  name                = "${var.cluster}-${substr(filesha256(each.value), 0, 12)}"
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
