# For the minutes in which a key is registered: makes keys that cannot be exported, proves possession, wraps and opens once.
# `+` is one segment: rotate, config, trim and import lie below it and stay closed.
path "${mount}/keys/+" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = {
    "type"                   = ["ed25519", "aes256-gcm96"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
    "derived"                = [false]
  }
}

path "${mount}/sign/+" {
  capabilities        = ["update"]
  required_parameters = ["key_version"]
}

path "${mount}/encrypt/+" {
  capabilities        = ["update"]
  required_parameters = ["associated_data"]
}

path "${mount}/decrypt/+" {
  capabilities        = ["update"]
  required_parameters = ["associated_data"]
}
