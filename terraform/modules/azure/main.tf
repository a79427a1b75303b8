# One resource group, one network, a fixed public address per machine, and no way in but the rules given.
locals {
  machines = merge(
    { for name, n in var.nodes : name => { role = "node", private_ip = n.private_ip, type = var.node_type } },
    { for name, w in var.workers : name => { role = "worker", private_ip = w.private_ip, type = var.worker_type } },
  )

  # A priority stands for a purpose, never for a position, so that no rule moves when another goes.
  priority = { raft = 100, wireguard = 110, api = 120, http = 130, ssh = 140 }

  # One rule per purpose with all its sources; a purpose nobody may use has no rule.
  rules = merge([for role in ["nodes", "workers"] : {
    for purpose, r in var.rules[role] : "${trimsuffix(role, "s")}-${purpose}" => {
      role = trimsuffix(role, "s"), purpose = purpose, protocol = r.protocol, port = r.port, sources = r.sources
    } if length(r.sources) > 0
  }]...)

  # A host's own image, else that of all: by id, or uploaded (image.tf).
  image_ids = { for name, _ in local.machines : name => try(local.own[name].id, var.image.id) != null ?
    try(local.own[name].id, var.image.id) : azurerm_image.this[contains(keys(local.own), name) ? name : "upload"].id
  }
}

resource "azurerm_resource_group" "this" {
  name     = var.cluster
  location = var.region
  tags     = { cluster = var.cluster }
}

# ---- addresses: first, since the rules of every cloud name them ----
resource "azurerm_public_ip" "this" {
  for_each = local.machines

  name                = each.key
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  allocation_method   = "Static"
  sku                 = "Standard"
}

# ---- network ----
resource "azurerm_virtual_network" "this" {
  name                = var.cluster
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = [var.network]
}

resource "azurerm_subnet" "this" {
  name                            = var.cluster
  resource_group_name             = azurerm_resource_group.this.name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [var.network]
  default_outbound_access_enabled = false
}

# ---- who may come in; Azure lets the own network in unless told otherwise, so the last rule refuses all ----
resource "azurerm_network_security_group" "this" {
  for_each = toset(["node", "worker"])

  name                = "${var.cluster}-${each.key}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

resource "azurerm_network_security_rule" "this" {
  for_each = local.rules

  name                        = each.key
  resource_group_name         = azurerm_resource_group.this.name
  network_security_group_name = azurerm_network_security_group.this[each.value.role].name
  description                 = "from ${length(each.value.sources)} named sources"
  priority                    = local.priority[each.value.purpose]
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = title(each.value.protocol)
  source_address_prefixes     = values(each.value.sources)
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_range      = tostring(each.value.port)
}

resource "azurerm_network_security_rule" "refuse" {
  for_each = azurerm_network_security_group.this

  name                        = "refuse-all-else"
  resource_group_name         = azurerm_resource_group.this.name
  network_security_group_name = each.value.name
  priority                    = 4096
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "*"
  source_address_prefix       = "*"
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_range      = "*"
}

# ---- machines ----
resource "azurerm_network_interface" "this" {
  for_each = local.machines

  name                = each.key
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  ip_configuration {
    name                          = "main"
    subnet_id                     = azurerm_subnet.this.id
    private_ip_address_allocation = "Static"
    private_ip_address            = each.value.private_ip
    public_ip_address_id          = azurerm_public_ip.this[each.key].id
  }
}

resource "azurerm_network_interface_security_group_association" "this" {
  for_each = local.machines

  network_interface_id      = azurerm_network_interface.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.value.role].id
}

resource "azurerm_linux_virtual_machine" "this" {
  for_each = local.machines

  name                            = each.key
  computer_name                   = each.key
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  size                            = each.value.type
  network_interface_ids           = [azurerm_network_interface.this[each.key].id]
  source_image_id                 = local.image_ids[each.key]
  admin_username                  = "ops"
  disable_password_authentication = true
  allow_extension_operations      = false
  encryption_at_host_enabled      = var.encryption_at_host
  tags                            = { cluster = var.cluster, role = each.value.role }

  # No custom data: the system is baked into the image, and keys are made on the host.

  admin_ssh_key {
    username   = "ops"
    public_key = var.ssh_public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
  }

  # An empty block: the console's log goes to a storage account that Azure manages. Host keys are read there.
  boot_diagnostics {}

  dynamic "identity" {
    for_each = each.value.role == "worker" ? [azurerm_user_assigned_identity.worker.id] : []
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }

  lifecycle {
    # A new image reaches a machine by a rollout, one at a time. Another address or network makes it anew: read the plan.
    ignore_changes = [source_image_id, custom_data, user_data, admin_ssh_key]
  }

  # A machine is never up with an interface that no rule guards.
  depends_on = [azurerm_network_interface_security_group_association.this]
}

# ---- data disks: apart from the machines, so that a machine can be lost without them ----
resource "azurerm_managed_disk" "data" {
  for_each = var.nodes

  name                          = "${each.key}-data"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  storage_account_type          = "Premium_LRS"
  create_option                 = "Empty"
  disk_size_gb                  = var.data_disk_gb
  network_access_policy         = "DenyAll"
  public_network_access_enabled = false
}

resource "azurerm_virtual_machine_data_disk_attachment" "data" {
  for_each = var.nodes

  managed_disk_id    = azurerm_managed_disk.data[each.key].id
  virtual_machine_id = azurerm_linux_virtual_machine.this[each.key].id
  # Where nixos-modules/hardware/azure.nix looks for it.
  lun     = 10
  caching = "None"
}
