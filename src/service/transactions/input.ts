import { parseStrictJson } from '../../bytes/json.ts'
import { malformed, SignerError } from '../../domain/errors.ts'
import { KEY_NAME } from '../../domain/key.ts'
import { objectOf } from '../request.ts'

/** What a caller wants to have built. */
export interface TemplateWish {
  readonly template: string
  readonly arguments: Readonly<Record<string, unknown>>
}
/** What a caller built, and which keys are to sign it. */
export interface EnvelopeWish {
  readonly xdr: string
  readonly keys: readonly string[]
}
export interface SubmitWish {
  readonly key: string
  readonly xdr: string
}

const KEYS_MAX = 20
const TEMPLATE_EXAMPLE = 'send {"template":"batch-revoke","arguments":{…}}'
const EXECUTE_EXAMPLE = `${TEMPLATE_EXAMPLE}, or {"xdr":"…","keys":["treasury"]}`
const SUBMIT_EXAMPLE = 'send {"key":"treasury","xdr":"…"}'

export const readTemplateWish = (body: Uint8Array, bodyBytes: number): TemplateWish =>
  templateOf(objectIn(body, bodyBytes, TEMPLATE_EXAMPLE), TEMPLATE_EXAMPLE)

export function readExecuteWish(body: Uint8Array, bodyBytes: number): TemplateWish | EnvelopeWish {
  const fields = objectIn(body, bodyBytes, EXECUTE_EXAMPLE)
  if (fields['template'] !== undefined) return templateOf(fields, EXECUTE_EXAMPLE)
  only(fields, ['xdr', 'keys'], EXECUTE_EXAMPLE)
  const { keys } = fields
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX) {
    throw malformed('keys', `is not a list of 1 to ${KEYS_MAX} names`, EXECUTE_EXAMPLE)
  }
  const names = keys.map((key: unknown, at) => keyName(key, `keys.${at}`, EXECUTE_EXAMPLE))
  if (new Set(names).size < names.length) throw malformed('keys', 'names a key twice', 'name each once')
  return { xdr: textIn(fields, 'xdr', EXECUTE_EXAMPLE), keys: names }
}

export function readSubmitWish(body: Uint8Array, bodyBytes: number): SubmitWish {
  const fields = objectIn(body, bodyBytes, SUBMIT_EXAMPLE)
  only(fields, ['key', 'xdr'], SUBMIT_EXAMPLE)
  return { key: keyName(fields['key'], 'key', SUBMIT_EXAMPLE), xdr: textIn(fields, 'xdr', SUBMIT_EXAMPLE) }
}

function templateOf(fields: Fields, example: string): TemplateWish {
  only(fields, ['template', 'arguments'], example)
  const given = fields['arguments']
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw malformed('arguments', 'is not an object', example)
  }
  return { template: textIn(fields, 'template', example), arguments: given as Fields }
}

type Fields = Readonly<Record<string, unknown>>

function objectIn(body: Uint8Array, bodyBytes: number, example: string): Fields {
  if (body.length > bodyBytes) throw new SignerError('request/too-large', { limitBytes: bodyBytes })
  return objectOf(parseStrictJson(body), 'body', example)
}

function only(fields: Fields, known: readonly string[], example: string): void {
  const surplus = Object.keys(fields).find(name => !known.includes(name))
  if (surplus !== undefined) throw malformed(surplus.slice(0, 64), 'is not a field of this request', example)
}

function textIn(fields: Fields, name: string, example: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length > 0) return value
  throw malformed(name, value === undefined ? 'is missing' : 'is not a text', example)
}

function keyName(value: unknown, field: string, example: string): string {
  if (typeof value === 'string' && KEY_NAME.test(value)) return value
  throw malformed(field, 'is not a key name', example)
}
