import assert from 'node:assert/strict'
import { test } from 'node:test'
import base from '@stellar/stellar-base'
import { toHex } from '../../../../src/bytes/hex.ts'
import { type StellarParsed, stellar } from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { corpus, mutate, seeded } from '../../../fuzz/xdr-mutator.ts'
import { namedCorpus } from '../../../fuzz/xdr-corpus.ts'

/**
 * The older JavaScript SDK, whose XDR code has another generator and another runtime, as oracle. It knows protocol 25
 * and no later arms, so it may refuse what we read; it must never read the same bytes as something else.
 */
const parse = (xdr: string): StellarParsed | undefined => {
  try {
    return stellar.parse({ type: 'stellar-transaction', xdr }, 'testnet')
  } catch (error) {
    assert.ok(isSignerError(error))
    return undefined
  }
}

interface Oracle {
  readonly hash: string
  readonly xdr: string
  readonly types: readonly string[]
}

function oracle(xdr: string): Oracle | undefined {
  try {
    const envelope = base.xdr.TransactionEnvelope.fromXDR(xdr, 'base64')
    const transaction = base.TransactionBuilder.fromXDR(envelope, base.Networks.TESTNET)
    const inner = 'innerTransaction' in transaction ? transaction.innerTransaction : transaction
    return {
      hash: toHex(transaction.hash()),
      xdr: envelope.toXDR('base64'),
      types: inner.operations.map(operation => operation.type),
    }
  } catch {
    return undefined
  }
}

/** One name differs: the older SDK tells the revoked things apart. */
const typeOf = (type: string): string =>
  type.startsWith('revoke') && type.endsWith('Sponsorship') ? 'revokeSponsorship' : type

const bodyTypes = ({ view }: StellarParsed): string[] =>
  (view.kind === 'transaction' ? view : view.inner).operations.map(operation => operation.type)

test('M-20, T24 second SDK: same hash and same operations for the whole corpus', () => {
  let compared = 0
  for (const [name, envelope] of namedCorpus()) {
    const xdr = envelope.toXdr('base64')
    const ours = parse(xdr)
    assert.ok(ours !== undefined, name)
    const theirs = oracle(xdr)
    if (theirs === undefined) continue
    compared++
    assert.equal(stellar.hash(ours), theirs.hash, name)
    assert.deepEqual(bodyTypes(ours), theirs.types.map(typeOf), name)
  }
  assert.ok(compared >= namedCorpus().length - 4, `only ${compared} of ${namedCorpus().length} compared`)
})

test('T24 second SDK: 10,000 mutants, no envelope read in two ways', { timeout: 60_000 }, () => {
  const seed = 20_261_122
  const rng = seeded(seed)
  const seeds = corpus()
  let both = 0
  for (let number = 0; number < 10_000; number++) {
    const xdr = mutate(rng, seeds[rng.int(seeds.length)] ?? '')
    const ours = parse(xdr)
    const theirs = ours === undefined ? undefined : oracle(xdr)
    if (ours === undefined || theirs === undefined) continue
    both++
    const label = `seed ${seed}, mutant ${number}: ${xdr}`
    assert.equal(theirs.xdr, xdr, label)
    assert.equal(stellar.hash(ours), theirs.hash, label)
    assert.deepEqual(bodyTypes(ours), theirs.types.map(typeOf), label)
  }
  assert.ok(both > 500, `only ${both} mutants were read by both`)
})
