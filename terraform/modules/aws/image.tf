# Uploads the flake's image and registers it; nothing of this exists when an image is given by id.
locals {
  # What is uploaded: a file for all machines under "upload", and a host's own under its name. Only hosts that exist count.
  own   = { for name, image in var.image.hosts : name => image if contains(keys(local.machines), name) }
  files = merge({ for name, image in local.own : name => image.file if image.file != null }, var.image.file == null ? {} : { upload = var.image.file })

  # What all uploads share.
  upload = toset(length(local.files) == 0 ? [] : ["upload"])
}

resource "aws_s3_bucket" "images" {
  for_each = local.upload

  bucket        = var.images_bucket
  force_destroy = true
  tags          = { Cluster = var.cluster }
}

resource "aws_s3_bucket_public_access_block" "images" {
  for_each = local.upload

  bucket                  = aws_s3_bucket.images[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Named by content: an unchanged image is not uploaded again.
resource "aws_s3_object" "image" {
  for_each = local.files

  bucket = aws_s3_bucket.images["upload"].id
  key    = "${filesha256(each.value)}.vhd"
  source = each.value
}

resource "aws_iam_role" "import" {
  for_each = local.upload

  name = "${var.cluster}-image-import"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vmie.amazonaws.com" }
      Condition = { StringEquals = { "sts:Externalid" = "vmimport" } }
    }]
  })
}

resource "aws_iam_role_policy" "import" {
  for_each = local.upload

  name = "import"
  role = aws_iam_role.import[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"]
        Resource = [aws_s3_bucket.images[each.key].arn, "${aws_s3_bucket.images[each.key].arn}/*"]
      },
      # The import service names no narrower resource for these.
      { Effect = "Allow", Action = ["ec2:ModifySnapshotAttribute", "ec2:CopySnapshot", "ec2:RegisterImage", "ec2:Describe*"], Resource = "*" },
    ]
  })
}

resource "aws_ebs_snapshot_import" "image" {
  for_each = local.files

  role_name = aws_iam_role.import["upload"].name
  encrypted = true

  disk_container {
    format = "VHD"
    user_bucket {
      s3_bucket = aws_s3_bucket.images["upload"].id
      s3_key    = aws_s3_object.image[each.key].key
    }
  }

  tags       = { Name = "${var.cluster}-image" }
  depends_on = [aws_iam_role_policy.import]
}

resource "aws_ami" "this" {
  for_each = local.files

  name                = "${var.cluster}-${substr(filesha256(each.value), 0, 12)}"
  architecture        = "x86_64"
  virtualization_type = "hvm"
  ena_support         = true
  imds_support        = "v2.0"
  root_device_name    = "/dev/xvda"

  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot_import.image[each.key].id
    volume_type = "gp3"
  }
}
