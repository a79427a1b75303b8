# How buckets are called, and which stores are refused. No provider takes part.
variables {
  serves        = ["aws", "gcp", "azure"]
  toml_file     = "./tests/empty.toml"
  bucket_prefix = "fq-test"
  addresses     = { a1 = "203.0.113.1" }
}

run "base" {
  module {
    source = "./tests/base"
  }
}

run "a_server_leaves_the_prefix_everywhere" {
  command = plan
  variables {
    farquorum = run.base.farquorum
  }
  assert {
    condition     = { for p, l in output.layout : p => l.bucket } == { aws = "fq-test-aws", azure = "fqtestaz" }
    error_message = "with storage.service = s3 every bucket is called after bucket_prefix"
  }
}

run "the_chosen_store_has_the_name_of_the_file" {
  command = plan
  variables {
    farquorum = merge(run.base.farquorum, { storage = { service = "aws", bucket = "jobs", account = null } })
  }
  assert {
    condition     = { for p, l in output.layout : p => l.bucket } == { aws = "jobs", azure = "fqtestaz" }
    error_message = "with storage.service = aws the bucket there is storage.bucket, and no other is"
  }
}

run "azure_has_the_account_of_the_file" {
  command = plan
  variables {
    farquorum = merge(run.base.farquorum, { storage = { service = "azure", bucket = "jobs", account = "fqjobs" } })
  }
  assert {
    condition     = { for p, l in output.layout : p => l.bucket } == { aws = "fq-test-aws", azure = "fqjobs" }
    error_message = "with storage.service = azure the account is storage.account"
  }
}

run "a_store_that_no_cloud_of_the_file_has_is_refused" {
  command = plan
  variables {
    farquorum = merge(run.base.farquorum, { storage = { service = "gcp", bucket = "jobs", account = null } })
  }
  expect_failures = [output.layout]
}

run "a_store_that_the_root_does_not_serve_is_refused" {
  command = plan
  variables {
    serves    = ["aws"]
    farquorum = merge(run.base.farquorum, { storage = { service = "azure", bucket = "jobs", account = "fqjobs" } })
  }
  expect_failures = [output.layout]
}

run "azure_without_an_account_is_refused" {
  command = plan
  variables {
    farquorum = merge(run.base.farquorum, { storage = { service = "azure", bucket = "jobs", account = null } })
  }
  expect_failures = [var.farquorum]
}

run "an_unknown_service_is_refused" {
  command = plan
  variables {
    farquorum = merge(run.base.farquorum, { storage = { service = "ftp", bucket = "jobs", account = null } })
  }
  expect_failures = [var.farquorum]
}
