import assert from 'node:assert/strict'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { equalBytes } from '../../src/bytes/equal.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import { decide, demoPolicy, type Facts } from '../../src/policy/index.ts'
import { alice } from './xdr-corpus.ts'
import { corpus, mutate, seeded } from './xdr-mutator.ts'

export interface FuzzResult {
  readonly seed: number
  readonly count: number
  /** Mutants that decode. */
  readonly accepted: number
  readonly refused: number
  /** Of the accepted: what the demo policy says. */
  readonly allow: number
  readonly deny: number
  readonly undecided: number
  /** Slowest single mutant, milliseconds. */
  readonly slowestMs: number
  /** SHA-256 over every outcome: equal seeds give equal digests on every runtime. */
  readonly digest: string
}

const FACTS: Facts = { now: 1_790_000_000_000, keyAddress: alice, keyNetwork: 'testnet' }

/**
 * Mutants of valid envelopes through parse, describe, decide and attach (R-11, T23, T24). Every refusal must be
 * `payload/invalid` with a reason; every accepted mutant must encode to the bytes that came in.
 * @throws AssertionError naming the mutant, the seed and its number.
 */
export function fuzzXdr({ count, seed }: { count: number; seed: number }): FuzzResult {
  const rng = seeded(seed)
  const seeds = corpus()
  const policy = demoPolicy()
  const tally = { accepted: 0, refused: 0, allow: 0, deny: 0, undecided: 0 }
  let slowestMs = 0
  let digest = sha256(new Uint8Array())
  for (let number = 0; number < count; number++) {
    let text = seeds[rng.int(seeds.length)] ?? ''
    for (let rounds = 1 + rng.int(2); rounds > 0; rounds--) text = mutate(rng, text)
    const start = performance.now()
    const outcome = one(text, policy, `seed ${seed}, mutant ${number}: ${text}`)
    slowestMs = Math.max(slowestMs, performance.now() - start)
    if (outcome.decision === undefined) tally.refused++
    else {
      tally.accepted++
      tally[outcome.decision]++
    }
    digest = sha256(digest, new TextEncoder().encode(outcome.trace))
  }
  return { seed, count, ...tally, slowestMs, digest: toHex(digest) }
}

interface Outcome {
  readonly decision?: 'allow' | 'deny' | 'undecided'
  readonly trace: string
}

function one(text: string, policy: ReturnType<typeof demoPolicy>, label: string): Outcome {
  const parsed = parsedOrRefused(text, label)
  if ('refused' in parsed) return { trace: parsed.refused }
  const bytes = fromBase64(text)
  assert.ok(bytes !== undefined && equalBytes(parsed.envelope.toXdr(), bytes), `not canonical, ${label}`)
  const { sentence, json } = stellar.describe(parsed)
  assert.ok(isPrintable(sentence), `sentence not printable, ${label}`)
  const decision = decide(policy, parsed.view, FACTS)
  const signed = stellar.attach(parsed, new Uint8Array(32), new Uint8Array(64))
  return {
    decision: decision.kind,
    trace: `${stellar.hash(parsed)}${sentence}${JSON.stringify(json)}${decision.kind}${signed}`,
  }
}

function parsedOrRefused(text: string, label: string): ReturnType<typeof stellar.parse> | { refused: string } {
  try {
    return stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet')
  } catch (error) {
    assert.ok(isSignerError(error), `not a SignerError but ${String(error)}, ${label}`)
    assert.equal(error.code, 'payload/invalid', label)
    assert.ok(error.code === 'payload/invalid' && error.detail.reason.length > 0, label)
    return { refused: error.code }
  }
}

export function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}
