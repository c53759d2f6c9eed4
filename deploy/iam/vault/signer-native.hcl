# Signs with one version of one key, and reads its public key. Nothing in the body but these two may be sent, and both
# must be: without `key_version` the newest version would sign. The service compares texts, so the number is sent as one.
path "${mount}/sign/${key}" {
  capabilities        = ["update"]
  required_parameters = ["input", "key_version"]
  allowed_parameters  = {
    "input"       = []
    "key_version" = ["${key_version}"]
  }
}

path "${mount}/keys/${key}" {
  capabilities = ["read"]
}
