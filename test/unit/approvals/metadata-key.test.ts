/** M-35: the key that signs the document of keys: a whole one, or none, and never a word of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { openMetadataKey } from '../../../src/approvals/index.ts'
import { toBase64Url } from '../../../src/bytes/base64.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { metadataJwk } from './samples.ts'

const open = (text: string) => openMetadataKey(new Secret(text, 'test'))

test('M-35 its thumbprint is the one of RFC 7638, and what it signs verifies under its public half alone', async () => {
  const text = metadataJwk()
  const whole = JSON.parse(text) as JWK & { x: string }
  const key = await open(JSON.stringify({ ...whole, kid: 'made', use: 'sig', alg: 'EdDSA', key_ops: ['sign'] }))
  assert.equal(key.thumbprint, await calculateJwkThumbprint(whole))
  assert.deepEqual(key.jwk, { crv: 'Ed25519', kty: 'OKP', x: whole.x })
  const message = new TextEncoder().encode('anything')
  const publicKey = new Uint8Array(Buffer.from(whole.x, 'base64url'))
  assert.ok(await verifySignature({ scheme: 'ed25519', message }, publicKey, await key.sign(message)))
  assert.ok(!JSON.stringify(key).includes(String(whole.d)))
})

test('M-35 anything else is refused, without a word about it', async () => {
  const whole = JSON.parse(metadataJwk()) as Record<string, string>
  const other = JSON.parse(metadataJwk()) as Record<string, string>
  const { d: _, ...publicHalf } = whole
  const bad: Readonly<Record<string, unknown>> = {
    'the public half': publicHalf,
    'halves of two keys': { ...whole, x: other['x'] },
    'a short private half': { ...whole, d: toBase64Url(new Uint8Array(31)) },
    'a private half that is no text': { ...whole, d: 1 },
    'another curve': { ...whole, crv: 'X25519' },
    'a member that nobody knows': { ...whole, oth: 'x' },
    'a point of small order': { ...whole, x: toBase64Url(new Uint8Array(32)) },
    'a list': [whole],
  }
  for (const [what, value] of Object.entries({ ...bad, 'no JSON': undefined })) {
    const text = value === undefined ? String(whole['d']) : JSON.stringify(value)
    const error: unknown = await open(text).catch((cause: unknown) => cause)
    assert.ok(isSignerError(error) && error.code === 'config/invalid', what)
    assert.ok(!error.message.includes(String(whole['d'])) && error.cause === undefined, what)
  }
})
