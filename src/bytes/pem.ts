import { fromBase64 } from './base64.ts'

/**
 * RFC 7468 §13, strict: one block, the label of a public key, base64 in lines.
 * @returns the DER inside; undefined for anything else.
 */
export function spkiFromPem(pem: string): Uint8Array | undefined {
  const lines = pem.replaceAll('\r\n', '\n').trimEnd().split('\n')
  if (lines.shift() !== '-----BEGIN PUBLIC KEY-----' || lines.pop() !== '-----END PUBLIC KEY-----') return undefined
  return lines.length <= 16 ? fromBase64(lines.join('')) : undefined
}
