import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashMessage as hashWithEthers } from 'ethers'
import { hashAuthorization, hashMessage } from 'viem/utils'
import { toHex } from '../../../../src/bytes/hex.ts'
import type { MessageView } from '../../../../src/domain/evm.ts'
import { parsePolicy, decide } from '../../../../src/policy/index.ts'
import { alice, ask, attached, bytes, type Fields, refusal, signatory } from './samples.ts'

const message = (over: Fields) => ask({ type: 'evm-message', ...over })
const authorize = (authorization: unknown, chainId = 1n) =>
  ask({ type: 'evm-authorization', authorization }, signatory(chainId))
const digest = (given: unknown) => ask({ type: 'raw-digest', digest: given })

test('M-30 EIP-191: text is UTF-8, bytes are bytes, both under the prefix', () => {
  for (const text of ['', 'hello', 'Grüße, 世界 🌍', '0x1234', 'a\u0000b', '\u0019Ethereum Signed Message:\n5hello']) {
    const asked = message({ message: text })
    assert.equal(`0x${asked.hash}`, hashMessage(text))
    assert.equal(`0x${asked.hash}`, hashWithEthers(text))
    const hex = `0x${toHex(new TextEncoder().encode(text))}`
    assert.equal(message({ hex }).hash, asked.hash)
    assert.deepEqual((asked.view as MessageView).bytes, new TextEncoder().encode(text))
    assert.deepEqual(
      [asked.view.kind, (asked.view as MessageView).form, asked.view.network],
      ['message', 'eip-191', 'mainnet'],
    )
    assert.deepEqual(asked.describe().json, { message: text })
  }
  const raw = message({ hex: '0xFF00fe' })
  assert.equal(`0x${raw.hash}`, hashMessage({ raw: '0xff00fe' }))
  assert.deepEqual(raw.describe().json, { hex: '0xff00fe' })
  assert.match(raw.sentence, /^Signs 3 bytes that are no text as a message \(EIP-191\)/)
  assert.match(message({ message: 'x"\n' }).sentence, /^Signs the text "x\\"\\u\{a\}" as a message/)
  assert.deepEqual([raw.operations, raw.slot()], [['message'], undefined])
})

test('T32 the hash of a transaction that comes as a message is hashed again under the prefix', () => {
  const hash = 'daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53'
  assert.notEqual(message({ hex: `0x${hash}` }).hash, hash)
  assert.notEqual(message({ message: `0x${hash}` }).hash, hash)
})

test('messages: one form, nothing else', () => {
  assert.match(
    refusal(() => message({})),
    /^message: is missing/,
  )
  assert.match(
    refusal(() => message({ message: 'a', hex: '0x61' })),
    /^hex: stands beside message/,
  )
  assert.match(
    refusal(() => message({ message: 5 })),
    /^message: must be a text/,
  )
  assert.match(
    refusal(() => message({ message: '\ud800' })),
    /^message: holds half of a surrogate pair/,
  )
  for (const hex of ['61', '0x6', '0xzz', 5, null])
    assert.match(
      refusal(() => message({ hex })),
      /^hex: must be/,
    )
  assert.match(
    refusal(() => message({ message: 'a', address: alice.address })),
    /^address: is not a field of an evm-message/,
  )
})

test('M-30 EIP-7702: the tuple, for this chain or for every one, under its own view', () => {
  const address = `0x${'35'.repeat(20)}`
  for (const [chainId, nonce] of [
    ['0x1', '0x0'],
    ['0x1', '0xfffffffffffffffe'],
    ['0x0', '0x7'],
  ] as const) {
    const asked = authorize({ chainId, address, nonce })
    const given = { chainId: BigInt(chainId), address, nonce: BigInt(nonce) }
    assert.equal(`0x${asked.hash}`, hashAuthorization(given as never))
    assert.deepEqual(asked.view, { kind: 'evm-set-code', network: 'mainnet', ...given })
    assert.deepEqual([asked.operations, asked.slot()], [['evm-set-code'], undefined])
    assert.equal(asked.describe().sentences.length, 1)
    const { signedAuthorization } = attached(asked, alice)
    assert.deepEqual([signedAuthorization?.['chainId'], signedAuthorization?.['nonce']], [chainId, nonce])
    assert.match(asked.sentence, chainId === '0x0' ? /on every chain/ : /on chain 1,/)
  }
  assert.match(
    authorize({ chainId: '0x1', address: `0x${'00'.repeat(20)}`, nonce: '0x1' }).sentence,
    /gives up the code it runs/,
  )
  const bad = (over: Fields): string => refusal(() => authorize({ chainId: '0x1', address, nonce: '0x0', ...over }))
  assert.match(
    bad({ chainId: '0x5' }),
    /^authorization.chainId: is 5; the key is pinned to chain 1 \(0 is every chain\)/,
  )
  assert.match(bad({ chainId: undefined }), /^authorization.chainId: is missing/)
  assert.match(bad({ chainId: 1 }), /^authorization.chainId: must be a text/)
  assert.match(bad({ nonce: '0xffffffffffffffff' }), /^authorization.nonce: is above 2\^64 - 2/)
  assert.match(bad({ nonce: '0x00' }), /^authorization.nonce: must be a hex quantity without leading zeros/)
  assert.match(bad({ address: null }), /^authorization.address: must be a text/)
  assert.match(bad({ r: '0x1' }), /^authorization.r: is not a field of an authorization/)
  assert.match(
    refusal(() => authorize(undefined)),
    /^authorization: must be an object/,
  )
  assert.match(
    refusal(() => ask({ type: 'evm-authorization', authorization: {}, more: 1 })),
    /^more: is not a field/,
  )
})

test('T32 a raw digest is signed as it is, is said to be one, and no policy grants it unasked', () => {
  const hash = 'daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53'
  const asked = digest(hash.toUpperCase())
  assert.equal(asked.hash, hash)
  assert.deepEqual(asked.view, { kind: 'raw-digest', network: 'mainnet', digest: hash })
  assert.deepEqual(asked.input.scheme === 'ecdsa-secp256k1' ? asked.input.digest : undefined, bytes(hash))
  assert.deepEqual([asked.operations, asked.slot()], [['raw-digest'], undefined])
  assert.deepEqual(asked.describe().json, { digest: hash })
  assert.equal(attached(asked, alice).evmSignature?.length, 132)
  assert.match(asked.sentence, /whatever it is the hash of; network mainnet\.$/)
  const facts = { now: 0, keyAddress: alice.address, keyNetwork: 'mainnet', keyChainId: 1n }
  assert.equal(decide(parsePolicy({ version: 1 }), asked.view, facts).kind, 'deny')
  assert.equal(
    decide(parsePolicy({ version: 1, network: 'mainnet', rawDigests: true }), asked.view, facts).kind,
    'allow',
  )
  for (const bad of [`0x${hash}`, hash.slice(2), `${hash}00`, `${hash.slice(1)} `, '', 5, null, undefined]) {
    assert.match(
      refusal(() => digest(bad)),
      /^digest: /,
    )
  }
  assert.match(
    refusal(() => ask({ type: 'raw-digest', digest: hash, hash })),
    /^hash: is not a field of a raw-digest/,
  )
})

test('T20 a message longer than any policy grants is refused before it is hashed', () => {
  assert.equal(message({ message: 'a'.repeat(65_536) }).operations[0], 'message')
  assert.equal(message({ hex: `0x${'61'.repeat(65_536)}` }).operations[0], 'message')
  assert.match(
    refusal(() => message({ message: 'a'.repeat(65_537) })),
    /^message: has 65537 characters; 65536 is the limit/,
  )
  assert.match(
    refusal(() => message({ hex: `0x${'61'.repeat(65_537)}` })),
    /^hex: has 131076 characters; 131074 is the limit/,
  )
})
