import type { SignInput } from './provider.ts'

/** What policy sees of a payload, chain by chain. Amounts are decimal strings or bigint, never floats. */
export interface Description {
  readonly type: string
  readonly network: string
  /** SEP-51 JSON or its like: what a program can show. */
  readonly json: unknown
  /** One plain sentence: what a human can judge. */
  readonly sentence: string
}

/** A chain module: payload in, bytes to sign out, signed payload back. Pure; signs only what it re-encoded itself. */
export interface ChainModule<Parsed> {
  /** Untrusted to typed. @throws `payload/invalid` with the field and the reason, whatever the input. */
  parse(payload: unknown, network: string): Parsed
  describe(parsed: Parsed): Description
  toSign(parsed: Parsed): SignInput
  /** The digest callers know the payload by, hex. */
  hash(parsed: Parsed): string
  /** @returns the signed payload in the chain's own encoding. */
  attach(parsed: Parsed, publicKey: Uint8Array, signature: Uint8Array): string
  /** The address callers know a public key by. */
  address(publicKey: Uint8Array): string
}
