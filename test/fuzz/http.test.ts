/**
 * The HTTP edge of a whole signer in memory against mutants: of envelopes (R-11, T23, T24) and of tokens. Nothing
 * crashes, nothing is answered with 500, no mutated token is accepted, and whatever is signed says what it is: it decodes,
 * encodes to the bytes that came, and policy, asked apart, allows it.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { Keypair, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { equalBytes } from '../../src/bytes/equal.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import { decide, demoPolicy } from '../../src/policy/index.ts'
import type { SignAnswer } from '../../src/service/types.ts'
import { EXAMPLE, NOW, openRig, problemOf, type Rig } from '../support/rig.ts'
import { createTokenMutator, isSendable, MUTATION_KINDS, type TokenMutant } from './token-mutator.ts'
import { corpus, mutate, seeded } from './xdr-mutator.ts'

const long = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const ENVELOPES = long ? 2_000_000 : 200_000
const TOKENS = long ? 500_000 : 50_000
const LIMIT_MS = long ? 7_200_000 : 600_000
const AT_ONCE = 64

/**
 * The transaction hash by the bytes alone: what stands between the tag and the signatures, behind network and tag. V0 is
 * signed as the V1 it means, which has the type of its source account in front and is else the same.
 */
function hashOf(bytes: Uint8Array, signatures: readonly xdr.DecoratedSignature[]): Uint8Array {
  const held = signatures.map(({ signature }) => 8 + ((signature.toBytes().length + 3) & ~3))
  const body = bytes.subarray(4, bytes.length - held.reduce((sum, length) => sum + length, 4))
  const tag = bytes[3] === 5 ? [0, 0, 0, 5] : [0, 0, 0, 2]
  const front = bytes[3] === 0 ? [0, 0, 0, 0] : []
  const network = createHash('sha256').update('Test SDF Network ; September 2015').digest()
  return createHash('sha256')
    .update(network)
    .update(Uint8Array.from([...tag, ...front]))
    .update(body)
    .digest()
}

/** Runs `one` for every number below `count`, some at a time, and looks at the log and the memory in between. */
async function campaign(rig: Rig, count: number, one: (n: number) => Promise<void>): Promise<string> {
  const started = performance.now()
  for (let from = 0; from < count; from += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => one(from + at)))
    const incident = rig.logs.find(({ event }) => event === 'incident')
    assert.equal(incident, undefined, JSON.stringify(incident))
    ;(rig.logs as unknown[]).length = 0
    ;(rig.refusals as unknown[]).length = 0
  }
  const ms = performance.now() - started
  return `${(ms / 1000).toFixed(1)} s, ${((ms * 1000) / count).toFixed(0)} µs each`
}

