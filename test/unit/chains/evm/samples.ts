/** Keys and requests for the tests of EVM payloads. The keys are of tests, and control nothing. */
import assert from 'node:assert/strict'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromHex, toHex } from '../../../../src/bytes/hex.ts'
import { chainIdOf, EVM_NETWORKS, evmAddress, evmPayloads } from '../../../../src/chains/evm/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import type { Asked, Signatory, SignedPayload } from '../../../../src/domain/payload.ts'

export type Fields = Record<string, unknown>

const NAMES: ReadonlyMap<bigint, string> = new Map(EVM_NETWORKS.map(name => [chainIdOf(name), name]))
export const networkOf = (chainId: bigint): string => NAMES.get(chainId) ?? `eip155:${chainId}`

export const bytes = (hex: string): Uint8Array => {
  const read = fromHex(hex.replace(/^0x/, ''))
  assert.ok(read !== undefined, hex)
  return read
}

export interface TestKey {
  readonly privateKey: `0x${string}`
  readonly publicKey: Uint8Array
  readonly address: `0x${string}`
}

export function keyOf(privateKey: string): TestKey {
  const publicKey = secp256k1.getPublicKey(bytes(privateKey), false)
  return { privateKey: privateKey as `0x${string}`, publicKey, address: evmAddress(publicKey) as `0x${string}` }
}

/** The keys of EIP-155 and of EIP-712's example ("cow"). */
export const alice = keyOf(`0x${'46'.repeat(32)}`)
export const cow = keyOf('0xc85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4')

export const signatory = (chainId: bigint, address: string = alice.address): Signatory => ({
  key: 'test',
  version: 1,
  chain: 'evm',
  network: networkOf(chainId),
  address,
  account: address,
})

export function ask(payload: Fields & { readonly type: string }, by: Signatory = signatory(1n)): Asked {
  const parse = evmPayloads[payload.type]
  assert.ok(parse !== undefined, payload.type)
  return parse(payload, by)
}

export const askTransaction = (transaction: unknown, by?: Signatory): Asked =>
  ask({ type: 'evm-transaction', transaction }, by)
export const askUnsigned = (unsigned: unknown, by?: Signatory): Asked => ask({ type: 'evm-transaction', unsigned }, by)
export const askTypedData = (typedData: unknown, by?: Signatory): Asked =>
  ask({ type: 'evm-typed-data', typedData }, by)

/** `field: reason` of the refusal; anything but a typed refusal of the payload fails. */
export function refusal(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    assert.ok(isSignerError(error), `not typed: ${String(error)}`)
    assert.equal(error.code, 'payload/invalid')
    const { field, reason } = error.detail
    return `${field}: ${reason}`
  }
  assert.fail('was accepted')
}

/** Deterministic (RFC 6979), low s. */
export function signWith(key: TestKey, digest: string): Uint8Array {
  return secp256k1.sign(bytes(digest), bytes(key.privateKey), { prehash: false, lowS: true })
}

export const attached = (asked: Asked, key: TestKey): SignedPayload =>
  asked.attach(key.publicKey, signWith(key, asked.hash))

export const hex = (value: Uint8Array): `0x${string}` => `0x${toHex(value)}`
export const quantity = (value: bigint | number): `0x${string}` => `0x${value.toString(16)}`
