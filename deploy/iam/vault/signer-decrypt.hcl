# Opens what was encrypted under one key, and only together with its associated data. `batch_input` cannot be sent.
path "${mount}/decrypt/${key}" {
  capabilities        = ["update"]
  allowed_parameters  = {
    "ciphertext"      = []
    "associated_data" = []
  }
  required_parameters = ["associated_data"]
}
