/** Where a running service is, and how to speak to it: for commands that are its clients. */
import { toHex } from '../bytes/hex.ts'
import { httpClient } from '../client/http.ts'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'

export type Client = ReturnType<typeof httpClient>

/** @param example  of the token that is asked for when there is none */
export function openClient(context: CliContext, flags: { readonly url?: string }, example: string): Client {
  const url = serviceUrl(context, flags)
  const token = tokenOf(context, example)
  return httpClient({ url, token: () => token, fetch: context.world.fetch })
}

/** Of one request and every retry of it. */
export const idempotencyKeyOf = (context: CliContext, flags: { readonly idempotencyKey?: string }): string =>
  headerText('--idempotency-key', flags.idempotencyKey ?? freshKey(context))

const freshKey = ({ world }: CliContext): string => `cli-${toHex(world.random.bytes(16))}`

export function serviceUrl(context: CliContext, { url }: { readonly url?: string }): string {
  const field = url === undefined ? 'COUNTERSIGN_URL' : '--url'
  const text =
    url ?? need(context, 'COUNTERSIGN_URL', 'http://127.0.0.1:8420, or start `countersign dev` and copy its lines')
  const found = URL.parse(text)
  const isBase = found !== null && found.username === '' && found.password === '' && found.search + found.hash === ''
  if (isBase && (found.protocol === 'http:' || found.protocol === 'https:')) return text
  throw usage(
    field,
    'is not the address of a service',
    'use http://HOST:PORT or https://HOST, without user, query or #',
  )
}

/** A header takes no blank or line break; a token that came with one was copied wrongly, and is not repeated here. */
function tokenOf(context: CliContext, example: string): string {
  const token = need(context, 'COUNTERSIGN_TOKEN', example).trim()
  return headerText('COUNTERSIGN_TOKEN', token)
}

function headerText(field: string, text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw usage(field, 'is empty or holds a character that no header takes', 'use printable ASCII without blanks')
}

function need(context: CliContext, name: string, example: string): string {
  const value = context.environment[name]
  if (value !== undefined && value !== '') return value
  throw usage(name, 'is not set', `set it to ${example}`)
}
