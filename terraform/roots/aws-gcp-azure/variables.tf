variable "farquorum" {
  description = "What `farquorum render` writes from farquorum.toml (farquorum.auto.tfvars.json); checked in the cluster module."
  type = object({
    toml_sha256 = string
    toml_path   = string
    cluster     = string
    clouds      = map(object({ provider = string, region = string, network = string }))
    nodes       = map(object({ id = number, cloud = string, region = string, private_ip = string, voter = bool }))
    workers     = map(object({ count = number, names = list(string), private_ips = list(string) }))
    ports       = object({ raft = number, api = number, http = number })
    storage     = object({ service = string, bucket = string, account = string })
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.farquorum.toml_sha256)) && !strcontains(var.farquorum.toml_path, "..") && !startswith(var.farquorum.toml_path, "/")
    error_message = "farquorum is not a render: toml_sha256 needs 64 hex digits, toml_path is relative to the repository. Run `farquorum render`."
  }
}

variable "images" {
  description = "The images of each cloud: { id } of one that exists or { file } for all machines, { hosts = { NAME = { file } } } for those of single hosts, as the flake builds them."
  type = object({
    aws   = object({ id = optional(string), file = optional(string), hosts = optional(map(object({ id = optional(string), file = optional(string) })), {}) })
    gcp   = object({ id = optional(string), file = optional(string), hosts = optional(map(object({ id = optional(string), file = optional(string) })), {}) })
    azure = object({ id = optional(string), file = optional(string), hosts = optional(map(object({ id = optional(string), file = optional(string) })), {}) })
  })
  nullable = false

  validation {
    condition     = alltrue([for i in values(var.images) : i.id == null || i.file == null])
    error_message = "images: each cloud has at most one of id and file; single machines have theirs in hosts."
  }
}

variable "bucket_prefix" {
  description = "Start of the names of buckets that farquorum.toml does not name, unique in all the world: PREFIX-aws, PREFIX-gcp, and without any - PREFIXaz (a storage account)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{1,20})[a-z0-9]$", var.bucket_prefix))
    error_message = "bucket_prefix must be 3 to 22 characters a-z, 0-9 and -, neither first nor last a - (Azure allows 24 in all)."
  }
}

variable "ssh_public_key" {
  description = "Public half of the operator's ssh key."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.ssh_public_key, "ssh-")
    error_message = "ssh_public_key must be the line of a .pub file; never a private key."
  }
}

variable "admin_cidrs" {
  description = "Networks that may use ssh, the API and the HTTP port. Empty: nobody outside the cluster."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.admin_cidrs : can(cidrnetmask(c)) && try(tonumber(split("/", c)[1]) >= 16, false)])
    error_message = "admin_cidrs must be IPv4 CIDRs of /16 or narrower, such as 192.0.2.7/32; the whole internet is never let in."
  }
}

variable "connectivity" {
  description = "How nodes reach each other: `public` (mutual TLS between public addresses) or `wireguard` (a mesh made on the hosts)."
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["public", "wireguard"], var.connectivity)
    error_message = "connectivity must be public or wireguard."
  }
}

variable "wireguard_port" {
  description = "UDP port of the WireGuard mesh; used with connectivity = wireguard only."
  type        = number
  default     = 51820
  nullable    = false

  validation {
    condition     = var.wireguard_port >= 1024 && var.wireguard_port <= 65535
    error_message = "wireguard_port must be from 1024 to 65535."
  }
}

variable "node_types" {
  description = "Machine type of the control-plane nodes, by cloud."
  type = object({
    aws   = optional(string, "t3.medium")
    gcp   = optional(string, "n1-standard-2")
    azure = optional(string, "Standard_B2s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for t in values(var.node_types) : length(t) > 2])
    error_message = "node_types: a type is a name such as t3.medium."
  }
}

variable "worker_types" {
  description = "Machine type of the workers, by cloud."
  type = object({
    aws   = optional(string, "t3.medium")
    gcp   = optional(string, "n1-standard-2")
    azure = optional(string, "Standard_B2s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for t in values(var.worker_types) : length(t) > 2])
    error_message = "worker_types: a type is a name such as t3.medium."
  }
}

variable "data_disk_gb" {
  description = "Size of a node's data disk in GB."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.data_disk_gb >= 10 && var.data_disk_gb <= 4095
    error_message = "data_disk_gb must be from 10 to 4095."
  }
}

variable "intermediate_prefixes" {
  description = "Object prefixes of attempts (`OUTPUT/_attempts/`), emptied after a week."
  type        = set(string)
  default     = ["_attempts/"]
  nullable    = false

  validation {
    condition     = alltrue([for p in var.intermediate_prefixes : endswith(p, "_attempts/")])
    error_message = "intermediate_prefixes must end in _attempts/; anything wider would delete results."
  }
}

variable "gcp_project" {
  description = "Id of the Google Cloud project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.gcp_project))
    error_message = "gcp_project must be a project id: 6 to 30 characters a-z, 0-9 and -, a letter first, no - at the end."
  }
}

variable "azure_subscription_id" {
  description = "Id of the Azure subscription."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", lower(var.azure_subscription_id)))
    error_message = "azure_subscription_id must be a UUID."
  }
}
