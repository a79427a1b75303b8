variable "farquorum" {
  description = "What `farquorum render` writes from farquorum.toml: clouds, nodes, workers, ports, storage, and the SHA-256 of the file that it came from."
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
    condition     = can(regex("^[0-9a-f]{64}$", var.farquorum.toml_sha256))
    error_message = "farquorum.toml_sha256 must be 64 lower-case hex digits. Run `farquorum render`, which writes it."
  }
  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,21}[a-z0-9])?$", var.farquorum.cluster))
    error_message = "farquorum.cluster is part of names in every cloud: 1 to 23 characters a-z, 0-9 and -, a letter first, no - at the end."
  }
  validation {
    condition     = alltrue([for c in var.farquorum.clouds : contains(["aws", "gcp", "azure"], c.provider)])
    error_message = "farquorum.clouds: provider must be aws, gcp or azure."
  }
  validation {
    condition     = length(distinct([for c in var.farquorum.clouds : c.provider])) == length(var.farquorum.clouds)
    error_message = "farquorum.clouds: each provider may stand once; these roots have one provider configuration, so one region, per cloud."
  }
  validation {
    condition     = alltrue([for c in var.farquorum.clouds : can(cidrnetmask(c.network))])
    error_message = "farquorum.clouds: network must be an IPv4 CIDR such as 10.10.0.0/24."
  }
  validation {
    condition     = alltrue([for n in var.farquorum.nodes : contains(keys(var.farquorum.clouds), n.cloud)])
    error_message = "farquorum.nodes: a node names a cloud that farquorum.clouds does not have."
  }
  validation {
    condition     = alltrue([for n in keys(var.farquorum.nodes) : can(regex("^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$", n))])
    error_message = "farquorum.nodes: a name must be 1 to 40 characters a-z, 0-9 and -, a letter first, no - at the end (Google's rule, the strictest)."
  }
  validation {
    condition = alltrue([for n in var.farquorum.nodes :
      try(cidrhost("${n.private_ip}/${split("/", var.farquorum.clouds[n.cloud].network)[1]}", 0) == cidrhost(var.farquorum.clouds[n.cloud].network, 0), false)
    ])
    error_message = "farquorum.nodes: private_ip must lie in the network of the node's cloud."
  }
  validation {
    condition     = length(distinct([for n in var.farquorum.nodes : n.id])) == length(var.farquorum.nodes) && alltrue([for n in var.farquorum.nodes : n.id >= 1 && floor(n.id) == n.id])
    error_message = "farquorum.nodes: each id must be a whole number from 1 and stand once."
  }
  validation {
    condition = alltrue([for cloud, w in var.farquorum.workers :
      contains(keys(var.farquorum.clouds), cloud) && w.count == length(w.names) && w.count == length(w.private_ips) && w.count == length(distinct(w.names))
    ])
    error_message = "farquorum.workers: each pool needs a known cloud, and as many different names and private_ips as its count."
  }
  validation {
    condition     = alltrue([for p in values(var.farquorum.ports) : p >= 1024 && p <= 65535 && floor(p) == p]) && length(distinct(values(var.farquorum.ports))) == length(values(var.farquorum.ports))
    error_message = "farquorum.ports: raft, api and http must be three different whole numbers from 1024 to 65535 (the service is not root)."
  }
  validation {
    condition     = contains(["s3", "aws", "gcp", "azure"], var.farquorum.storage.service)
    error_message = "farquorum.storage.service must be s3 (a server at storage.address), aws, gcp or azure."
  }
  validation {
    condition     = var.farquorum.storage.service != "azure" || try(can(regex("^[a-z0-9]{3,24}$", var.farquorum.storage.account)), false)
    error_message = "farquorum.storage.account must be 3 to 24 characters a-z and 0-9 with storage.service = \"azure\": set storage.account in farquorum.toml and run `farquorum render`."
  }
}

variable "bucket_prefix" {
  description = "Start of the names of buckets that farquorum.toml does not name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{1,20})[a-z0-9]$", var.bucket_prefix))
    error_message = "bucket_prefix must be 3 to 22 characters a-z, 0-9 and -, neither first nor last a - (Azure allows 24 in all)."
  }
}

variable "serves" {
  description = "The providers that this root configures; a node or worker anywhere else is refused."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.serves) > 0 && length(setsubtract(var.serves, ["aws", "gcp", "azure"])) == 0
    error_message = "serves must be a non-empty set of aws, gcp, azure."
  }
}

variable "toml_file" {
  description = "Path of farquorum.toml, to compare its SHA-256 with that of the render."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.toml_file)
    error_message = "toml_file: there is no such file; the roots expect farquorum.toml at the top of the repository."
  }
}

variable "addresses" {
  description = "Public IPv4 address of each node and worker, by name, as the clouds gave them."
  type        = map(string)
  nullable    = false
}

variable "connectivity" {
  description = "How nodes reach each other: `public` (mutual TLS between public addresses) or `wireguard` (a mesh, made on the hosts, inside which the same mutual TLS runs)."
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
    condition     = var.wireguard_port >= 1024 && var.wireguard_port <= 65535 && floor(var.wireguard_port) == var.wireguard_port
    error_message = "wireguard_port must be a whole number from 1024 to 65535."
  }
}

variable "admin_cidrs" {
  description = "Networks that may use ssh, the API and the HTTP port (health, metrics). Empty: nobody outside the cluster."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.admin_cidrs : can(cidrnetmask(c)) && try(tonumber(split("/", c)[1]) >= 16, false)])
    error_message = "admin_cidrs must be IPv4 CIDRs of /16 or narrower, such as 192.0.2.7/32; the whole internet is never let in."
  }
}
