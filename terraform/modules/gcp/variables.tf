variable "cluster" {
  description = "Name of the cluster; part of the names of what is built."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,21}[a-z0-9])?$", var.cluster))
    error_message = "cluster must be 1 to 23 characters a-z, 0-9 and -, a letter first, no - at the end."
  }
}

variable "region" {
  description = "Google Cloud region, as in farquorum.toml."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must look like us-east4."
  }
}

variable "network" {
  description = "IPv4 network of this cloud, as in farquorum.toml."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.network)) && try(tonumber(split("/", var.network)[1]) >= 16 && tonumber(split("/", var.network)[1]) <= 28, false)
    error_message = "network must be an IPv4 CIDR from /16 to /28, such as 10.10.0.0/24."
  }
}

variable "nodes" {
  description = "Control-plane nodes in this cloud: name => { id, private_ip }."
  type        = map(object({ id = number, private_ip = string }))
  nullable    = false

  validation {
    condition     = alltrue([for n in var.nodes : can(cidrnetmask("${n.private_ip}/32"))])
    error_message = "nodes: private_ip must be an IPv4 address."
  }
}

variable "workers" {
  description = "Workers in this cloud: name => { private_ip }."
  type        = map(object({ private_ip = string }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for w in var.workers : can(cidrnetmask("${w.private_ip}/32"))])
    error_message = "workers: private_ip must be an IPv4 address."
  }
}

variable "rules" {
  description = "Who may reach the machines, by role: purpose => { protocol, port, sources = { name = CIDR } }. Made by the cluster module."
  type = object({
    nodes   = map(object({ protocol = string, port = number, sources = map(string) }))
    workers = map(object({ protocol = string, port = number, sources = map(string) }))
  })
  nullable = false

  validation {
    condition     = alltrue([for r in concat(values(var.rules.nodes), values(var.rules.workers)) : contains(["tcp", "udp"], r.protocol)])
    error_message = "rules: protocol must be tcp or udp."
  }
  validation {
    condition = alltrue(flatten([for r in concat(values(var.rules.nodes), values(var.rules.workers)) :
      [for c in values(r.sources) : can(cidrnetmask(c)) && try(tonumber(split("/", c)[1]) >= 16, false)]
    ]))
    error_message = "rules: a source must be an IPv4 CIDR of /16 or narrower."
  }
}

variable "image" {
  description = "The NixOS image: by id of one that exists, or by file that the flake built (a .raw.tar.gz file) to upload and register. `hosts` has those of single machines: the flake builds one for each, with its name and role in it. Later changes never replace a machine; see farquorum rollout."
  type = object({
    id    = optional(string)
    file  = optional(string)
    hosts = optional(map(object({ id = optional(string), file = optional(string) })), {})
  })
  nullable = false

  validation {
    condition     = (var.image.id == null || var.image.file == null) && alltrue([for i in values(var.image.hosts) : (i.id == null) != (i.file == null)])
    error_message = "image has at most one of id and file, and each of its hosts exactly one."
  }
  validation {
    condition     = var.image.id != null || var.image.file != null || alltrue([for n in keys(merge(var.nodes, var.workers)) : contains(keys(var.image.hosts), n)])
    error_message = "image: neither id nor file, and none in hosts for ${join(", ", setsubtract(keys(merge(var.nodes, var.workers)), keys(var.image.hosts)))}."
  }
  validation {
    condition     = alltrue([for i in concat(values(var.image.hosts), [var.image]) : i.id == null || can(regex("^(projects/[a-z0-9.:-]+/)?global/images/(family/)?[a-z][-a-z0-9]{0,62}$", i.id))])
    error_message = "image.id must look like projects/PROJECT/global/images/NAME."
  }
  validation {
    condition     = alltrue([for i in concat(values(var.image.hosts), [var.image]) : i.file == null || try(fileexists(i.file) && endswith(i.file, ".tar.gz"), false)])
    error_message = "image.file must be an existing file that ends in .tar.gz; build it with `nix build`."
  }
  validation {
    condition     = length(distinct(compact([for i in concat(values(var.image.hosts), [var.image]) : i.file]))) == length(compact([for i in concat(values(var.image.hosts), [var.image]) : i.file]))
    error_message = "image: a file stands for two hosts. The flake builds one for each host; one that is for all is image.file."
  }
}

variable "node_type" {
  description = "Machine type of a control-plane node."
  type        = string
  default     = "n1-standard-2"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.node_type))
    error_message = "node_type must look like n1-standard-2."
  }
}

variable "worker_type" {
  description = "Machine type of a worker."
  type        = string
  default     = "n1-standard-2"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.worker_type))
    error_message = "worker_type must look like n1-standard-2."
  }
}

variable "data_disk_gb" {
  description = "Size of a node's data disk in GB. It holds the log and the state; the host formats it once and mounts it by its label."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.data_disk_gb >= 10 && var.data_disk_gb <= 4095 && floor(var.data_disk_gb) == var.data_disk_gb
    error_message = "data_disk_gb must be a whole number from 10 to 4095."
  }
}

variable "bucket" {
  description = "Name of the Cloud Storage bucket; unique among all projects."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 characters a-z, 0-9 and -, neither first nor last a -; no dots."
  }
}

variable "images_bucket" {
  description = "Name of the bucket that an image by file goes through; made only for one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.images_bucket)) && var.images_bucket != var.bucket
    error_message = "images_bucket must be 3 to 63 characters a-z, 0-9 and -, neither first nor last a -, and not the bucket of the data."
  }
}

variable "intermediate_prefixes" {
  description = "Object prefixes that hold the attempts of running tasks (`OUTPUT/_attempts/`); what is left there is deleted after intermediate_days."
  type        = set(string)
  default     = ["_attempts/"]
  nullable    = false

  validation {
    condition     = length(var.intermediate_prefixes) > 0 && length(var.intermediate_prefixes) <= 50 && alltrue([for p in var.intermediate_prefixes : endswith(p, "_attempts/")])
    error_message = "intermediate_prefixes must be 1 to 50 prefixes that end in _attempts/; anything wider would delete results."
  }
}

variable "intermediate_days" {
  description = "Days after which the leftovers of attempts are deleted."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.intermediate_days >= 1 && floor(var.intermediate_days) == var.intermediate_days
    error_message = "intermediate_days must be a whole number of days, at least 1."
  }
}

variable "ssh_public_key" {
  description = "Public half of the operator's ssh key. Host keys are made on the hosts; pin them from the console's output (terraform/README.md)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( [^\\n]*)?$", var.ssh_public_key))
    error_message = "ssh_public_key must be one line, ssh-ed25519 or ssh-rsa, as in id_ed25519.pub; never a private key."
  }
}

variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters a-z, 0-9 and -, a letter first, no - at the end."
  }
}

variable "zone_suffix" {
  description = "Letter of the zone; machines and their disks share one."
  type        = string
  default     = "a"
  nullable    = false

  validation {
    condition     = can(regex("^[a-f]$", var.zone_suffix))
    error_message = "zone_suffix must be one letter from a to f."
  }
}
