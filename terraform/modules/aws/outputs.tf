output "addresses" {
  description = "Public IPv4 address by name of node or worker. Depends on the addresses alone, never on rules or machines."
  value       = { for name, _ in local.machines : name => aws_eip.this[name].public_ip }
}

output "bucket" {
  description = "Name of the bucket of the data."
  value       = aws_s3_bucket.data.bucket
}

output "storage" {
  description = "The bucket of the data as it was made: { url, region, account }; what another cloud has and this one has not is null."
  value       = { url = "s3://${aws_s3_bucket.data.bucket}", region = aws_s3_bucket.data.bucket_region, account = null }
}

output "image_ids" {
  description = "The image that a new machine starts from, by its name."
  value       = local.image_ids
}
