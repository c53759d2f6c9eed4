import { toHex } from '../../core/random.ts'
import type { Call, Result } from '../context.ts'
import { bad } from '../errors.ts'
import { decodeBase64, encodeBase64, GoError } from '../go.ts'
import { hashNamed } from './hashes.ts'

export const HASH_FIELDS = { input: 'string', algorithm: 'string', urlalgorithm: 'string', format: 'string' } as const
export const RANDOM_FIELDS = {
  urlbytes: 'string',
  bytes: 'int',
  format: 'string',
  source: 'string',
} as const

const BYTES_MAX = 131_072

export function hashInput({ data }: Call): Result {
  if (!data.has('input')) throw bad('input missing')
  const input = decodeInput(data.string('input'))
  const format = data.string('format', 'hex')
  if (!['hex', 'base64'].includes(format)) {
    throw bad(`unsupported encoding format ${format}; must be "hex" or "base64"`)
  }
  const algorithm = data.string('urlalgorithm') || data.string('algorithm') || 'sha2-256'
  const row = hashNamed(algorithm)
  if (row === undefined || algorithm === 'sha1') throw bad(`unsupported algorithm ${algorithm}`)
  const sum = row.hash(input)
  return { data: { sum: format === 'hex' ? toHex(sum) : encodeBase64(sum) } }
}

/** @throws VaultError 400 */
export function decodeInput(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(`unable to decode input as base64: ${problem.message}`)
    throw problem
  }
}

export function randomBytes({ data, core, warnings }: Call): Result {
  const inPath = data.string('urlbytes')
  const sources = ['platform', 'seal', 'all']
  // With one part behind `random/`, a source may stand where the count would
  const alone = data.string('source') === '' && sources.includes(inPath)
  const source = alone ? inPath : data.string('source') || 'platform'
  const count = readCount(alone ? '' : inPath, data.int('bytes', 32))
  const format = data.string('format', 'base64')
  if (!['hex', 'base64'].includes(format)) {
    throw bad(`unsupported encoding format ${JSON.stringify(format)}; must be "hex" or "base64"`)
  }
  if (!sources.includes(source)) {
    throw bad(`unsupported entropy source ${JSON.stringify(source)}; must be "platform" or "seal", or "all"`)
  }
  if (source === 'seal') warnings.push('no seal/entropy augmentation available, using platform entropy source')
  const bytes = core.streams('vault random').bytes(count)
  return { data: { random_bytes: format === 'hex' ? toHex(bytes) : encodeBase64(bytes) } }
}

function readCount(inPath: string, given: number): number {
  if (inPath !== '' && !/^[+-]?\d+$/.test(inPath)) {
    throw bad(`error parsing url-set byte count: strconv.Atoi: parsing ${JSON.stringify(inPath)}: invalid syntax`)
  }
  const count = inPath === '' ? given : Number(inPath)
  if (count < 1) throw bad("'bytes' cannot be less than 1")
  if (count > BYTES_MAX) throw bad(`'bytes' should be less than ${BYTES_MAX}`)
  return count
}
