/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial. Check value: `123456789` gives e3069283. */
const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1
  return c
})

export function crc32c(bytes: Uint8Array): bigint {
  let c = 0xffffffff
  for (const byte of bytes) c = TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8)
  return BigInt((c ^ 0xffffffff) >>> 0)
}
