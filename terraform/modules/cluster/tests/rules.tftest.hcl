# What the rules are, worked out by hand for three nodes and one worker. No provider takes part.
variables {
  farquorum = {
    toml_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    toml_path   = "empty.toml"
    cluster     = "test"
    clouds = {
      aws = { provider = "aws", region = "us-east-1", network = "10.10.0.0/24" }
      gcp = { provider = "gcp", region = "us-east4", network = "10.20.0.0/24" }
    }
    nodes = {
      a1 = { id = 1, cloud = "aws", region = "us-east-1", private_ip = "10.10.0.11", voter = true }
      a2 = { id = 2, cloud = "aws", region = "us-east-1", private_ip = "10.10.0.12", voter = true }
      g1 = { id = 3, cloud = "gcp", region = "us-east4", private_ip = "10.20.0.11", voter = true }
    }
    workers = { gcp = { count = 1, names = ["w1"], private_ips = ["10.20.0.21"] } }
    ports   = { raft = 7379, api = 50051, http = 8080 }
    storage = { service = "s3", bucket = "data", account = null }
  }
  serves        = ["aws", "gcp"]
  toml_file     = "./tests/empty.toml"
  bucket_prefix = "fq-test"
  addresses     = { a1 = "203.0.113.1", a2 = "203.0.113.2", g1 = "198.51.100.1", w1 = "198.51.100.9" }
}

run "peers_are_exactly_the_others" {
  command = plan
  assert {
    condition     = output.rules.aws.nodes.raft.sources == { a1 = "203.0.113.1/32", a2 = "203.0.113.2/32", g1 = "198.51.100.1/32" }
    error_message = "two nodes in a cloud need each other and the third"
  }
  assert {
    condition     = output.rules.gcp.nodes.raft.sources == { a1 = "203.0.113.1/32", a2 = "203.0.113.2/32" }
    error_message = "a cloud's only node is no peer of itself"
  }
  assert {
    condition     = output.rules.gcp.nodes.api.sources == { a1 = "203.0.113.1/32", a2 = "203.0.113.2/32", w1 = "198.51.100.9/32" }
    error_message = "the API is for peers and workers"
  }
  assert {
    condition     = length(output.rules.gcp.workers.ssh.sources) == 0 && length(output.rules.aws.nodes.http.sources) == 0
    error_message = "without admin_cidrs nobody has ssh or http"
  }
}

run "wireguard_closes_raft" {
  command = plan
  variables {
    connectivity = "wireguard"
  }
  assert {
    condition     = !contains(keys(output.rules.aws.nodes), "raft") && output.rules.aws.nodes.wireguard.protocol == "udp" && output.nodes.a1.raft == "10.10.0.11:7379"
    error_message = "with WireGuard one UDP port is open and Raft runs inside"
  }
}

run "stale_render_is_refused" {
  command = plan
  variables {
    toml_file = "./tests/rules.tftest.hcl"
  }
  expect_failures = [output.layout]
}

run "too_few_clouds_are_refused" {
  command = plan
  variables {
    serves = ["aws"]
  }
  expect_failures = [output.layout]
}

run "whole_internet_is_refused" {
  command = plan
  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.admin_cidrs]
}
