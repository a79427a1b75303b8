# One bucket for the data, and what a worker may do in it.
resource "google_storage_bucket" "data" {
  project                     = var.project
  name                        = var.bucket
  location                    = upper(var.region)
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = { cluster = var.cluster }

  versioning {
    enabled = false
  }

  # Nothing deleted stays for a week and is paid for: results can be computed again.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = var.intermediate_days
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = var.intermediate_days
      matches_prefix = var.intermediate_prefixes
    }
  }
}

# ---- identity of the workers: the objects of this bucket, nothing else ----
resource "google_service_account" "worker" {
  project      = var.project
  account_id   = "${var.cluster}-worker"
  display_name = "Farquorum workers of ${var.cluster}"
}

# Objects and multipart uploads; a conditional write needs no right of its own, and one that replaces is a delete too.
resource "google_storage_bucket_iam_member" "worker" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${google_service_account.worker.email}"
}
