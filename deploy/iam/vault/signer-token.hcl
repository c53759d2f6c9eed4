# What a token may do about itself: renew it at two thirds of its life, and let `countersign doctor` ask what it holds.
path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
