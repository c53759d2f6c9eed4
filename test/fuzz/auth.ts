import assert from 'node:assert/strict'
import base from '@stellar/stellar-base'
import { buildAuthorizationEntryPreimage, hash as sdkHash, Networks, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { stellarPayloads } from '../../src/chains/stellar/index.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Asked, Signatory } from '../../src/domain/payload.ts'
import { decide, type Facts, parsePolicy } from '../../src/policy/index.ts'
import { aroundArgument, entries, preimages, values } from './auth-corpus.ts'
import { alice, contractId, namedCorpus } from './xdr-corpus.ts'
import { isPrintable } from './xdr.ts'
import { join, mutate, mutateBytes, type Rng, seeded } from './xdr-mutator.ts'

/** What is mutated, in turn. A value stands as the argument of a call in an authorization. */
const KINDS = ['entry', 'value', 'preimage', 'fee-bump'] as const
type Kind = (typeof KINDS)[number]

interface AuthFuzzResult {
  readonly seed: number
  readonly count: number
  readonly accepted: Readonly<Record<Kind, number>>
  readonly allowed: number
  /** Digests that the older SDK was asked about, and gave too. */
  readonly secondOpinions: number
  readonly slowestMs: number
}

const SIGNATORY: Signatory = {
  ...{ key: 'k', version: 1, chain: 'stellar' },
  network: 'testnet',
  address: alice,
  account: alice,
}
const FACTS: Facts = { now: 1_790_000_000_000, keyAddress: alice, keyNetwork: 'testnet', ledger: 900 }
const POLICY = parsePolicy({
  version: 1,
  network: 'testnet',
  operations: ['invokeHostFunction', 'payment'],
  feeBump: true,
  fee: { maxStroops: '100000' },
  timeBounds: 'any',
  contracts: [{ contract: contractId, functions: ['transfer'] }],
  payments: { destinations: 'any', assets: [{ asset: 'any', maxPerOperation: '100', maxPerTransaction: '100' }] },
  authorizations: {
    expiration: { maxLedgersAhead: 1000 },
    accounts: [contractId],
    delegateOf: [contractId],
    legacy: true,
  },
})
/** Asking it costs as much as the rest: for a part of them. */
const SECOND_OPINION_EVERY = 16

/** Only what fails needs it. */
type Label = () => string

/**
 * Mutants of authorizations, contract values and fee bumps through the payload parsers, the sentences, the policy and
 * `attach`. Every refusal is `payload/invalid` with a reason; what is accepted encodes to the bytes that came in, and its
 * digest is what the bytes themselves, the SDK and an older SDK with another XDR code say.
 * @throws AssertionError naming the mutant, the seed and its number
 */
export function fuzzAuthorizations({ count, seed }: { count: number; seed: number }): AuthFuzzResult {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0 // most mutants are refused, and nobody reads where
  try {
    return run({ count, seed })
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function run({ count, seed }: { count: number; seed: number }): AuthFuzzResult {
  const rng = seeded(seed)
  const next = generator(rng)
  const accepted = { entry: 0, value: 0, preimage: 0, 'fee-bump': 0 }
  let [allowed, secondOpinions, slowestMs] = [0, 0, 0]
  for (let number = 0; number < count; number++) {
    const kind = KINDS[number % KINDS.length] ?? 'entry'
    const text = next(kind)
    const label = () => `seed ${seed}, mutant ${number}, ${kind}: ${text}`
    const start = performance.now()
    const asked = askedOrRefused(kind, text, number % 16 < 4, label)
    slowestMs = Math.max(slowestMs, performance.now() - start)
    if (asked === undefined) continue
    accepted[kind]++
    checkDigest(kind, text, asked, label)
    checkSigned(kind, asked, label)
    if (decide(POLICY, asked.view, FACTS).kind === 'allow') allowed++
    if (accepted[kind] % SECOND_OPINION_EVERY === 0 && secondOpinion(kind, text, asked, label)) secondOpinions++
  }
  return { seed, count, accepted, allowed, secondOpinions, slowestMs }
}

function holds(condition: boolean, why: string, label: Label, cause?: unknown): asserts condition {
  if (!condition) throw new assert.AssertionError({ message: `${why}, ${label()}`, actual: cause })
}

function generator(rng: Rng): (kind: Kind) => string {
  const texts = (list: readonly { toXdr(format: 'base64'): string }[]) => list.map(one => one.toXdr('base64'))
  const bumps = namedCorpus().flatMap(([name, envelope]) => (name.startsWith('fee-bump') ? [envelope] : []))
  const seeds = {
    entry: texts(entries()),
    preimage: texts(preimages()),
    value: texts(values()),
    'fee-bump': texts(bumps),
  }
  const types = {
    entry: xdr.SorobanAuthorizationEntry,
    preimage: xdr.HashIdPreimage,
    value: xdr.ScVal,
    'fee-bump': xdr.TransactionEnvelope,
  }
  const around = aroundArgument()
  return kind => {
    const seed = seeds[kind][rng.int(seeds[kind].length)] ?? ''
    const text = rng.int(8) === 0 ? mutate(rng, seed, types[kind]) : mutateBytes(rng, seed)
    return kind === 'value' ? embedded(text, around) : text
  }
}

/** The value as the argument of a call; text that is no base64 stays as it is. */
function embedded(text: string, [before, after]: readonly [Uint8Array, Uint8Array]): string {
  const value = fromBase64(text)
  if (value === undefined) return text
  return toBase64(join(before, value, after))
}

function payloadOf(kind: Kind, text: string): Record<string, unknown> & { type: string } {
  if (kind === 'fee-bump') return { type: 'stellar-transaction', xdr: text }
  return { type: 'stellar-auth-entry', [kind === 'entry' ? 'entry' : 'preimage']: text }
}

function askedOrRefused(kind: Kind, text: string, isShown: boolean, label: Label): Asked | undefined {
  const payload = payloadOf(kind, text)
  try {
    const asked = stellarPayloads[payload.type]?.(payload, SIGNATORY)
    assert.ok(asked !== undefined)
    holds(isPrintable(asked.sentence), 'is not printable', label)
    if (isShown) {
      const { json, sentences } = asked.describe()
      holds(JSON.stringify(json).length > 2 && sentences.every(isPrintable), 'is not printable', label)
    }
    const slot = asked.slot()
    holds(kind === 'fee-bump' || slot?.hash === asked.hash, 'has another hash in its slot', label)
    return asked
  } catch (error) {
    holds(isSignerError(error), 'throws something untyped', label, error)
    holds(error.code === 'payload/invalid' && error.detail.reason.length > 0, 'has another code', label, error)
    return undefined
  }
}

const networkId = sha256(new TextEncoder().encode(Networks.TESTNET))

function checkDigest(kind: Kind, text: string, asked: Asked, label: Label): void {
  const bytes = fromBase64(text)
  holds(bytes !== undefined, 'is another spelling of base64', label)
  holds(asked.input.scheme === 'ed25519' && toHex(asked.input.message) === asked.hash, 'signs something else', label)
  switch (kind) {
    case 'preimage':
    case 'value':
      holds(xdr.HashIdPreimage.fromXdr(bytes).toXdr('base64') === text, 'not canonical', label)
      holds(asked.hash === toHex(sha256(bytes)), 'another digest than that of the bytes', label)
      return
    case 'entry': {
      const entry = xdr.SorobanAuthorizationEntry.fromXdr(bytes)
      holds(entry.toXdr('base64') === text, 'not canonical', label)
      assert.ok(asked.view.kind === 'authorization')
      const preimage = buildAuthorizationEntryPreimage(entry, asked.view.expirationLedger, Networks.TESTNET)
      holds(asked.hash === toHex(sdkHash(preimage.toXdr())), "another digest than the SDK's", label)
      return
    }
    case 'fee-bump': {
      const envelope = xdr.TransactionEnvelope.fromXdr(bytes)
      holds(envelope.toXdr('base64') === text, 'not canonical', label)
      if (envelope.type !== 'envelopeTypeTxFeeBump') return // it has become another envelope, which has its own campaign
      const held = envelope.feeBump.signatures.map(({ signature }) => 8 + ((signature.toBytes().length + 3) & ~3))
      const unsigned = bytes.subarray(0, bytes.length - held.reduce((sum, length) => sum + length, 4))
      holds(asked.hash === toHex(sha256(networkId, unsigned)), 'another digest than that of the bytes', label)
    }
  }
}

const PUBLIC_KEY = fromBase64(toBase64(sha256(new Uint8Array()))) ?? new Uint8Array()

/** With a signature in it, it is still the same authorization or transaction. */
function checkSigned(kind: Kind, asked: Asked, label: Label): void {
  const { signedAuthEntry, signedXdr } = asked.attach(PUBLIC_KEY, new Uint8Array(64))
  if (kind === 'fee-bump') {
    assert.ok(
      signedXdr !== undefined && xdr.TransactionEnvelope.fromXdr(signedXdr, 'base64').toXdr('base64') === signedXdr,
    )
    return
  }
  holds((signedAuthEntry !== undefined) === (kind === 'entry'), 'gives a signed entry for no entry', label)
  if (signedAuthEntry === undefined) return
  const entry = xdr.SorobanAuthorizationEntry.fromXdr(signedAuthEntry, 'base64')
  holds(entry.toXdr('base64') === signedAuthEntry, 'is signed in another form', label)
  assert.ok(asked.view.kind === 'authorization')
  const preimage = buildAuthorizationEntryPreimage(entry, asked.view.expirationLedger, Networks.TESTNET)
  holds(toHex(sha256(preimage.toXdr())) === asked.hash, 'attach changed what is signed', label)
}

/** @returns false for what protocol 25 did not have: then the older SDK must not read it at all */
function secondOpinion(kind: Kind, text: string, asked: Asked, label: Label): boolean {
  const theirs = olderDigest(kind, text)
  if (theirs === undefined) return false
  holds(theirs.xdr === text, 'the older SDK reads something else', label)
  holds(theirs.hash === asked.hash, "another digest than the older SDK's", label)
  return true
}

function olderDigest(kind: Kind, text: string): { readonly hash: string; readonly xdr: string } | undefined {
  try {
    switch (kind) {
      case 'preimage':
      case 'value': {
        const preimage = base.xdr.HashIdPreimage.fromXDR(text, 'base64')
        return { hash: toHex(base.hash(preimage.toXDR())), xdr: preimage.toXDR('base64') }
      }
      case 'entry': {
        const entry = base.xdr.SorobanAuthorizationEntry.fromXDR(text, 'base64')
        const held = entry.credentials().address()
        const preimage = base.xdr.HashIdPreimage.envelopeTypeSorobanAuthorization(
          new base.xdr.HashIdPreimageSorobanAuthorization({
            networkId: base.hash(Buffer.from(Networks.TESTNET)),
            nonce: held.nonce(),
            signatureExpirationLedger: held.signatureExpirationLedger(),
            invocation: entry.rootInvocation(),
          }),
        )
        return { hash: toHex(base.hash(preimage.toXDR())), xdr: entry.toXDR('base64') }
      }
      case 'fee-bump': {
        const envelope = base.xdr.TransactionEnvelope.fromXDR(text, 'base64')
        const transaction = base.TransactionBuilder.fromXDR(envelope, base.Networks.TESTNET)
        return { hash: toHex(transaction.hash()), xdr: envelope.toXDR('base64') }
      }
    }
  } catch {
    return undefined
  }
}