test(`R-11 ${ENVELOPES} mutated envelopes through the HTTP edge: 400, 403, or signed for what they say`, {
  timeout: LIMIT_MS,
}, async () => {
  const seed = 20_261_122
  // The mutants share one sequence number.
  const rig = await openRig({ log: 'memory', unguarded: true })
  const rng = seeded(seed)
  const seeds = corpus()
  const originals = new Set(seeds)
  const policy = demoPolicy()
  const signer = Keypair.fromPublicKey(rig.key.version.address)
  const facts = { now: NOW, keyAddress: rig.key.version.address, keyNetwork: 'testnet' }
  const tally: Record<string, number> = {}
  const count = (what: string) => void (tally[what] = (tally[what] ?? 0) + 1)

  const one = async (n: number): Promise<void> => {
    let text = seeds[rng.int(seeds.length)] ?? ''
    for (let rounds = 1 + rng.int(2); rounds > 0; rounds--) text = mutate(rng, text)
    const label = `seed ${seed}, mutant ${n}: ${text}`
    const response = await rig.sign({ xdr: text })
    if (response.status === 200) {
      checkSigned(text, (await response.json()) as SignAnswer, label)
      return count(originals.has(text) ? 'signed, unchanged' : 'signed')
    }
    const { code, status } = await problemOf(response)
    assert.ok(status === 400 || status === 403, `${status} ${code}, ${label}`)
    count(code)
    if (code.startsWith('policy/')) assert.equal(`policy/${apart(text)}`, code, label)
    else assert.ok(code === 'payload/invalid' || code === 'request/malformed', `${code}, ${label}`)
  }

  /** What policy says, without the service between. */
  const apart = (text: string): string => {
    const { view } = stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet')
    const { kind } = decide(policy, view, facts)
    return kind === 'deny' ? 'denied' : kind
  }

  const checkSigned = (text: string, answer: SignAnswer, label: string): void => {
    const bytes = fromBase64(text)
    assert.ok(bytes !== undefined, label)
    const envelope = xdr.TransactionEnvelope.fromXdr(bytes)
    assert.ok(equalBytes(envelope.toXdr(), bytes), `not its own encoding, ${label}`)
    assert.equal(apart(text), 'allow', label)
    const hash = hashOf(bytes, envelope.value.signatures)
    assert.equal(toHex(hash), answer.hash, label)
    assert.ok(signer.verify(hash, fromBase64(answer.signature) ?? new Uint8Array()), label)
  }

  const cost = await campaign(rig, ENVELOPES, one)
  console.log(`# envelopes: seed ${seed}, ${cost}, ${JSON.stringify(tally)}`)
  assert.equal(rig.signatures(), (tally['signed'] ?? 0) + (tally['signed, unchanged'] ?? 0))
  for (const code of ['signed', 'policy/denied', 'policy/undecided', 'payload/invalid']) {
    assert.ok((tally[code] ?? 0) > ENVELOPES / 5_000, `hardly any ${code}: the mutator has lost its edge`)
  }
})

test(`R-10 ${TOKENS} mutated tokens through the HTTP edge: not one is accepted`, { timeout: LIMIT_MS }, async () => {
  const seed = 20_261_123
  const rig = await openRig({ log: 'memory' })
  // One token in sixteen has no letter that the two alphabets of base64 spell differently, and so no mutant of that kind.
  let token = await rig.token(['sign:treasury'])
  while (!/[-_]/.test(token)) token = await rig.token(['sign:treasury'])
  const [jwk] = rig.jwks.keys
  const next = createTokenMutator({ seed, token, jwk: { x: String(jwk?.x) } })
  assert.equal((await rig.sign({ token })).status, 200, 'the token they are made of is good')
  const kinds = new Set<string>()
  let direct = 0

  const one = async (n: number): Promise<void> => {
    const mutant = next()
    kinds.add(mutant.kind)
    const label = `seed ${seed}, mutant ${n} (${mutant.kind}): ${JSON.stringify(mutant.authorization)}`
    const code = isSendable(mutant) ? await overHttp(mutant, n, label) : await past(mutant, n)
    assert.ok(code === 'token/invalid' || code === 'token/missing', `${code}, ${label}`)
  }

  const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
  const overHttp = async ({ authorization }: TokenMutant, n: number, label: string): Promise<string> => {
    const headers = new Headers({ 'content-type': 'application/json', 'idempotency-key': `token-${n}` })
    for (const value of [authorization].flat()) headers.append('authorization', value)
    const response = await rig.http('/v1/keys/treasury/sign', { method: 'POST', headers, body })
    assert.equal(response.status, 401, label)
    assert.equal(response.headers.get('www-authenticate'), 'Bearer, DPoP algs="EdDSA ES256"', label)
    return (await problemOf(response)).code
  }

  /** What no HTTP client can send goes to the service itself. */
  const past = async ({ authorization }: TokenMutant, n: number): Promise<string> => {
    direct++
    const request = { key: 'treasury', requestId: `r_${n}`, peer: 'test', idempotencyKey: `token-${n}` }
    const whole = { ...request, body: new TextEncoder().encode(body), authorization: [authorization].flat().join(', ') }
    return rig.signer.sign(whole).then(
      () => 'accepted',
      (error: unknown) => (isSignerError(error) ? error.code : String(error)),
    )
  }

  const cost = await campaign(rig, TOKENS, one)
  console.log(`# tokens: seed ${seed}, ${cost}, ${kinds.size} kinds, ${direct} past the HTTP layer`)
  assert.equal(rig.signatures(), 1)
  assert.deepEqual([...kinds].toSorted(), [...new Set(MUTATION_KINDS)].toSorted())
})
