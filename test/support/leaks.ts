import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { type AnySignerError, type ErrorCode, isSignerError } from '../../src/domain/errors.ts'

/** The spellings in which a secret might slip into a text. */
export function spellings(secret: Uint8Array): string[] {
  const buffer = Buffer.from(secret)
  const list = Array.from(secret).join(',')
  return [
    buffer.toString('hex'),
    buffer.toString('base64'),
    buffer.toString('base64url'),
    buffer.toString('latin1'),
    list,
    list.replaceAll(',', ', '),
  ]
}

/** Everything anybody could print of an error: inspected with its hidden fields, as JSON, its stack, and all of its causes. */
export function everyText(error: unknown): string {
  const texts: string[] = []
  let at = error
  for (let depth = 0; depth < 10 && at !== undefined && at !== null; depth++) {
    texts.push(inspect(at, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }), json(at))
    if (typeof at !== 'object') break
    const { stack, message, cause } = at as { stack?: unknown; message?: unknown; cause?: unknown }
    texts.push(String(stack), String(message))
    for (const name of Object.getOwnPropertyNames(at))
      texts.push(inspect((at as Record<string, unknown>)[name], { depth: 12, showHidden: true }))
    at = cause
  }
  return texts.join('\n')
}

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/**
 * The promise must reject with one of our errors, of one of these codes, that no secret shows through.
 * Texts for callers (`detail`) must be free of vendor texts too: those belong to `cause`.
 */
export async function refusal(
  promise: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  canaries: readonly string[] = [],
  vendorTexts: readonly string[] = [],
): Promise<AnySignerError> {
  const error: unknown = await promise.then(
    () => assert.fail(`expected ${String(codes)}, but it succeeded`),
    (reason: unknown) => reason,
  )
  assert.ok(isSignerError(error), `expected a SignerError, got ${inspect(error)}`)
  assert.ok([codes].flat().includes(error.code), `expected ${String(codes)}, got ${error.message}`)
  const text = everyText(error)
  for (const canary of canaries) assert.ok(!text.includes(canary), `a secret shows in ${error.code}`)
  const shown = JSON.stringify(error.detail) + error.message
  for (const vendor of vendorTexts) assert.ok(!shown.includes(vendor), `vendor text shows in ${error.code}`)
  return error
}
