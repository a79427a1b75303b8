# Every provider mocked: no account, no address. The outputs have one shape in all clouds, and outward names are as set.
# Azure's ids are read by the real provider's validators, so the mocks look like them.
mock_provider "aws" {
  mock_resource "aws_eip" {
    defaults = { public_ip = "203.0.113.1" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { bucket_region = "us-east-1" }
  }
}

mock_provider "google" {
  mock_resource "google_compute_address" {
    defaults = { address = "198.51.100.1" }
  }
}

mock_provider "azurerm" {
  mock_resource "azurerm_public_ip" {
    defaults = {
      ip_address = "192.0.2.1"
      id         = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Network/publicIPAddresses/test"
    }
  }
  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Network/virtualNetworks/test/subnets/test" }
  }
  mock_resource "azurerm_network_interface" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Network/networkInterfaces/test" }
  }
  mock_resource "azurerm_network_security_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Network/networkSecurityGroups/test" }
  }
  mock_resource "azurerm_linux_virtual_machine" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Compute/virtualMachines/test" }
  }
  mock_resource "azurerm_managed_disk" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Compute/disks/test" }
  }
  mock_resource "azurerm_storage_account" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Storage/storageAccounts/test" }
  }
  mock_resource "azurerm_storage_container" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.Storage/storageAccounts/test/blobServices/default/containers/test" }
  }
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/test"
      principal_id = "00000000-0000-0000-0000-000000000002"
    }
  }
}

# As docs/deployment.md does it: the addresses alone, before there is any image. What images must know is put out then.
run "addresses_first" {
  plan_options {
    target = [module.aws["aws"].aws_eip.this, module.gcp["gcp"].google_compute_address.this, module.azure["azure"].azurerm_public_ip.this]
  }
  variables {
    images = { aws = {}, gcp = {}, azure = {} }
  }
  assert {
    condition     = keys(output.farquorum_addresses) == ["cp-aws-1", "cp-azure-1", "cp-gcp-1", "worker-aws-1", "worker-aws-2", "worker-azure-1", "worker-gcp-1"]
    error_message = "nodes and workers have addresses before any machine is made"
  }
  assert {
    condition     = output.farquorum_addresses["worker-gcp-1"] == "198.51.100.1"
    error_message = "an address is the one that the cloud gave"
  }
}

run "one_shape_in_all_clouds" {
  assert {
    condition     = alltrue([for n in output.farquorum_nodes : keys(n) == ["api", "cloud", "id", "private_ip", "public_ip", "raft", "region"]])
    error_message = "a node's output must have exactly api, cloud, id, private_ip, public_ip, raft and region"
  }
  assert {
    condition     = toset([for n in output.farquorum_nodes : n.cloud]) == toset(["aws", "gcp", "azure"])
    error_message = "each cloud must have a node"
  }
  assert {
    condition     = output.farquorum_nodes["cp-gcp-1"].raft == "198.51.100.1:7379" && output.farquorum_nodes["cp-azure-1"].api == "192.0.2.1:50051"
    error_message = "raft and api are the public address and the port of the render"
  }
  assert {
    condition     = output.buckets == { aws = "fq-test-aws", gcp = "fq-test-gcp", azure = "fqtestaz" }
    error_message = "one bucket per cloud, named after bucket_prefix"
  }
  assert {
    condition     = output.farquorum_storage == null
    error_message = "with a server at an address there is no store to import"
  }
}

# Over what stands: a machine keeps its image, so only what a new one would start from is looked at.
run "an_image_of_a_host" {
  command = plan
  variables {
    images = {
      aws   = { id = "ami-0123456789abcdef0", hosts = { worker-aws-1 = { id = "ami-0123456789abcdef9" } } }
      gcp   = { hosts = { cp-gcp-1 = { id = "global/images/node" }, worker-gcp-1 = { id = "global/images/worker" } } }
      azure = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/images/providers/Microsoft.Compute/images/all" }
    }
  }
  assert {
    condition = module.aws["aws"].image_ids == {
      cp-aws-1     = "ami-0123456789abcdef0"
      worker-aws-1 = "ami-0123456789abcdef9"
      worker-aws-2 = "ami-0123456789abcdef0"
    }
    error_message = "worker-aws-1 has an image of its own, the others that of the cloud"
  }
  assert {
    condition     = module.gcp["gcp"].image_ids == { cp-gcp-1 = "global/images/node", worker-gcp-1 = "global/images/worker" }
    error_message = "a cloud whose hosts have images each needs none for all"
  }
}

# From here on planned over what stands, which is quicker and shows the names as well.
run "storage_of_amazon" {
  command = plan
  variables {
    farquorum = merge(var.farquorum, { storage = { service = "aws", bucket = "jobs", account = null } })
  }
  assert {
    condition     = output.farquorum_storage == { url = "s3://jobs", region = "us-east-1", account = null }
    error_message = "storage.service = aws: the bucket of the file, and the region where it is"
  }
  assert {
    condition     = output.buckets == { aws = "jobs", gcp = "fq-test-gcp", azure = "fqtestaz" }
    error_message = "storage.service = aws changes the name of that bucket alone"
  }
}

run "storage_of_google" {
  command = plan
  variables {
    farquorum = merge(var.farquorum, { storage = { service = "gcp", bucket = "jobs", account = null } })
  }
  assert {
    condition     = output.farquorum_storage == { url = "gs://jobs", region = null, account = null }
    error_message = "storage.service = gcp: the bucket of the file"
  }
  assert {
    condition     = output.buckets == { aws = "fq-test-aws", gcp = "jobs", azure = "fqtestaz" }
    error_message = "storage.service = gcp changes the name of that bucket alone"
  }
}

run "storage_of_azure" {
  command = plan
  variables {
    farquorum = merge(var.farquorum, { storage = { service = "azure", bucket = "jobs", account = "fqjobs" } })
  }
  assert {
    condition     = output.farquorum_storage == { url = "az://jobs", region = null, account = "fqjobs" }
    error_message = "storage.service = azure: the container and the account of the file"
  }
  assert {
    condition     = output.buckets == { aws = "fq-test-aws", gcp = "fq-test-gcp", azure = "fqjobs" }
    error_message = "storage.service = azure changes the name of the account alone"
  }
}
