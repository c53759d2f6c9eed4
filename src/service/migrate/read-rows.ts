import { fromBase64 } from '../../bytes/base64.ts'
import { type Json, parseStrictJson } from '../../bytes/json.ts'
import { isSignerError, malformed, SignerError } from '../../domain/errors.ts'
import { type Chain, KEY_NAME } from '../../domain/key.ts'
import type { LineProblem, MigrateDeps, ReadRows, SourceRow } from './types.ts'

/** What a line must hold besides address and name. */
export type RowForm = 'passphrase-rows' | 'kms-blob'

const ROWS_MAX = 100_000
const LINE_CHARACTERS_MAX = 16_384
const FIELDS: Readonly<Record<RowForm, { readonly sealed: string; readonly all: readonly string[] }>> = {
  'passphrase-rows': { sealed: 'row', all: ['address', 'row', 'name'] },
  'kms-blob': { sealed: 'ciphertext', all: ['address', 'ciphertext', 'name', 'wrappingKey'] },
}

/**
 * A file with one key a line: JSON Lines, or CSV with the columns in the order of `FIELDS`, whose first line may name them.
 * A line that cannot be read is a problem of its own. So is an address under a second name: on one network a public key has
 * one name. Two lines of one name are both kept, for the second may be good where the first is not.
 *
 * @throws `request/malformed` for a file without any line, with too many, or that is not UTF-8
 */
export function readRows(
  file: Uint8Array,
  form: RowForm,
  { chain, account }: { readonly chain: Chain; readonly account: MigrateDeps['account'] },
): ReadRows {
  const lines = linesOf(file)
  const isJson = lines[0]?.text.startsWith('{') === true
  const body = !isJson && lines[0]?.text.split(',')[0] === 'address' ? lines.slice(1) : lines
  if (body.length === 0) throw malformed('the file', 'holds no line', 'give one key a line')
  if (body.length > ROWS_MAX) throw malformed('the file', `holds ${body.length} lines`, `split it: ${ROWS_MAX} at most`)
  const rows: SourceRow[] = []
  const problems: LineProblem[] = []
  const names = new Map<string, SourceRow>()
  for (const { line, text } of body) {
    let fields: Fields = {}
    try {
      if (text.length > LINE_CHARACTERS_MAX)
        throw malformed('line', 'is too long', `use ${LINE_CHARACTERS_MAX} characters at most`)
      fields = isJson ? fieldsOfJson(text, form) : fieldsOfCsv(text, form)
      const row = rowOf({ line, fields, form, address: addressIn(fields, chain, account) })
      refuseSecondName(names, row)
      rows.push(row)
    } catch (error) {
      if (!isSignerError(error)) throw error
      const { name, address } = fields
      problems.push({ line, ...known({ name: shown(name), address: shown(address) }), error })
    }
  }
  return { rows, problems }
}

type Fields = Readonly<Record<string, string>>

function linesOf(file: Uint8Array): { line: number; text: string }[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file)
  } catch {
    throw malformed('the file', 'is not UTF-8', 'give JSON Lines or CSV')
  }
  return text
    .split('\n')
    .map((each, at) => ({ line: at + 1, text: each.trim() }))
    .filter(each => each.text !== '')
}

function fieldsOfJson(text: string, form: RowForm): Fields {
  const value = jsonOf(text)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw malformed('line', 'is no JSON object', 'write one object a line')
  }
  for (const [field, each] of Object.entries(value)) {
    if (!FIELDS[form].all.includes(field))
      throw malformed(
        shown(field) ?? 'line',
        shown(field) === undefined ? 'has an unknown field' : 'is unknown',
        `use ${FIELDS[form].all.join(', ')}`,
      )
    if (typeof each !== 'string') throw malformed(field, 'is no text', 'write it in double quotes')
  }
  return value as Fields
}

/** The parser's errors name the member they stopped at, and a member may be called anything. */
function jsonOf(text: string): Json {
  try {
    return parseStrictJson(new TextEncoder().encode(text), { maxDepth: 1 })
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'request/malformed') throw error
    throw malformed('line', error.detail.reason, error.detail.fix)
  }
}

/** Neither base64 nor an address nor a name holds a comma or a quote, so quotes around a whole field are all there can be. */
function fieldsOfCsv(text: string, form: RowForm): Fields {
  const cells = text.split(',').map(cell => unquoted(cell.trim()))
  const { all } = FIELDS[form]
  if (cells.length > all.length) throw malformed('line', `has ${cells.length} columns`, `use ${all.join(',')}`)
  return Object.fromEntries(cells.flatMap((cell, at) => (cell === '' ? [] : [[all[at] ?? '', cell]])))
}

const unquoted = (cell: string): string =>
  cell.length >= 2 && cell.startsWith('"') && cell.endsWith('"') ? cell.slice(1, -1) : cell

function addressIn({ address }: Fields, chain: Chain, account: MigrateDeps['account']): string {
  if (address === undefined)
    throw malformed('address', 'is missing', 'give the address of the account: the row has none')
  const found = account(chain, address)?.address
  if (found !== undefined) return found
  const [what, fix] =
    chain === 'evm'
      ? ['an EVM address', '0x… in lower case or as EIP-55 has it']
      : ['a Stellar address', 'the G… address']
  throw malformed('address', `is not ${what}`, `write ${fix}`)
}

function rowOf(read: {
  readonly line: number
  readonly fields: Fields
  readonly form: RowForm
  readonly address: string
}): SourceRow {
  const { line, fields, form, address } = read
  const { name = address, wrappingKey } = fields
  if (!KEY_NAME.test(name)) {
    throw malformed('name', 'is not a key name', 'use 1 to 64 letters, digits, and _ . - after the first')
  }
  if (looksSecret(name)) throw malformed('name', 'looks like a private key', 'give the columns in their order')
  const field = FIELDS[form].sealed
  const text = fields[field]
  if (text === undefined) throw malformed(field, 'is missing', 'give what is encrypted, in base64')
  if (looksSecret(text)) {
    // It would go to the key service as it is.
    throw malformed(field, 'looks like a private key in clear', 'move it with `countersign migrate env`')
  }
  const bytes = fromBase64(text)
  if (bytes === undefined || bytes.length === 0)
    throw malformed(field, 'is not standard base64', 'copy the whole value')
  if (form === 'passphrase-rows' && bytes.length <= 28) {
    throw malformed(field, `holds ${bytes.length} bytes, and nonce and tag alone are 28`, 'copy the whole value')
  }
  const sealed = form === 'kms-blob' ? bytes : new TextEncoder().encode(text)
  return { line, name, address, sealed, ...known({ wrappingKey }) }
}

function refuseSecondName(names: Map<string, SourceRow>, row: SourceRow): void {
  const before = names.get(row.address)
  if (before === undefined) names.set(row.address, row)
  else if (before.name !== row.name) {
    const reason = `line ${before.line} has this address under the name ${before.name}; on one network a public key has one name`
    throw new SignerError('key/exists', { key: row.name, reason })
  }
}

/** A field that cannot be what it should be might be anything, a seed included: only what looks harmless is repeated. */
const shown = (text: string | undefined): string | undefined =>
  text !== undefined && KEY_NAME.test(text) && !looksSecret(text) ? text : undefined

/** An `S…` seed or 64 hex digits, which would pass for a name. */
export const looksSecret = (text: string): boolean =>
  /^S[A-Z2-7]{55}$/.test(text) || /^(0x)?[0-9A-Fa-f]{64}$/.test(text)

const known = <T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
