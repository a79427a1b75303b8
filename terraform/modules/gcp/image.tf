# Uploads the flake's image and registers it; nothing of this exists when an image is given by id.
locals {
  # What is uploaded: a file for all machines under "upload", and a host's own under its name. Only hosts that exist count.
  own   = { for name, image in var.image.hosts : name => image if contains(keys(local.machines), name) }
  files = merge({ for name, image in local.own : name => image.file if image.file != null }, var.image.file == null ? {} : { upload = var.image.file })

  # What all uploads share.
  upload = toset(length(local.files) == 0 ? [] : ["upload"])
}

resource "google_storage_bucket" "images" {
  for_each = local.upload

  project                     = var.project
  name                        = var.images_bucket
  location                    = upper(var.region)
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
}

# Named by content: an unchanged image is not uploaded again.
resource "google_storage_bucket_object" "image" {
  for_each = local.files

  bucket = google_storage_bucket.images["upload"].name
  name   = "${filesha256(each.value)}.raw.tar.gz"
  source = each.value
}

resource "google_compute_image" "this" {
  for_each = local.files

  project = var.project
  name    = "${var.cluster}-${substr(filesha256(each.value), 0, 12)}"
  family  = var.cluster

  raw_disk {
    source = "https://storage.googleapis.com/${google_storage_bucket.images["upload"].name}/${google_storage_bucket_object.image[each.key].name}"
  }

  guest_os_features {
    type = "UEFI_COMPATIBLE"
  }
  guest_os_features {
    type = "GVNIC"
  }
}
