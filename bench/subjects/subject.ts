import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { verifySignature } from '../../src/bytes/verify.ts'
import { EXAMPLE_XDR } from '../../src/compose/demo.ts'
import { parseFor } from '../../src/service/payloads.ts'

/** Something that signs, opened once and asked again and again. */
export interface Subject {
  /** One signature, as text; the same text is the same signature. @throws when it is refused */
  sign(): Promise<string>
  /** Of a signature that `sign` gave. Not timed. */
  verify(signature: string): boolean | Promise<boolean>
  close(): void | Promise<void>
}

/** What everybody but the service signs: a payment on Stellar's test network, by its hash. */
const PAYMENT = { type: 'stellar-transaction', xdr: EXAMPLE_XDR } as const
const NOBODY = { key: 'bench', version: 1, chain: 'stellar', network: 'testnet', address: '', account: '' } as const
export const HASH: Uint8Array = fromHex(parseFor(PAYMENT, NOBODY).hash) ?? new Uint8Array()

export const textOf = (signature: Uint8Array | undefined): string => toBase64(signature ?? new Uint8Array())

export const verifies = (publicKey: Uint8Array) => (signature: string) =>
  verifySignature({ scheme: 'ed25519', message: HASH }, publicKey, fromBase64(signature) ?? new Uint8Array())
