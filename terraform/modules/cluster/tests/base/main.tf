# The deployment that storage.tftest.hcl changes. An output, as OpenTofu lets a run's variables name no variable of its file.
output "farquorum" {
  description = "As `farquorum render` writes it, with a server of one's own as store."
  value = {
    toml_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    toml_path   = "empty.toml"
    cluster     = "test"
    clouds = {
      east = { provider = "aws", region = "us-east-1", network = "10.10.0.0/24" }
      west = { provider = "azure", region = "eastus", network = "10.20.0.0/24" }
    }
    nodes   = { a1 = { id = 1, cloud = "east", region = "us-east-1", private_ip = "10.10.0.11", voter = true } }
    workers = {}
    ports   = { raft = 7379, api = 50051, http = 8080 }
    storage = { service = "s3", bucket = "jobs", account = null }
  }
}
