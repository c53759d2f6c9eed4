import { toBase64Url } from '../bytes/base64.ts'
import { readCompact, readJsonObject } from '../bytes/jws.ts'
import { canonicalJson } from './canonical.ts'

const encoder = new TextEncoder()

/** What a JWS in compact form signs (RFC 7515 §5.1): header and payload in base64url, a dot between. ASCII. */
export const signingInputOf = (header: object, payload: Uint8Array): string =>
  `${toBase64Url(encoder.encode(canonicalJson(header)))}.${toBase64Url(payload)}`

export const withSignature = (signingInput: string, signature: Uint8Array): string =>
  `${signingInput}.${toBase64Url(signature)}`

/** A JWS in compact form, taken apart and not believed. */
export interface OpenedJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly signingInput: Uint8Array
}

/** @returns undefined for what is longer, in another spelling, or has no JSON object as header */
export function openCompact(jws: string, charactersMax: number): OpenedJws | undefined {
  if (jws.length > charactersMax) return undefined
  const parts = readCompact(jws)
  const header = parts === undefined ? undefined : readJsonObject(parts.header)
  if (parts === undefined || header === undefined) return undefined
  const { payload, signature } = parts
  return { header, payload, signature, signingInput: encoder.encode(jws.slice(0, jws.lastIndexOf('.'))) }
}
