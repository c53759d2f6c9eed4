import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageView } from '../../../../src/domain/evm.ts'
import { toBase64 } from '../../../../src/bytes/base64.ts'
import { outcome } from './samples.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const message = (bytes: Uint8Array | string, form: MessageView['form'] = 'eip-191'): MessageView => ({
  kind: 'message',
  network: 'sepolia',
  form,
  bytes: typeof bytes === 'string' ? utf8(bytes) : bytes,
})
const policy = {
  messages: [
    { prefix: 'Proof of reserves: ', maxBytes: 60 },
    { prefix: '{"proof":', maxBytes: 300 },
    { prefix: 'deadbeef', maxBytes: 300 },
    { prefix: 'Proof of reserves: long ', maxBytes: 80 },
  ],
}
const hash = Uint8Array.from({ length: 32 }, (_, at) => (at * 37) & 0xff)
const hex = Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('')

test('T32 a message passes by its beginning and its length, in both forms', () => {
  assert.equal(outcome(policy, message('Proof of reserves: block 5')), 'allow')
  assert.equal(outcome(policy, message('Proof of reserves: größer\n\t…', 'sep-53')), 'allow')
  assert.equal(outcome(policy, message(`Proof of reserves: ${'x'.repeat(41)}`)), 'allow')
  assert.equal(outcome(policy, message(`Proof of reserves: long ${'x'.repeat(56)}`)), 'allow')
  assert.equal(outcome(policy, message('Proof of reserves: 1234567890123')), 'allow', 'text of 32 bytes is no hash')
  assert.equal(outcome(policy, message('{"proof":[1,2,3]}')), 'allow')
})

test('T32 every other message is denied', () => {
  const cases: ReadonlyArray<readonly [string, Uint8Array | string]> = [
    ['nothing', ''],
    ['a hash', hash],
    ['a hash behind a beginning', new Uint8Array([...utf8('Proof of reserves: '), ...hash])],
    ['another beginning', 'proof of reserves: block 5'],
    ['a beginning in the middle', ' Proof of reserves: block 5'],
    ['too long', `Proof of reserves: ${'x'.repeat(42)}`],
    ['bytes after the beginning', new Uint8Array([...utf8('Proof of reserves: '), 0xff, 0xfe])],
    ['a control character', 'Proof of reserves: \u0000'],
    ['an escape', 'Proof of reserves: \u001b[31m'],
    ['letters turned round', 'Proof of reserves: \u202eabc'],
    ['a byte order mark', '\ufeffProof of reserves: 5'],
    ['a hash in hex', hex],
    ['a hash in hex behind 0x', `0x${hex}`],
    ['bytes in hex that begin as granted', `deadbeef${'00'.repeat(40)}`],
    ['bytes in base64 that begin as granted', `deadbeef${toBase64(hash).slice(0, 40).replaceAll('=', 'A')}`],
    ['a hash in base64', toBase64(hash)],
    ['a transaction', new Uint8Array([0x02, 0xf8, 0x6b, ...hash])],
    ['typed data', '{"proof":1,"primaryType":"Permit","types":{}}'],
    ['a transaction in JSON', '{"proof":1,"tx":{"tx":{}}}'],
    ['the prefix of EIP-191', `\u0019Ethereum Signed Message:\n5hello`],
  ]
  for (const [what, bytes] of cases) assert.equal(outcome(policy, message(bytes)), 'deny messages', what)
  assert.equal(outcome({}, message('Proof of reserves: block 5')), 'deny messages')
  assert.equal(outcome({ messages: [] }, message('Proof of reserves: block 5')), 'deny messages')
  assert.equal(outcome(policy, { ...message('Proof of reserves: 5'), network: 'mainnet' }), 'deny evm-network')
})

test('T32 raw digests only by the word', () => {
  const view = { kind: 'raw-digest', network: 'sepolia', digest: `0x${hex}` } as const
  assert.equal(outcome({}, view), 'deny raw-digests')
  assert.equal(outcome({ rawDigests: false }, view), 'deny raw-digests')
  assert.equal(outcome({ rawDigests: true }, view), 'allow')
  assert.equal(outcome({ rawDigests: true }, { ...view, digest: hex }), 'allow')
  assert.equal(outcome({ rawDigests: true }, { ...view, digest: `${hex}00` }), 'deny raw-digests')
})
