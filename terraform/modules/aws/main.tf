# One network in one availability zone, a fixed public address per machine, and no way in but the rules given.
locals {
  machines = merge(
    { for name, n in var.nodes : name => { role = "node", private_ip = n.private_ip, type = var.node_type } },
    { for name, w in var.workers : name => { role = "worker", private_ip = w.private_ip, type = var.worker_type } },
  )
  zone = "${var.region}${var.zone_suffix}"

  # One source per rule: a change of one peer touches that peer's rule alone.
  rules = merge([for role in ["nodes", "workers"] : merge([for purpose, r in var.rules[role] : {
    for name, cidr in r.sources : "${role}-${purpose}-${name}" => {
      role = trimsuffix(role, "s"), purpose = purpose, protocol = r.protocol, port = r.port, source = name, cidr = cidr
    }
  }]...)]...)

  # A host's own image, else that of all: by id, or uploaded (image.tf).
  image_ids = { for name, _ in local.machines : name => try(local.own[name].id, var.image.id) != null ?
    try(local.own[name].id, var.image.id) : aws_ami.this[contains(keys(local.own), name) ? name : "upload"].id
  }
}

# ---- addresses: first, since the rules of every cloud name them ----
resource "aws_eip" "this" {
  for_each = local.machines

  domain = "vpc"
  tags   = { Name = each.key }
}

# ---- network ----
resource "aws_vpc" "this" {
  cidr_block           = var.network
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.cluster }
}

resource "aws_subnet" "this" {
  vpc_id                  = aws_vpc.this.id
  cidr_block              = var.network
  availability_zone       = local.zone
  map_public_ip_on_launch = false
  tags                    = { Name = var.cluster }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.cluster }
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.cluster }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.this.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "this" {
  route_table_id = aws_route_table.this.id
  subnet_id      = aws_subnet.this.id
}

# ---- who may come in ----
resource "aws_security_group" "this" {
  for_each = toset(["node", "worker"])

  name        = "${var.cluster}-${each.key}"
  description = "Farquorum ${each.key}s of ${var.cluster}"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.cluster}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.rules

  security_group_id = aws_security_group.this[each.value.role].id
  description       = "${each.value.purpose} from ${each.value.source}"
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = { Name = each.key }
}

# Outward: peers in other clouds, object storage, time and DNS. The one rule with 0.0.0.0/0, and it lets nobody in.
resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = aws_security_group.this

  security_group_id = each.value.id
  description       = "outward: peers, object storage, time, DNS"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# ---- machines ----
resource "aws_key_pair" "operator" {
  key_name   = "${var.cluster}-operator"
  public_key = var.ssh_public_key
}

resource "aws_instance" "this" {
  for_each = local.machines

  ami                    = local.image_ids[each.key]
  instance_type          = each.value.type
  subnet_id              = aws_subnet.this.id
  private_ip             = each.value.private_ip
  vpc_security_group_ids = [aws_security_group.this[each.value.role].id]
  key_name               = aws_key_pair.operator.key_name
  iam_instance_profile   = each.value.role == "worker" ? aws_iam_instance_profile.worker.name : null
  ebs_optimized          = true
  tags                   = { Name = each.key, Role = each.value.role, Cluster = var.cluster }

  # No user data: the system is baked into the image, and keys are made on the host.

  # Version 2 only, and one hop: the answer reaches a process on the host and nothing behind it.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
  }

  lifecycle {
    # A new image reaches a machine by a rollout, one at a time. Another address or network makes it anew: read the plan.
    ignore_changes = [ami, user_data, user_data_base64, key_name]
  }
}

resource "aws_eip_association" "this" {
  for_each = local.machines

  allocation_id = aws_eip.this[each.key].id
  instance_id   = aws_instance.this[each.key].id

  # Amazon refuses an address in a network without a gateway; on the way down the gateway goes after the addresses.
  depends_on = [aws_internet_gateway.this]
}

# ---- data disks: apart from the machines, so that a machine can be lost without them ----
resource "aws_ebs_volume" "data" {
  for_each = var.nodes

  availability_zone = local.zone
  type              = "gp3"
  size              = var.data_disk_gb
  encrypted         = true
  final_snapshot    = true
  tags              = { Name = "${each.key}-data", Cluster = var.cluster }
}

resource "aws_volume_attachment" "data" {
  for_each = var.nodes

  # The device's name is chosen by the guest on these types; the host finds the disk by its label.
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data[each.key].id
  instance_id                    = aws_instance.this[each.key].id
  stop_instance_before_detaching = true
}
