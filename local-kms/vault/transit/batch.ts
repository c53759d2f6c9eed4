import { failed } from '../errors.ts'
import { textOf as scalarText } from '../go.ts'

/** One entry of a batch, with what came of it. */
export type Item = Readonly<Record<string, unknown>>

const kindOf = (value: unknown): string =>
  Array.isArray(value)
    ? '[]interface {}'
    : value === null
      ? '<nil>'
      : typeof value === 'object'
        ? 'map[string]interface {}'
        : typeof value === 'number'
          ? 'json.Number'
          : typeof value === 'boolean'
            ? 'bool'
            : 'string'

const words: Record<string, string> = { number: 'number', string: 'string', object: 'map', boolean: 'bool' }

/**
 * Entries of a batch whose members are read as text whatever they are.
 * @param goType  of an entry, which the server names in its refusals
 * @throws VaultError 500
 */
export function looseItems(raw: unknown, goType: string): Item[] {
  if (!Array.isArray(raw)) {
    throw failed(`failed to parse batch input: '' source data must be an array or slice, got ${words[typeof raw]}`)
  }
  const wrong = raw.findIndex(each => typeof each !== 'object' || each === null || Array.isArray(each))
  if (wrong >= 0) {
    throw failed(
      `failed to parse batch input: decoding failed due to the following error(s):\n\n'[${wrong}]' expected type '${goType}', got unconvertible type '${kindOf(raw[wrong])}'`,
    )
  }
  return raw as Item[]
}

/** Text of a member; numbers and truth values as text. Undefined: not there. */
export function textOf(item: Item, member: string): string | undefined {
  const value = item[member]
  if (value === undefined) return undefined
  return typeof value === 'boolean' ? (value ? '1' : '0') : scalarText(value)
}

/**
 * Entries whose members have to be of their type.
 * @param required  the member that has to be there, with the text that says it is not
 * @throws VaultError 500
 */
export function strictItems(raw: unknown, required: { member: string; missing: string }): Item[] {
  if (!Array.isArray(raw)) {
    throw failed(`failed to parse batch input: source data must be an array or slice, got ${kindOf(raw)}`)
  }
  const problems: string[] = []
  for (const [i, each] of raw.entries()) {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) {
      problems.push(`[${i}] expected a map, got '${kindOf(each)}'`)
      continue
    }
    const item = each as Item
    if (!Object.hasOwn(item, required.member)) problems.push(`'[${i}].${required.member}' ${required.missing}`)
    for (const name of ['plaintext', 'ciphertext', 'context', 'nonce', 'associated_data', 'reference']) {
      const value = item[name]
      const absent = value === undefined || (value === null && name !== required.member)
      if (absent || typeof value === 'string') continue
      problems.push(`'[${i}].${name}' expected type 'string', got unconvertible type '${kindOf(value)}'`)
    }
    const version = item['key_version']
    if (version === undefined || version === null || Number.isInteger(version)) continue
    problems.push(
      typeof version === 'number'
        ? `error decoding json.Number into [${i}].key_version: strconv.ParseInt: parsing "${version}": invalid syntax`
        : `'[${i}].key_version' expected type 'int', got unconvertible type '${kindOf(version)}'`,
    )
  }
  if (problems.length > 0) throw failed(`failed to parse batch input: ${problems.join('\n')}`)
  return raw as Item[]
}
