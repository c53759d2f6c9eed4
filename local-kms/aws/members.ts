import { AwsError, validation } from './errors.ts'
import { blob, boolean, integer, list, optional, required, string, stringMap, struct } from './shapes.ts'

/** Members that many operations share, with the model's limits. */
export const keyId = string({ min: 1, max: 2048 })
export const grantTokens = optional(list(string({ min: 1, max: 8192 }), 10))
export const dryRun = optional(boolean)
export const limit = optional(integer(1, 1000))
export const marker = optional(string({ min: 1, max: 1024, pattern: /^[\u0020-\u00FF]*$/ }))
export const description = string({ max: 8192 })
export const policyText = string({ min: 1, max: 131_072 })
export const encryptionContext = optional(stringMap)
export const ciphertextBlob = blob(1, 6144)
export const aliasName = string({ min: 1, max: 256, pattern: /^[a-zA-Z0-9:/_-]+$/ })
export const tag = struct({
  TagKey: required(string({ min: 1, max: 128 })),
  TagValue: required(string({ max: 256 })),
})
export const tags = list(tag)
export const recipient = optional(struct({ AttestationDocument: optional(blob(1, 262_144)) }))

/** No grant can exist here, so no grant token can be right. */
export function refuseGrantTokens(tokens: readonly string[] | undefined): void {
  if (tokens !== undefined && tokens.length > 0) throw new AwsError('InvalidGrantTokenException', 'Invalid grant token')
}

/** Attested callers (Nitro enclaves) are outside what local-kms plays. */
export function refuseRecipient(value: unknown): void {
  if (value !== undefined) throw validation('Recipient is not supported by local-kms.')
}

/** Pages by the last name of the page before: names are sorted, so entries may come and go in between. */
export function page<T>(
  entries: readonly T[],
  nameOf: (entry: T) => string,
  options: { limit: number; marker: string | undefined },
): { items: T[]; paging: { NextMarker?: string; Truncated: boolean } } {
  const sorted = entries.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const after = options.marker === undefined ? undefined : readMarker(options.marker)
  const rest = after === undefined ? sorted : sorted.filter(entry => nameOf(entry) > after)
  const items = rest.slice(0, options.limit)
  const last = items.at(-1)
  if (rest.length <= items.length || last === undefined) return { items, paging: { Truncated: false } }
  return { items, paging: { NextMarker: writeMarker(nameOf(last)), Truncated: true } }
}

const PREFIX = 'local-kms:'
const writeMarker = (name: string): string => Buffer.from(PREFIX + name, 'utf8').toString('base64')

function readMarker(text: string): string {
  const decoded = Buffer.from(text, 'base64').toString('utf8')
  if (!decoded.startsWith(PREFIX) || writeMarker(decoded.slice(PREFIX.length)) !== text) {
    throw new AwsError('InvalidMarkerException', 'Invalid marker')
  }
  return decoded.slice(PREFIX.length)
}
