/** What callers send about proposals, read and nothing else. */
import { fromBase64, toBase64 } from '../../bytes/base64.ts'
import { parseStrictJson } from '../../bytes/json.ts'
import { malformed } from '../../domain/errors.ts'
import { KEY_NAME } from '../../domain/key.ts'
import { type NeededWeight, PROPOSAL_STATES, type ProposalState } from '../../domain/proposals.ts'
import { objectOf } from '../request.ts'

/** The protocol's limit on signatures of one envelope, and on signers besides the master key of an account. */
const SIGNERS_MAX = 20
const ACCOUNTS_MAX = 101
const EXPIRY_SECONDS_MAX = 30 * 86_400

export interface OpenInput {
  readonly xdr: string
  readonly keys: readonly string[]
  /** Absent: read from the accounts. */
  readonly needed?: readonly NeededWeight[]
  readonly expiresInSeconds?: number
}

type Fields = Readonly<Record<string, unknown>>

const EXAMPLE = 'send {"xdr":"…","keys":["treasury"]}'

/** @throws `request/malformed` with the field */
export function readOpen(body: Uint8Array): OpenInput {
  const fields = readObject(parseStrictJson(body), 'body', ['xdr', 'keys', 'needed', 'expiresInSeconds'], EXAMPLE)
  const { needed, expiresInSeconds } = fields
  const input = { xdr: readText(fields, 'xdr', EXAMPLE), keys: readKeys(fields['keys']) }
  return {
    ...input,
    ...(needed === undefined ? {} : { needed: readNeeded(needed) }),
    ...(expiresInSeconds === undefined
      ? {}
      : { expiresInSeconds: readWhole(expiresInSeconds, 'expiresInSeconds', 1, EXPIRY_SECONDS_MAX) }),
  }
}

function readKeys(keys: unknown): readonly string[] {
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > SIGNERS_MAX) {
    throw malformed('keys', `is not a list of 1 to ${SIGNERS_MAX} names`, EXAMPLE)
  }
  return keys.map((key: unknown, at) => {
    if (typeof key !== 'string' || !KEY_NAME.test(key)) throw malformed(`keys[${at}]`, 'is not a key name', EXAMPLE)
    if (keys.indexOf(key) < at) throw malformed(`keys[${at}]`, `names ${key} a second time`, 'name each key once')
    return key
  })
}

const WEIGHTS = 'send {"account":"G…","threshold":2,"signers":[{"key":"G…","weight":1}]}'

/** Whether they fit the transaction is asked later. */
function readNeeded(needed: unknown): readonly NeededWeight[] {
  if (!Array.isArray(needed) || needed.length === 0 || needed.length > ACCOUNTS_MAX) {
    throw malformed('needed', `is not a list of 1 to ${ACCOUNTS_MAX} accounts`, WEIGHTS)
  }
  const accounts = needed.map((each: unknown, at) => readAccount(each, `needed[${at}]`))
  requireOnce(
    accounts.map(({ account }) => account),
    at => `needed[${at}].account`,
  )
  return accounts
}

function readAccount(value: unknown, field: string): NeededWeight {
  const fields = readObject(value, field, ['account', 'threshold', 'signers'], WEIGHTS)
  const { signers: list } = fields
  if (!Array.isArray(list) || list.length === 0 || list.length > SIGNERS_MAX + 1) {
    throw malformed(`${field}.signers`, `is not a list of 1 to ${SIGNERS_MAX + 1} signers`, WEIGHTS)
  }
  const signers = list.map((each: unknown, at) => {
    const path = `${field}.signers[${at}]`
    const signer = readObject(each, path, ['key', 'weight'], WEIGHTS)
    return {
      key: readText(signer, 'key', WEIGHTS, path),
      weight: readWhole(signer['weight'], `${path}.weight`, 1, 255),
    }
  })
  requireOnce(
    signers.map(({ key }) => key),
    at => `${field}.signers[${at}].key`,
  )
  return {
    account: readText(fields, 'account', WEIGHTS, field),
    threshold: readWhole(fields['threshold'], `${field}.threshold`, 1, 255),
    signers,
  }
}

function requireOnce(names: readonly string[], field: (at: number) => string): void {
  const twice = names.findIndex((name, at) => names.indexOf(name) < at)
  if (twice >= 0) throw malformed(field(twice), 'is named a second time', 'name each once')
}

/** The keys to sign with; undefined: all that have not. */
export function readCollect(body: Uint8Array): readonly string[] | undefined {
  if (body.length === 0) return undefined
  const { keys } = readObject(parseStrictJson(body), 'body', ['keys'], 'send {"keys":["treasury"]}, or {} for all')
  return keys === undefined ? undefined : readKeys(keys)
}

/** @throws `request/malformed` when there is something in it */
export function readNothing(body: Uint8Array): void {
  if (body.length > 0) readObject(parseStrictJson(body), 'body', [], 'send {}, or nothing')
}

