import type { OperationKind } from '../judgement.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'

/**
 * What the provider asks of a transport: one attempt of one operation, in the words of the API, with bytes as bytes.
 * Both transports speak it, so that every check stands in one place above them.
 */
export interface Wire {
  /** True when the endpoint is on this machine: an emulator, of which no protection level can be claimed. */
  readonly local: boolean
  /**
   * @throws SignerError only, by the table in translate.ts. Redirects, retries and unbounded answers do not happen.
   */
  attempt(operation: Operation, request: WireRequest, call: Call): Promise<Attempted>
  /** Who we are to the service, as far as it is known without asking: kind of credentials, principal. */
  identity(call: Call): Promise<Identity>
  close(): void
}

export interface Identity {
  readonly kind: string
  readonly principal?: string
}

export type OperationName =
  | 'AsymmetricSign'
  | 'GetPublicKey'
  | 'Encrypt'
  | 'Decrypt'
  | 'GetCryptoKey'
  | 'GetCryptoKeyVersion'
  | 'ListCryptoKeyVersions'
  | 'CreateCryptoKey'
  | 'CreateImportJob'
  | 'GetImportJob'
  | 'ImportCryptoKeyVersion'
  | 'UpdateCryptoKeyVersion'
  | 'DestroyCryptoKeyVersion'
  | 'TestIamPermissions'

/** `read` leaves nothing behind; `effect` makes something (a signature, a key) that may exist though no answer came. */
export interface Operation {
  readonly name: OperationName
  readonly kind: OperationKind
}

export const OPERATIONS = {
  sign: { name: 'AsymmetricSign', kind: 'effect' },
  publicKey: { name: 'GetPublicKey', kind: 'read' },
  encrypt: { name: 'Encrypt', kind: 'read' },
  decrypt: { name: 'Decrypt', kind: 'read' },
  key: { name: 'GetCryptoKey', kind: 'read' },
  version: { name: 'GetCryptoKeyVersion', kind: 'read' },
  versions: { name: 'ListCryptoKeyVersions', kind: 'read' },
  createKey: { name: 'CreateCryptoKey', kind: 'effect' },
  createJob: { name: 'CreateImportJob', kind: 'effect' },
  job: { name: 'GetImportJob', kind: 'read' },
  importVersion: { name: 'ImportCryptoKeyVersion', kind: 'effect' },
  // These set a state: an unanswered one can be sent again, and nothing comes of it that was not asked for.
  setState: { name: 'UpdateCryptoKeyVersion', kind: 'read' },
  destroy: { name: 'DestroyCryptoKeyVersion', kind: 'read' },
  permissions: { name: 'TestIamPermissions', kind: 'read' },
} as const satisfies Record<string, Operation>

export type WireValue = string | number | boolean | Uint8Array | readonly string[] | WireFields
export interface WireFields {
  readonly [field: string]: WireValue
}

/** `fields` as in the API's JSON: lowerCamelCase, enums by name; bytes as bytes, checksums (`…Crc32c`) as numbers. */
export interface WireRequest {
  /** The resource the operation is about: the member `name`, `parent` or `resource`. */
  readonly name: string
  readonly fields?: WireFields
  /** CreateCryptoKey only. */
  readonly cryptoKeyId?: string
  /** CreateCryptoKey only: a key whose versions are imported. */
  readonly skipInitialVersionCreation?: true
  /** CreateImportJob only. */
  readonly importJobId?: string
}

/** As `WireFields`, untrusted: a member is what it is, not what the API promises. */
export type Message = Readonly<Record<string, unknown>>

export interface Attempted {
  readonly message: Message
  readonly providerRequestId?: string
  /** Decrypt only, cut out of the answer before anything made text of it. Whoever takes it wipes it. */
  readonly plaintext?: SecretBytes
  /** The clock of the service, when the transport shows it; milliseconds since the epoch. */
  readonly serverTime?: number
}

export const textIn = (message: Message, field: string): string | undefined => {
  const value = Object.hasOwn(message, field) ? message[field] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

export const bytesIn = (message: Message, field: string): Uint8Array | undefined => {
  const value = Object.hasOwn(message, field) ? message[field] : undefined
  return value instanceof Uint8Array && value.length > 0 ? value : undefined
}

export const numberIn = (message: Message, field: string): number | undefined => {
  const value = Object.hasOwn(message, field) ? message[field] : undefined
  return typeof value === 'number' ? value : undefined
}

export const messageIn = (message: Message, field: string): Message | undefined => {
  const value = Object.hasOwn(message, field) ? message[field] : undefined
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    ? (value as Message)
    : undefined
}

export const listIn = (message: Message, field: string): readonly unknown[] => {
  const value = Object.hasOwn(message, field) ? message[field] : undefined
  return Array.isArray(value) ? value : []
}

/** A Timestamp or Duration of either transport: RFC 3339 text or `123.5s`, or seconds and nanoseconds; in milliseconds. */
export function timeIn(message: Message, field: string): number | undefined {
  const text = textIn(message, field)
  if (text !== undefined) {
    const at = /^[0-9]{1,12}(\.[0-9]{1,9})?s$/.test(text) ? Number(text.slice(0, -1)) * 1_000 : Date.parse(text)
    return Number.isFinite(at) ? at : undefined
  }
  const { seconds } = messageIn(message, field) ?? {}
  const at = typeof seconds === 'string' || typeof seconds === 'number' ? Number(seconds) * 1_000 : Number.NaN
  return Number.isFinite(at) ? at : undefined
}

/** Members that are bytes, and members that are checksums, by name: the API uses each name for one thing only. */
export const BYTES_FIELDS: ReadonlySet<string> = new Set(['signature', 'ciphertext', 'data', 'plaintext'])
export const isChecksumField = (name: string): boolean =>
  name === 'crc32cChecksum' || (name.endsWith('Crc32c') && !name.startsWith('verified'))

/**
 * An Int64Value that is a CRC32C: a decimal string without sign or leading zero, at most 2^32 − 1. Undefined: anything else.
 * The JSON mapping of int64 is a string because a double cannot hold all of it; a number there is somebody else's JSON.
 */
export function checksumOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined
  const value = Number(text)
  return value <= 0xffff_ffff ? value : undefined
}
