/** Signatures of webhooks. @see https://www.standardwebhooks.com (specification 1.0.0, symmetric scheme `v1`) */
import { fromBase64, toBase64 } from './base64.ts'

const PREFIX = 'whsec_'
const [BYTES_MIN, BYTES_MAX] = [24, 64]

/** `whsec_` and 24 to 64 bytes in base64, padded. @returns undefined for anything else */
export function readWebhookSecret(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = text.startsWith(PREFIX) ? fromBase64(text.slice(PREFIX.length)) : undefined
  if (bytes === undefined || bytes.length < BYTES_MIN || bytes.length > BYTES_MAX) return undefined
  return Uint8Array.from(bytes)
}

export interface WebhookMessage {
  /** The same for every attempt. */
  readonly id: string
  /** Seconds since the epoch, of this attempt: receivers refuse what is old. */
  readonly timestamp: number
  readonly body: string
}

/** What stands in `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`. */
export async function signWebhook(
  secret: Uint8Array<ArrayBuffer>,
  { id, timestamp, body }: WebhookMessage,
): Promise<string> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signed = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${id}.${timestamp}.${body}`))
  return `v1,${toBase64(new Uint8Array(signed))}`
}
