# A Stellar signing key, a wrapping key, and the bindings of the data plane on exactly these keys.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

variable "project" {
  type = string
}

variable "location" {
  type = string
}

variable "key_ring" {
  type    = string
  default = "countersign"
}

variable "signer" {
  description = "serviceAccount:… of the data plane."
  type        = string
}

variable "registrar" {
  description = "Who registers keys, until `until`."
  type        = string
}

variable "until" {
  description = "End of the registration, RFC 3339 in UTC."
  type        = string
}

locals {
  iam = "${path.module}/../../iam/gcp"
  bindings = jsondecode(templatefile("${local.iam}/bindings.json", {
    project      = var.project
    signing_key  = google_kms_crypto_key.signing.id
    wrapping_key = google_kms_crypto_key.wrapping.id
    key_ring     = google_kms_key_ring.this.id
    signer       = var.signer
    registrar    = var.registrar
    until        = var.until
  }))
  registrar_role = jsondecode(file("${local.iam}/roles.json"))["countersignRegistrar"]
}

resource "google_kms_key_ring" "this" {
  project  = var.project
  name     = var.key_ring
  location = var.location
}

resource "google_kms_crypto_key" "signing" {
  name     = "stellar"
  key_ring = google_kms_key_ring.this.id
  purpose  = "ASYMMETRIC_SIGN"
  version_template {
    algorithm        = "EC_SIGN_ED25519"
    protection_level = "SOFTWARE" # the service has Ed25519 at no other level
  }
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "wrapping" {
  name     = "wrapping"
  key_ring = google_kms_key_ring.this.id
  purpose  = "ENCRYPT_DECRYPT"
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_project_iam_custom_role" "registrar" {
  project     = var.project
  role_id     = "countersignRegistrar"
  title       = local.registrar_role.title
  description = local.registrar_role.description
  permissions = local.registrar_role.permissions
}

resource "google_kms_crypto_key_iam_member" "native" {
  for_each      = { for each in local.bindings["signer-native"] : each.role => each }
  crypto_key_id = each.value.resource
  role          = each.value.role
  member        = each.value.member
}

resource "google_kms_crypto_key_iam_member" "decrypt" {
  for_each      = { for each in local.bindings["signer-decrypt"] : each.role => each }
  crypto_key_id = each.value.resource
  role          = each.value.role
  member        = each.value.member
}

resource "google_kms_key_ring_iam_member" "registrar" {
  for_each    = { for each in local.bindings["registrar"] : each.role => each }
  key_ring_id = each.value.resource
  role        = google_project_iam_custom_role.registrar.id
  member      = each.value.member
  condition {
    title      = each.value.condition.title
    expression = each.value.condition.expression
  }
}

output "signing_key_version" {
  description = "Pin this version when the key is registered."
  value       = "${google_kms_crypto_key.signing.id}/cryptoKeyVersions/1"
}

output "wrapping_key" {
  value = google_kms_crypto_key.wrapping.id
}
