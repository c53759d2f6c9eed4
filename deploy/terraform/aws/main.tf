# A Stellar signing key, a wrapping key, and the role of the data plane. The policies are the files that the tests evaluate.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "network" {
  description = "Stellar network the keys are for: public or testnet."
  type        = string
}

variable "addresses" {
  description = "Addresses whose encrypted keys may be opened. Known only after registration: start with an empty list."
  type        = list(string)
  default     = []
}

variable "signer_trust_policy" {
  description = "Who may assume the signer's role: the trust policy of your platform (EC2, ECS, EKS) as JSON."
  type        = string
}

variable "administrator_arns" {
  description = "Roles that administer the keys. They cannot sign, decrypt or encrypt."
  type        = list(string)
}

variable "registrar_arn" {
  description = "Role that registers keys. Attach its policy for the minutes it takes, then detach it."
  type        = string
}

data "aws_caller_identity" "this" {}

locals {
  iam  = "${path.module}/../../iam/aws"
  user = [aws_iam_role.signer.arn, var.registrar_arn]
  key_policy = templatefile("${local.iam}/key-policy.json", {
    account_id         = data.aws_caller_identity.this.account_id
    administrator_arns = jsonencode(var.administrator_arns)
    user_arns          = jsonencode(local.user)
  })
}

resource "aws_iam_role" "signer" {
  name                 = "countersign-signer"
  assume_role_policy   = var.signer_trust_policy
  max_session_duration = 3600
}

resource "aws_kms_key" "signing" {
  description              = "countersign ${var.network}"
  customer_master_key_spec = "ECC_NIST_EDWARDS25519"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 30
  policy                   = local.key_policy
}

resource "aws_kms_key" "wrapping" {
  description             = "countersign ${var.network} wrapping"
  deletion_window_in_days = 30
  enable_key_rotation     = true
  policy                  = local.key_policy
}

resource "aws_iam_role_policy" "native" {
  name = "countersign-native"
  role = aws_iam_role.signer.id
  policy = templatefile("${local.iam}/signer-native.json", {
    signing_key_arns  = jsonencode([aws_kms_key.signing.arn])
    signing_algorithm = "ED25519_SHA_512"
    message_type      = "RAW"
  })
}

resource "aws_iam_role_policy" "decrypt" {
  count = length(var.addresses) == 0 ? 0 : 1
  name  = "countersign-decrypt"
  role  = aws_iam_role.signer.id
  policy = templatefile("${local.iam}/signer-decrypt.json", {
    wrapping_key_arns = jsonencode([aws_kms_key.wrapping.arn])
    network           = var.network
    addresses         = jsonencode(var.addresses)
  })
}

resource "aws_iam_role_policy" "boundary" {
  name   = "countersign-boundary"
  role   = aws_iam_role.signer.id
  policy = file("${local.iam}/signer-boundary.json")
}

output "signing_key_arn" {
  value = aws_kms_key.signing.arn
}

output "wrapping_key_arn" {
  value = aws_kms_key.wrapping.arn
}

output "registrar_policy" {
  description = "Attach to the registrar for the minutes a registration takes."
  value = templatefile("${local.iam}/registrar.json", {
    key_arns = jsonencode([aws_kms_key.signing.arn, aws_kms_key.wrapping.arn])
  })
}
