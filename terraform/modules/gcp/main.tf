# One network, a fixed public address per machine, and no way in but the rules given.
locals {
  machines = merge(
    { for name, n in var.nodes : name => { role = "node", private_ip = n.private_ip, type = var.node_type } },
    { for name, w in var.workers : name => { role = "worker", private_ip = w.private_ip, type = var.worker_type } },
  )
  zone = "${var.region}-${var.zone_suffix}"

  # One rule per purpose with all its sources; a purpose nobody may use has no rule.
  rules = merge([for role in ["nodes", "workers"] : {
    for purpose, r in var.rules[role] : "${trimsuffix(role, "s")}-${purpose}" => {
      role = trimsuffix(role, "s"), protocol = r.protocol, port = r.port, sources = r.sources
    } if length(r.sources) > 0
  }]...)

  # A host's own image, else that of all: by id, or uploaded (image.tf).
  image_ids = { for name, _ in local.machines : name => try(local.own[name].id, var.image.id) != null ?
    try(local.own[name].id, var.image.id) : google_compute_image.this[contains(keys(local.own), name) ? name : "upload"].self_link
  }
}

# ---- addresses: first, since the rules of every cloud name them ----
resource "google_compute_address" "this" {
  for_each = local.machines

  project      = var.project
  region       = var.region
  name         = each.key
  address_type = "EXTERNAL"
  network_tier = "PREMIUM"
}

# ---- network ----
resource "google_compute_network" "this" {
  project                 = var.project
  name                    = var.cluster
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project
  region                   = var.region
  name                     = var.cluster
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.network
  private_ip_google_access = true
}

# ---- who may come in; a network of one's own lets nobody in by default ----
resource "google_compute_firewall" "this" {
  for_each = local.rules

  project       = var.project
  name          = "${var.cluster}-${each.key}"
  network       = google_compute_network.this.id
  direction     = "INGRESS"
  source_ranges = values(each.value.sources)
  target_tags   = ["${var.cluster}-${each.value.role}"]
  description   = "from ${join(", ", keys(each.value.sources))}"

  allow {
    protocol = each.value.protocol
    ports    = [tostring(each.value.port)]
  }
}

# ---- machines ----
resource "google_compute_instance" "this" {
  for_each = local.machines

  project                   = var.project
  zone                      = local.zone
  name                      = each.key
  machine_type              = each.value.type
  tags                      = ["${var.cluster}-${each.value.role}"]
  labels                    = { cluster = var.cluster, role = each.value.role }
  can_ip_forward            = false
  allow_stopping_for_update = false

  # No startup script: the system is baked into the image, and keys are made on the host. A public key is no secret.
  metadata = {
    block-project-ssh-keys   = "true"
    disable-legacy-endpoints = "true"
    serial-port-enable       = "false"
    ssh-keys                 = "ops:${var.ssh_public_key}"
  }

  boot_disk {
    initialize_params {
      image = local.image_ids[each.key]
      type  = "pd-ssd"
    }
  }

  # Google encrypts every disk at rest.
  dynamic "attached_disk" {
    for_each = each.value.role == "node" ? [each.key] : []
    content {
      source      = google_compute_disk.data[attached_disk.value].self_link
      device_name = "farquorum-data"
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.this.id
    network_ip = each.value.private_ip
    access_config {
      nat_ip       = google_compute_address.this[each.key].address
      network_tier = "PREMIUM"
    }
  }

  # The NixOS image's boot loader is not signed for secure boot; the rest of the shield is on.
  shielded_instance_config {
    enable_secure_boot          = false
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # A node has no identity in the cloud. A worker's scope is wide and its roles are narrow, as Google advises.
  dynamic "service_account" {
    for_each = each.value.role == "worker" ? [google_service_account.worker.email] : []
    content {
      email  = service_account.value
      scopes = ["cloud-platform"]
    }
  }

  lifecycle {
    # A new image reaches a machine by a rollout, one at a time. Another address or network makes it anew: read the plan.
    ignore_changes = [boot_disk[0].initialize_params[0].image, metadata]
  }
}

# ---- data disks: apart from the machines, so that a machine can be lost without them ----
resource "google_compute_disk" "data" {
  for_each = var.nodes

  project                        = var.project
  zone                           = local.zone
  name                           = "${each.key}-data"
  type                           = "pd-ssd"
  size                           = var.data_disk_gb
  labels                         = { cluster = var.cluster }
  create_snapshot_before_destroy = true
}
