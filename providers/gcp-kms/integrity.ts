import { crc32c } from '@aws-crypto/crc32c'
import { SignerError } from '../../src/domain/errors.ts'
import { textIn, type Attempted, bytesIn, type Message, numberIn } from './wire.ts'

/**
 * The client's half of Cloud KMS's end-to-end integrity: a CRC32C goes with every input, the service says that it
 * checked it, and every output is checked against the CRC32C beside it. A checksum that is missing counts as wrong.
 * @see Cloud KMS documentation, "Verifying end-to-end data integrity"
 */
export { crc32c }

/** What is being checked, for the words of an error. */
export interface About {
  readonly provider: string
  readonly operation: string
  readonly answer: Attempted
}

const withId = ({ answer: { providerRequestId } }: About) =>
  providerRequestId === undefined ? {} : { requestId: providerRequestId }

export const malformed = (about: About, reason: string): SignerError<'provider/malformed'> =>
  new SignerError('provider/malformed', {
    provider: about.provider,
    reason: `${about.operation}: ${reason}`,
    ...withId(about),
  })

export const corrupt = (about: About, reason: string): SignerError<'provider/corrupt'> =>
  new SignerError('provider/corrupt', {
    provider: about.provider,
    reason: `${about.operation}: ${reason}`,
    ...withId(about),
  })

/** @throws `key/mismatch` when the answer is about another resource; `provider/malformed` when it names none. */
export function requireName(about: About, asked: string): void {
  const name = textIn(about.answer.message, 'name')
  if (name === undefined) throw malformed(about, 'the answer does not name its key')
  if (name !== asked)
    throw new SignerError('key/mismatch', { key: asked, reason: 'Cloud KMS answered for another key' })
}

/** @throws `provider/corrupt` unless the service says it checked what we sent. */
export function requireVerified(about: About, field: string): void {
  if (about.answer.message[field] !== true) {
    throw corrupt(about, `${field} is not true: the service did not confirm the checksum of the request`)
  }
}

/** @throws `provider/malformed` without the bytes, `provider/corrupt` unless they fit the checksum beside them. */
export function checkedBytes(about: About, field: string, message: Message = about.answer.message): Uint8Array {
  const bytes = bytesIn(message, field)
  if (bytes === undefined) throw malformed(about, `the answer holds no ${field}`)
  requireChecksum(about, field, bytes, numberIn(message, field === 'data' ? 'crc32cChecksum' : `${field}Crc32c`))
  return bytes
}

export function requireChecksum(about: About, field: string, bytes: Uint8Array, sent: number | undefined): void {
  if (sent === undefined) throw corrupt(about, `the answer holds no checksum of its ${field}`)
  if (crc32c(bytes) !== sent) throw corrupt(about, `the ${field} does not fit its checksum`)
}
