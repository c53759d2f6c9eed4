import { isChecksumField, type OperationName, type WireFields, type WireRequest, type WireValue } from './wire.ts'

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** Below `/v1/`, with its query. */
  readonly path: string
  /** Overwritten by whoever sent it. */
  readonly body?: Uint8Array
}

/** One row an operation. @see Cloud KMS REST reference v1 */
const ROWS: Readonly<Record<OperationName, (request: WireRequest) => RestRequest>> = {
  AsymmetricSign: ({ name, fields }) => post(`${name}:asymmetricSign`, fields),
  Encrypt: ({ name, fields }) => post(`${name}:encrypt`, fields),
  Decrypt: ({ name, fields }) => post(`${name}:decrypt`, fields),
  TestIamPermissions: ({ name, fields }) => post(`${name}:testIamPermissions`, fields),
  GetPublicKey: ({ name }) => ({ method: 'GET', path: `${name}/publicKey` }),
  GetCryptoKey: ({ name }) => ({ method: 'GET', path: name }),
  GetCryptoKeyVersion: ({ name }) => ({ method: 'GET', path: name }),
  ListCryptoKeyVersions: ({ name, fields = {} }) => {
    const query = new URLSearchParams(
      Object.entries(fields).flatMap(([field, value]): [string, string][] =>
        typeof value === 'string' || typeof value === 'number' ? [[field, String(value)]] : [],
      ),
    )
    return { method: 'GET', path: `${name}/cryptoKeyVersions?${query.toString()}` }
  },
  CreateCryptoKey: ({ name, fields = {}, cryptoKeyId = '', skipInitialVersionCreation }) =>
    post(
      `${name}/cryptoKeys?cryptoKeyId=${encodeURIComponent(cryptoKeyId)}${skipInitialVersionCreation === true ? '&skipInitialVersionCreation=true' : ''}`,
      fields['cryptoKey'] as WireFields,
    ),
  CreateImportJob: ({ name, fields = {}, importJobId = '' }) =>
    post(`${name}/importJobs?importJobId=${encodeURIComponent(importJobId)}`, fields['importJob'] as WireFields),
  GetImportJob: ({ name }) => ({ method: 'GET', path: name }),
  ImportCryptoKeyVersion: ({ name, fields }) => post(`${name}/cryptoKeyVersions:import`, fields),
  UpdateCryptoKeyVersion: ({ name, fields = {} }) => ({
    method: 'PATCH',
    path: `${name}?updateMask=${Object.keys(fields).join(',')}`,
    body: jsonBytes(fields),
  }),
  DestroyCryptoKeyVersion: ({ name }) => post(`${name}:destroy`),
}

export const encodeRequest = (operation: OperationName, request: WireRequest): RestRequest => ROWS[operation](request)

const post = (path: string, fields: WireFields = {}): RestRequest => ({ method: 'POST', path, body: jsonBytes(fields) })

/**
 * JSON as bytes from the start: a byte member goes from bytes to base64 bytes, so that the secret in a request to
 * Encrypt is never a string, and the caller can overwrite the whole.
 */
function jsonBytes(fields: WireFields): Uint8Array {
  const parts: Uint8Array[] = []
  write(parts, '', fields)
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
    part.fill(0)
  }
  return whole
}

function write(parts: Uint8Array[], name: string, value: WireValue): void {
  const text = (part: string): void => void parts.push(new TextEncoder().encode(part))
  if (value instanceof Uint8Array) {
    text('"')
    parts.push(toBase64Bytes(value))
    text('"')
  } else if (typeof value === 'object' && !Array.isArray(value)) {
    text('{')
    for (const [i, [member, inner]] of Object.entries(value).entries()) {
      text(`${i === 0 ? '' : ','}${JSON.stringify(member)}:`)
      write(parts, member, inner)
    }
    text('}')
  } else {
    text(JSON.stringify(isChecksumField(name) ? String(value) : value))
  }
}

/** RFC 4648 §4 with padding. No table index and no branch depends on a secret byte. */
function toBase64Bytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(new ArrayBuffer(Math.ceil(bytes.length / 3) * 4))
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    for (let i = 0; i < 4; i++) out[to + i] = at + i > bytes.length ? PAD : letter((word >> (18 - 6 * i)) & 63)
  }
  return out
}
const PAD = 0x3d

/** Each step beyond a border adds the distance to the next range of the alphabet: A–Z, a–z, 0–9, +, /. */
function letter(value: number): number {
  let code = value + 0x41
  code += ((25 - value) >> 8) & 6
  code -= ((51 - value) >> 8) & 75
  code -= ((61 - value) >> 8) & 15
  code += ((62 - value) >> 8) & 3
  return code
}
