# One bucket for the data, and what a worker may do in it.
resource "aws_s3_bucket" "data" {
  bucket = var.bucket
  tags   = { Cluster = var.cluster }
}

# Versioning off: attempts write to their own prefix, and `publish` is the only step that others see.
resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_public_access_block" "data" {
  bucket                  = aws_s3_bucket.data.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = var.intermediate_days
    }
  }

  dynamic "rule" {
    for_each = var.intermediate_prefixes
    content {
      id     = rule.value
      status = "Enabled"
      filter {
        prefix = rule.value
      }
      expiration {
        days = var.intermediate_days
      }
    }
  }
}

# ---- identity of the workers: this bucket, its objects, nothing else ----
# PutObject is also what a conditional write and each part of a multipart upload ask for.
resource "aws_iam_role" "worker" {
  name = "${var.cluster}-worker"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name = "bucket"
  role = aws_iam_role.worker.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:ListBucket", Resource = aws_s3_bucket.data.arn },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = "${aws_s3_bucket.data.arn}/*"
      },
    ]
  })
}

resource "aws_iam_instance_profile" "worker" {
  name = "${var.cluster}-worker"
  role = aws_iam_role.worker.name
}
