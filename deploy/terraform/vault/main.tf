# A Stellar signing key, a wrapping key, and the policies of the data plane. Works with Vault and OpenBao.

terraform {
  required_version = ">= 1.5"
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.0"
    }
  }
}

variable "mount" {
  type    = string
  default = "transit"
}

variable "key_version" {
  description = "Version of the signing key that the signer has pinned."
  type        = number
  default     = 1
}

variable "bound_cidrs" {
  description = "Addresses from which the signer may log in."
  type        = list(string)
}

locals {
  iam = "${path.module}/../../iam/vault"
}

resource "vault_mount" "transit" {
  path = var.mount
  type = "transit"
}

resource "vault_transit_secret_backend_key" "signing" {
  backend                = vault_mount.transit.path
  name                   = "countersign-stellar"
  type                   = "ed25519"
  exportable             = false
  allow_plaintext_backup = false
  deletion_allowed       = false
}

resource "vault_transit_secret_backend_key" "wrapping" {
  backend                = vault_mount.transit.path
  name                   = "countersign-wrapping"
  type                   = "aes256-gcm96"
  exportable             = false
  allow_plaintext_backup = false
  deletion_allowed       = false
}

resource "vault_policy" "native" {
  name = "countersign-native"
  policy = templatefile("${local.iam}/signer-native.hcl", {
    mount       = var.mount
    key         = vault_transit_secret_backend_key.signing.name
    key_version = var.key_version
  })
}

resource "vault_policy" "decrypt" {
  name = "countersign-decrypt"
  policy = templatefile("${local.iam}/signer-decrypt.hcl", {
    mount = var.mount
    key   = vault_transit_secret_backend_key.wrapping.name
  })
}

resource "vault_policy" "token" {
  name   = "countersign-token"
  policy = file("${local.iam}/signer-token.hcl")
}

resource "vault_policy" "registrar" {
  name   = "countersign-registrar"
  policy = templatefile("${local.iam}/registrar.hcl", { mount = var.mount })
}

resource "vault_auth_backend" "approle" {
  type = "approle"
}

resource "vault_approle_auth_backend_role" "signer" {
  backend                 = vault_auth_backend.approle.path
  role_name               = "countersign-signer"
  token_policies          = [vault_policy.native.name, vault_policy.decrypt.name, vault_policy.token.name]
  token_ttl               = 900
  token_max_ttl           = 3600
  token_bound_cidrs       = var.bound_cidrs
  secret_id_bound_cidrs   = var.bound_cidrs
  secret_id_num_uses      = 0
  token_no_default_policy = true
}
