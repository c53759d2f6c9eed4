import { fromBase64, toBase64Url } from '../bytes/base64.ts'
import { fromHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError } from '../domain/errors.ts'
import { type AddressList, clientOfPeer, inList } from './addresses.ts'
import { type HeaderLookup, singleHeader, trimmed } from './forwarded.ts'

/**
 * How a proxy that ends mutual TLS says which certificate the client showed:
 * `client-cert` the certificate itself as RFC 9440 writes it, `:base64 of DER:`;
 * `xfcc` the element of Envoy's x-forwarded-client-cert, of which only `Hash` is read;
 * `sha256-hex` the SHA-256 of the certificate's DER in hexadecimal, as HAProxy can write it.
 */
export const IDENTITY_FORMS = ['client-cert', 'xfcc', 'sha256-hex'] as const
export type IdentityForm = (typeof IDENTITY_FORMS)[number]

export interface ProxyIdentity {
  /** The only peers that are believed. They must remove this header from what clients send. */
  readonly proxies: AddressList
  /** Lower-case name, such as `client-cert` or `x-forwarded-client-cert`. */
  readonly header: string
  readonly form: IdentityForm
}

const CHARACTERS_MAX = 16_384

/**
 * The thumbprint of the client's certificate, `x5t#S256` of RFC 8705 §3.1: SHA-256 over the DER, base64url. In process a
 * certificate is no identity on every runtime, so it counts only from a listed proxy; from anybody else the header is not
 * looked at.
 *
 * @returns undefined when there is no such proxy, or it showed no certificate (no header, or an empty one)
 * @throws `request/malformed` when a listed proxy sends the header more than once, for several certificates, or not in its form
 */
export function clientThumbprint(peer: string, headers: HeaderLookup, identity?: ProxyIdentity): string | undefined {
  if (identity === undefined || !inList(clientOfPeer(peer), identity.proxies)) return undefined
  const text = trimmed(singleHeader(headers, identity.header) ?? '')
  if (text === '') return undefined
  const digest = text.length > CHARACTERS_MAX ? undefined : READ[identity.form](text)
  if (digest !== undefined) return toBase64Url(digest)
  throw new SignerError('request/malformed', {
    field: identity.header,
    reason: `is not one certificate in the form ${identity.form}`,
    fix: FIX[identity.form],
  })
}

const FIX: Readonly<Record<IdentityForm, string>> = {
  'client-cert': 'have the proxy send the base64 of the DER between colons (RFC 9440)',
  xfcc: 'have the proxy set the header anew, with one Hash, instead of adding to it',
  'sha256-hex': 'have the proxy send 64 hexadecimal digits',
}

const READ: Readonly<Record<IdentityForm, (text: string) => Uint8Array | undefined>> = {
  'client-cert': text => {
    if (text.length < 3 || !text.startsWith(':') || !text.endsWith(':')) return undefined
    const der = fromBase64(text.slice(1, -1))
    return der !== undefined && isOneSequence(der) ? sha256(der) : undefined
  },
  xfcc: text => {
    const hashes = xfccPairs(text)?.filter(([name]) => name.toLowerCase() === 'hash')
    return hashes?.length === 1 ? digestOf(hashes[0]?.[1] ?? '') : undefined
  },
  'sha256-hex': digestOf,
}

const HEX_DIGEST = /^([0-9a-f]{64}|[0-9A-F]{64})$/
function digestOf(text: string): Uint8Array | undefined {
  return HEX_DIGEST.test(text) ? fromHex(text.toLowerCase()) : undefined
}

/** DER: one SEQUENCE with a definite length in its shortest form, and nothing after it. What is inside, the proxy judged. */
function isOneSequence(der: Uint8Array): boolean {
  const [tag, first = 0] = der
  if (tag !== 0x30) return false
  const octets = first < 0x80 ? 0 : first & 0x7f
  if (octets > 3 || first === 0x80) return false
  const length = octets === 0 ? first : der.subarray(2, 2 + octets).reduce((sum, octet) => sum * 256 + octet, 0)
  const shortest = octets === 0 || (length >= 0x80 && der[2] !== 0)
  return shortest && length > 0 && der.length === 2 + octets + length
}

/**
 * `By=…;Hash=…;Subject="…"`: values in quotes may hold separators and escaped quotes.
 * @returns undefined for several elements, or anything else that is not this
 */
function xfccPairs(text: string): (readonly [name: string, value: string])[] | undefined {
  const pairs: (readonly [string, string])[] = []
  let [start, quoted] = [0, false]
  for (let at = 0; at <= text.length; at++) {
    const character = text[at]
    if (quoted && character === '\\') at++
    else if (character === '"') quoted = !quoted
    else if (!quoted && character === ',') return undefined
    else if (!quoted && (character === ';' || character === undefined)) {
      const pair = text.slice(start, at)
      const equals = pair.indexOf('=')
      if (equals < 1) return undefined
      pairs.push([pair.slice(0, equals), pair.slice(equals + 1)])
      start = at + 1
    }
  }
  return quoted ? undefined : pairs
}
