/** Mutated envelopes through the HTTP edge of a whole signer in memory: what one lane of the campaign does. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Keypair, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { equalBytes } from '../../src/bytes/equal.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import { decide, demoPolicy } from '../../src/policy/index.ts'
import type { SignAnswer } from '../../src/service/types.ts'
import { NOW, openRig, problemOf, type Rig } from '../support/rig.ts'
import { corpus, mutate, seeded } from './xdr-mutator.ts'

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
export async function campaign(rig: Rig, count: number, one: (n: number) => Promise<void>): Promise<string> {
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

export interface Lane {
  readonly seed: number
  readonly count: number
}

export interface LaneReport {
  readonly tally: Readonly<Record<string, number>>
  readonly signatures: number
  readonly cost: string
}

/** @throws AssertionError with the seed and the mutant for the first answer that is wrong */
export async function mutatedEnvelopes({ seed, count: mutants }: Lane): Promise<LaneReport> {
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

  const cost = await campaign(rig, mutants, one)
  return { tally, signatures: rig.signatures(), cost }
}