export type ImportInput =
  | { readonly xdr: string }
  | { readonly signatures: readonly { readonly signer: string; readonly signature: string }[] }

const IMPORT = 'send {"xdr":"…"}, or {"signatures":[{"signer":"G…","signature":"…"}]}'

export function readImport(body: Uint8Array): ImportInput {
  const fields = readObject(parseStrictJson(body), 'body', ['xdr', 'signatures'], IMPORT)
  const { signatures: list } = fields
  if (list === undefined) return { xdr: readText(fields, 'xdr', IMPORT) }
  if (fields['xdr'] !== undefined) throw malformed('xdr', 'is there beside signatures', IMPORT)
  if (!Array.isArray(list) || list.length === 0 || list.length > SIGNERS_MAX) {
    throw malformed('signatures', `is not a list of 1 to ${SIGNERS_MAX}`, IMPORT)
  }
  const signatures = list.map((each: unknown, at) => {
    const path = `signatures[${at}]`
    const signature = readObject(each, path, ['signer', 'signature'], IMPORT)
    const signer = readText(signature, 'signer', IMPORT, path)
    return { signer, signature: bare(readText(signature, 'signature', IMPORT, path), `${path}.signature`) }
  })
  requireOnce(
    signatures.map(({ signer }) => signer),
    at => `signatures[${at}].signer`,
  )
  return { signatures }
}

/** XDR of a DecoratedSignature: 4 bytes hint, 4 bytes length, 64 bytes signature. */
const DECORATED_BYTES = 72

/** The signature alone, whichever of the two forms was sent. */
function bare(text: string, field: string): string {
  const bytes = fromBase64(text)
  if (bytes === undefined || bytes.length === 0) throw malformed(field, 'is not a signature in base64', IMPORT)
  if (bytes.length <= 64) return text
  const isDecorated = bytes.length === DECORATED_BYTES && bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0
  if (isDecorated && bytes[7] === 64) return toBase64(bytes.subarray(8))
  throw malformed(field, 'is neither a signature of up to 64 bytes nor a DecoratedSignature', IMPORT)
}

export interface ListInput {
  readonly state?: ProposalState
  readonly limit: number
}

export function readList(query: Fields): ListInput {
  const { state, limit } = readObject(query, 'query', ['state', 'limit'], 'ask for ?state=collecting&limit=50')
  const asked = limit ?? '50'
  const most = typeof asked === 'string' && /^[0-9]{1,3}$/.test(asked) ? Number(asked) : 0
  if (most < 1 || most > 200) throw malformed('limit', 'is not a whole number from 1 to 200', 'ask for ?limit=50')
  if (state === undefined) return { limit: most }
  const known = PROPOSAL_STATES.find(each => each === state)
  if (known === undefined) throw malformed('state', `is none of ${PROPOSAL_STATES.join(', ')}`, 'ask for one of them')
  return { state: known, limit: most }
}

export interface ExportInput {
  /** https URL to which a wallet posts what it has signed (SEP-7). */
  readonly callback?: string
  /** What the wallet shows, up to 300 characters. */
  readonly message?: string
}

const MESSAGE_CHARS_MAX = 300

export function readExport(query: Fields): ExportInput {
  const { callback, msg } = readObject(query, 'query', ['callback', 'msg'], 'ask for ?callback=https://…&msg=…')
  if (callback !== undefined && (typeof callback !== 'string' || !isHttps(callback))) {
    throw malformed('callback', 'is not an https URL', 'name where the wallet is to post the signed transaction')
  }
  if (msg !== undefined && (typeof msg !== 'string' || msg.length > MESSAGE_CHARS_MAX)) {
    throw malformed('msg', `is not a text of up to ${MESSAGE_CHARS_MAX} characters`, 'shorten it')
  }
  return { ...(callback === undefined ? {} : { callback }), ...(msg === undefined ? {} : { message: msg }) }
}

const isHttps = (text: string): boolean =>
  text.length <= 1024 && URL.canParse(text) && new URL(text).protocol === 'https:'

function readObject(value: unknown, field: string, known: readonly string[], example: string): Fields {
  const fields = objectOf(value, field, example)
  const surplus = Object.keys(fields).find(name => !known.includes(name))
  if (surplus !== undefined) {
    const path = field === 'body' || field === 'query' ? surplus : `${field}.${surplus}`
    throw malformed(path.slice(0, 120), 'is not a field of this request', example)
  }
  return fields
}

function readText(fields: Fields, name: string, example: string, within?: string): string {
  const value = fields[name]
  const field = within === undefined ? name : `${within}.${name}`
  if (typeof value !== 'string' || value === '') throw malformed(field, 'is not a text', example)
  return value
}

function readWhole(value: unknown, field: string, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw malformed(field, `is not a whole number from ${least} to ${most}`, `use ${least} to ${most}`)
}
