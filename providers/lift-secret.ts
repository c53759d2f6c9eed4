import { SecretBytes } from '../src/domain/secret.ts'
import { decodeBase64Bytes } from './base64-bytes.ts'
import { type Member, ScanError, withValue } from './json-bytes.ts'

const QUOTE = 0x22
const EMPTY_STRING = new Uint8Array([QUOTE, QUOTE])

/**
 * Takes an opened key out of an answer while it is still bytes: what goes on to become text has an empty member in its
 * place. `body` is untouched and still holds the key: whoever has it overwrites it.
 * @throws ScanError, which quotes nothing, unless the member is a string without escapes of canonical base64, not empty.
 */
export function liftSecret(
  body: Uint8Array,
  member: Member | undefined,
  label: string,
): { rest: Uint8Array; secret: SecretBytes } {
  if (member === undefined) throw new ScanError('no plaintext')
  if (body[member.from] !== QUOTE) throw new ScanError('the plaintext is not a string')
  // Without escapes its characters are the bytes between the quotes; a backslash is no base64.
  const bytes = decodeBase64Bytes(body.subarray(member.from + 1, member.to - 1))
  if (bytes === undefined || bytes.length === 0) throw new ScanError('the plaintext is not base64')
  return { rest: withValue(body, member, EMPTY_STRING), secret: new SecretBytes(bytes, label) }
}
