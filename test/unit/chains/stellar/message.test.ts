import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../../../src/bytes/base64.ts'
import { toHex } from '../../../../src/bytes/hex.ts'
import { sha256 } from '../../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../../src/bytes/verify.ts'
import type { Asked } from '../../../../src/domain/payload.ts'
import { alice } from '../../../fuzz/xdr-corpus.ts'
import sep53 from '../../../vectors/sep-0053/messages.json' with { type: 'json' }
import { askPayload, assertInvalid, signatoryOf } from './samples.ts'

const who = signatoryOf(alice)
const ask = (type: string, fields: Record<string, unknown>): Asked => askPayload(type, fields, who)
const refused = (type: string, fields: Record<string, unknown>, field: string, reason: RegExp): void => {
  assertInvalid(() => ask(type, fields), field, reason)
}

test('M-23 SEP-53: the signatures of the specification are over what we would sign', async () => {
  const key = StrKey.decodeEd25519PublicKey(sep53.address)
  assert.equal(sep53.cases.length, 3)
  for (const { text, base64, signature } of sep53.cases) {
    const asked = ask('stellar-message', text === undefined ? { bytes: base64 } : { message: text })
    assert.equal(await verifySignature(asked.input, key, fromBase64(signature) ?? new Uint8Array()), true)
    assert.ok(asked.view.kind === 'message' && asked.view.form === 'sep-53')
    const bytes = text === undefined ? fromBase64(base64 ?? '') : new TextEncoder().encode(text)
    assert.deepEqual(asked.view.bytes, bytes)
    // The same bytes under the other field are the same message.
    assert.equal(ask('stellar-message', { bytes: toBase64(asked.view.bytes) }).hash, asked.hash)
  }
})

test('M-23 a message shows in full to people, escaped, and takes no place on the network', () => {
  const asked = ask('stellar-message', { message: 'Pay "Bob"\n5 €' })
  assert.equal(
    asked.sentence,
    'Sign the message "Pay \\"Bob\\"\\n5 \\xe2\\x82\\xac" (SEP-53, 15 bytes); network testnet.',
  )
  const { json, sentences } = asked.describe()
  assert.deepEqual(sentences, ['Sign the message "Pay \\"Bob\\"\\n5 \\xe2\\x82\\xac" (SEP-53)'])
  assert.equal((json as { bytes: string }).bytes, toBase64(new TextEncoder().encode('Pay "Bob"\n5 €')))
  assert.equal(asked.slot(), undefined)
  assert.deepEqual(asked.attach(new Uint8Array(32), new Uint8Array(64)), {})
  assert.deepEqual(asked.operations, ['message'])
  const long = ask('stellar-message', { message: 'x'.repeat(5000) })
  assert.match(long.sentence, /x" and 4400 more characters \(SEP-53, 5000 bytes\)/)
  assert.equal(
    ask('stellar-message', { message: '' }).hash,
    toHex(sha256(new TextEncoder().encode('Stellar Signed Message:\n'))),
  )
})

test('T32, M-23 a transaction hash sent as a message is not signed as one', () => {
  const hash = sha256(new TextEncoder().encode('a transaction'))
  for (const fields of [{ bytes: toBase64(hash) }, { message: toHex(hash) }]) {
    const asked = ask('stellar-message', fields)
    assert.ok(asked.input.scheme === 'ed25519')
    assert.notEqual(toHex(asked.input.message), toHex(hash))
  }
})

test('M-23 messages that are no messages', () => {
  refused('stellar-message', {}, 'message, bytes', /only one/)
  refused('stellar-message', { message: 'a', bytes: 'YQ==' }, 'message, bytes', /only one/)
  refused('stellar-message', { message: 5 }, 'message', /must be text/)
  refused('stellar-message', { message: 'a\ud800' }, 'message', /surrogate/)
  refused('stellar-message', { message: 'x'.repeat(65_537) }, 'message', /limit/)
  refused('stellar-message', { bytes: 'YQ' }, 'bytes', /exact base64/)
  refused('stellar-message', { bytes: null }, 'bytes', /base64/)
  refused('stellar-message', { message: 'a', encoding: 'hex' }, 'encoding', /not a field/)
})

test('M-23 a raw digest is what it says, in one spelling', () => {
  const digest = toHex(sha256(new Uint8Array()))
  const asked = ask('raw-digest', { digest })
  assert.deepEqual(asked.view, { kind: 'raw-digest', network: 'testnet', digest })
  assert.ok(asked.input.scheme === 'ed25519')
  assert.equal(toHex(asked.input.message), digest)
  assert.equal(asked.hash, digest)
  assert.match(asked.sentence, /NOBODY KNOWS/)
  assert.deepEqual(asked.describe().json, { digest })
  assert.equal(asked.slot(), undefined)
  for (const odd of [digest.toUpperCase(), `0x${digest}`, digest.slice(2), `${digest}00`, 'g'.repeat(64)]) {
    refused('raw-digest', { digest: odd }, 'digest', /lower-case hex/)
  }
  for (const odd of ['', 5, null, undefined]) refused('raw-digest', { digest: odd }, 'digest', /hash in hex/)
  refused('raw-digest', { digest, network: 'public' }, 'network', /not a field/)
})
