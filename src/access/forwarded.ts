import { malformed } from '../domain/errors.ts'
import { type Address, type AddressList, type Client, clientOfPeer, inList, parseAddress } from './addresses.ts'

export const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded'] as const
export type ForwardingHeader = (typeof FORWARDING_HEADERS)[number]

export interface Forwarding {
  /** The only peers whose word about the client counts. */
  readonly proxies: AddressList
  /** The one form all of them write. */
  readonly header: ForwardingHeader
  /** The most addresses the header may name; default 8. */
  readonly hopsMax?: number | undefined
}

/** A list when the runtime shows several fields of one name; `Headers.get` joins them with a comma and a space. */
export type HeaderValue = string | null | undefined | readonly string[]
/** By lower-case name; `name => request.headers.get(name)` will do. */
export type HeaderLookup = (name: string) => HeaderValue

const HOPS_MAX = 8
const CHARACTERS_MAX = 2048

/**
 * Whose request it is. The peer of the socket, unless the peer is a listed proxy: then the rightmost address of the
 * forwarding header that is no listed proxy. Everything left of that one was written by the client and says nothing, yet
 * all of the header must be well-formed. From anybody else the header is not looked at.
 *
 * A listed proxy must say for whom it asks: no header, or one that names proxies only, is refused, as is the other form
 * beside the configured one, since the proxies may then be writing the one that is not read.
 *
 * @throws `request/malformed` with the name of the header as field
 * @see RFC 7239 (Forwarded); X-Forwarded-For has no standard: addresses in their canonical text, without ports
 */
export function clientOf(peer: string, headers: HeaderLookup, forwarding?: Forwarding): Client {
  const client = clientOfPeer(peer)
  if (forwarding === undefined || !inList(client, forwarding.proxies)) return client
  const { header, proxies, hopsMax = HOPS_MAX } = forwarding
  const other = FORWARDING_HEADERS.find(name => name !== header) as ForwardingHeader
  if (present(headers(other))) throw malformed(other, `came beside ${header}`, 'have the proxy remove it')
  const text = singleHeader(headers, header)
  if (text === undefined) throw malformed(header, 'is missing', 'have every listed proxy send it')
  if (text.length > CHARACTERS_MAX) throw malformed(header, `is longer than ${CHARACTERS_MAX} characters`, TELL[header])
  const hops =
    header === 'forwarded' ? forwardedHops(text) : text.split(',').map(hop => addressHop(trimmed(hop), header))
  if (hops.length > hopsMax) throw malformed(header, `names more than ${hopsMax} addresses`, 'send fewer')
  const address = hops.findLast(hop => !inList({ kind: 'ip', address: hop }, proxies))
  if (address === undefined) throw malformed(header, 'names listed proxies only, and no client', TELL[header])
  return { kind: 'ip', address }
}

/**
 * @returns undefined when absent.
 * @throws `request/malformed` when it came more than once
 */
export function singleHeader(headers: HeaderLookup, name: string): string | undefined {
  const value = headers(name)
  if (!present(value)) return undefined
  if (typeof value === 'string') return value
  if (value.length > 1) throw malformed(name, 'came more than once', 'have the proxy send one')
  return value[0]
}

const present = (value: HeaderValue): value is string | readonly string[] =>
  typeof value === 'string' || (value !== null && value !== undefined && value.length > 0)

const TELL: Readonly<Record<ForwardingHeader, string>> = {
  'x-forwarded-for': 'send addresses without ports, separated by commas',
  forwarded: 'send elements such as for=192.0.2.1 or for="[2001:db8::1]", separated by commas',
}

function addressHop(text: string, header: ForwardingHeader): Address {
  const address = parseAddress(text)
  if (address === undefined) throw malformed(header, 'holds something that is no address', TELL[header])
  return address
}

/** OWS of RFC 9110 §5.6.3: blanks and tabs, nothing else that `trim` would take. */
export function trimmed(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}
const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/** Each element names its hop by exactly one `for`; the other three parameters are allowed and not looked at. */
function forwardedHops(text: string): Address[] {
  return splitOutsideQuotes(text, ',').map(element => {
    const seen = new Map<string, string>()
    for (const pair of splitOutsideQuotes(trimmed(element), ';')) {
      const equals = pair.indexOf('=')
      const name = pair.slice(0, Math.max(0, equals)).toLowerCase()
      const value = pair.slice(equals + 1)
      if (!PARAMETERS.has(name) || seen.has(name) || !isValue(value))
        throw malformed('forwarded', 'is not a list of elements as RFC 7239 has them', TELL.forwarded)
      seen.set(name, value)
    }
    const node = seen.get('for')
    if (node === undefined) throw malformed('forwarded', 'has an element without for', TELL.forwarded)
    return nodeHop(node)
  })
}

const PARAMETERS = new Set(['for', 'by', 'host', 'proto'])
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
/** A quoted string without escapes: none of the values in use needs one. */
const QUOTED = /^"[\t !#-[\]-~]*"$/
const isValue = (text: string): boolean => TOKEN.test(text) || QUOTED.test(text)

/** IPv6 in brackets and quotes, IPv4 with or without quotes (RFC 7239 §6). No port, no `unknown`, no `_hidden`. */
function nodeHop(value: string): Address {
  const quoted = value.startsWith('"')
  const node = quoted ? value.slice(1, -1) : value
  const bracketed = quoted && node.startsWith('[') && node.endsWith(']')
  if (!bracketed && node.includes(':')) return addressHop('', 'forwarded')
  const text = bracketed ? node.slice(1, -1) : node
  return addressHop(bracketed && !text.includes(':') ? '' : text, 'forwarded')
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let [start, quoted] = [0, false]
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted
    if (text[at] !== separator || quoted) continue
    parts.push(text.slice(start, at))
    start = at + 1
  }
  return [...parts, text.slice(start)]
}
