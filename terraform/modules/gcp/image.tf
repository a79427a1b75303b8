# Uploads the flake's image and registers it; nothing of this exists when an image is given by id.
locals {
  upload = toset(var.image.file == null ? [] : ["upload"])
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
  for_each = local.upload

  bucket = google_storage_bucket.images[each.key].name
  name   = "${filesha256(var.image.file)}.raw.tar.gz"
  source = var.image.file
}

resource "google_compute_image" "this" {
  for_each = local.upload

  project = var.project
  name    = "${var.cluster}-${substr(filesha256(var.image.file), 0, 12)}"
  family  = var.cluster

  raw_disk {
    source = "https://storage.googleapis.com/${google_storage_bucket.images[each.key].name}/${google_storage_bucket_object.image[each.key].name}"
  }

  guest_os_features {
    type = "UEFI_COMPATIBLE"
  }
  guest_os_features {
    type = "GVNIC"
  }
}
