import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { jsonLogger } from '../../../src/compose/log.ts'
import { type ErrorCode, SignerError } from '../../../src/domain/errors.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { everyText, spellings } from '../../support/leaks.ts'
import { openRig, type Rig, type RigOptions } from '../../support/rig.ts'

const CANARIES = 24
const canary = (n: number): Uint8Array => sha256(new TextEncoder().encode(`countersign canary ${n}`))

/** Every way a seed could be printed, its S… form included. */
const forbidden = (seed: Uint8Array): string[] => [...spellings(seed), StrKey.encodeEd25519SecretSeed(seed)]

/** What may go wrong while the key is open. Vendors put secrets into messages; we plant them there. */
const TROUBLES: ReadonlyArray<readonly [string, (seed: Uint8Array) => RigOptions['provider']]> = [
  ['nothing goes wrong', () => undefined],
  [
    'the vendor throws the seed in its message',
    seed => throwing(() => new Error(`bad key ${toBase64(seed)}\n    at ${toBase64(seed)}`)),
  ],
  [
    'the vendor throws an object that holds it',
    seed => throwing(() => Object.assign(new Error('no'), { seed, hex: Buffer.from(seed).toString('hex') })),
  ],
  [
    'our error has it in its cause',
    seed => throwing(() => failed('provider/refused', new Error(StrKey.encodeEd25519SecretSeed(seed)))),
  ],
  ['another key comes out', seed => opening(() => new SecretBytes(sha256(seed), 'of a test'))],
  ['half a key comes out', seed => opening(() => new SecretBytes(seed.slice(0, 16), 'of a test'))],
]

const failed = (code: ErrorCode, cause: unknown) =>
  new SignerError(code, { provider: 'mock', reason: 'a test says so' }, { cause })
const throwing =
  (reason: () => Error) =>
  (real: EnvelopeProvider): EnvelopeProvider => ({
    ...real,
    unwrap: async () => {
      throw reason()
    },
  })
const opening =
  (plaintext: () => SecretBytes) =>
  (real: EnvelopeProvider): EnvelopeProvider => ({ ...real, unwrap: async () => ({ plaintext: plaintext() }) })

async function everythingSaid(rig: Rig, token: string): Promise<string> {
  const answers = [
    await rig.sign({ token, idempotencyKey: 'one' }),
    await rig.sign({ token, idempotencyKey: 'one' }),
    await rig.sign({ token: `${token}x` }),
    await rig.sign({ token, idempotencyKey: undefined }),
    await rig.sign({ token, key: 'nobody' }),
    await rig.sign({ token, body: `{"type":"${token.slice(0, 20)}"}` }),
    await rig.http('/v1/keys/treasury', { headers: { authorization: `Bearer ${token}` } }),
    await rig.http('/readyz'),
    await rig.http(`/nowhere`),
  ]
  const bodies = await Promise.all(
    answers.map(async answer => `${JSON.stringify([...answer.headers])}${await answer.text()}`),
  )
  const thrown: string[] = []
  await rig.signer
    .sign({
      key: 'treasury',
      body: new TextEncoder().encode('{}'),
      authorization: `Bearer ${token}`,
      idempotencyKey: 'x',
      requestId: 'r',
      peer: 'p',
    })
    .catch((error: unknown) => thrown.push(everyText(error)))
  const disk = (await rig.files.list()).map(name => new TextDecoder('latin1').decode(rig.files.bytes(name)))
  return [
    ...bodies,
    ...thrown,
    JSON.stringify(rig.logs),
    JSON.stringify(rig.refusals),
    JSON.stringify(await rig.records()),
    ...disk,
  ].join('\n')
}

test('I6 R-23 24 canaries in seeds, tokens and envelopes: not one shows in any answer, log line, record or error', async () => {
  let texts = 0
  for (let n = 0; n < CANARIES; n++) {
    const seed = canary(n)
    const [what, trouble] = TROUBLES[n % TROUBLES.length] ?? assert.fail()
    const provider = trouble(seed)
    const rig = await openRig({ custody: 'envelope', seed, ...(provider === undefined ? {} : { provider }) })
    const token = await rig.token(['sign:treasury', 'read:treasury'])
    const said = await everythingSaid(rig, token)
    assert.ok(said.length > 3_000)
    for (const text of forbidden(seed)) assert.ok(!said.includes(text), `canary ${n} shows: ${what}`)
    const foreign = what.startsWith('the vendor throws')
    assert.equal(rig.logs.filter(({ event }) => event === 'incident').length, foreign ? 2 : 0, what)
    const [header, claims, signature] = token.split('.')
    for (const part of [token, `${header}.${claims}`, claims, signature])
      assert.ok(!said.includes(part ?? token), `token ${n} shows: ${what}`)
    texts += said.length
  }
  console.log(`# ${CANARIES} canaries, ${texts} characters looked at`)
})

test('I6 R-23 the log writer redacts by name and prints no Secret', () => {
  const lines: string[] = []
  const logger = jsonLogger('debug', line => void lines.push(line))
  const seed = canary(99)
  const secret = new Secret(toBase64(seed), 'a token')
  const bytes = new SecretBytes(seed.slice(), 'a seed')
  logger.info('told', {
    token: 'tok-1',
    seed: 'seed-1',
    secret: 'sec-1',
    authorization: 'Bearer tok-2',
    secretObject: secret,
    bytes,
  })
  logger.warn('told', {
    nested: { token: 'tok-3', seed: 'seed-3', secret: 'sec-3', authorization: 'Bearer tok-4' },
    bytes,
    secret,
  })
  logger.error('told', { message: String(bytes), secret: String(secret) })
  const text = lines.join('')
  for (const wrong of [...forbidden(seed), 'tok-', 'seed-1', 'seed-3', 'sec-1', 'sec-3'])
    assert.ok(!text.includes(wrong), wrong)
  assert.equal(lines.length, 3)
})
