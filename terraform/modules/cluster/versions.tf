# No provider: this module only computes, so it can be tested and reused without any cloud.
terraform {
  required_version = ">= 1.11"
}
