import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromHex } from '../../../../src/bytes/hex.ts'
import { evmAddress } from '../../../../src/chains/evm/address.ts'

const publicKey = (secret: string) => secp256k1.getPublicKey(fromHex(secret) ?? new Uint8Array(), false)

test('M-02 M-65 the address of a secp256k1 key: published pairs, in the mixed case of EIP-55', () => {
  const pairs: readonly [string, string][] = [
    // Key 1, and the key of the example in EIP-155.
    ['01'.padStart(64, '0'), '0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf'],
    ['46'.repeat(32), '0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F'],
    // The first two accounts every Hardhat and Anvil shows.
    ['ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'],
    ['59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d', '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'],
  ]
  for (const [secret, address] of pairs) assert.equal(evmAddress(publicKey(secret)), address)
})

test('anything but 65 bytes with a leading 04 is no key to make an address of', () => {
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array(64),
    new Uint8Array(65),
    secp256k1.getPublicKey(new Uint8Array(32).fill(1), true),
  ])
    assert.throws(() => evmAddress(bytes), RangeError)
})
