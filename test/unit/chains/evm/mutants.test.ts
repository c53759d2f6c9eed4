/**
 * M-30 T33 R-12: whatever comes, it is refused with a type and a place, or two other libraries make the same digest of what
 * was sent.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Transaction, TypedDataEncoder } from 'ethers'
import { hashTypedData, keccak256, parseTransaction, serializeTransaction } from 'viem'
import { isSignerError } from '../../../../src/domain/errors.ts'
import type { Asked } from '../../../../src/domain/payload.ts'
import { seeded } from '../../../fuzz/xdr-mutator.ts'
import { CHAIN, forViem, mutatedBytes, mutatedJson, randomTransaction, randomTypedData } from './mutator.ts'
import { askTransaction, askTypedData, askUnsigned, signatory } from './samples.ts'

const SEED = Number(process.env['EVM_SEED'] ?? 20_261_122)
const COUNT = process.env['COUNTERSIGN_TEST_LONG'] === '1' ? 200_000 : 20_000
const own = signatory(CHAIN)

interface Tally {
  accepted: number
  readonly reasons: Map<string, number>
}

/** @returns what was accepted; anything but a typed refusal fails. */
function attempt(tally: Tally, body: () => Asked, told: () => string): Asked | undefined {
  try {
    const asked = body()
    tally.accepted++
    return asked
  } catch (error) {
    assert.ok(isSignerError(error), `${told()}: ${String(error)}`)
    assert.equal(error.code, 'payload/invalid', told())
    const { field, reason } = error.detail
    assert.match(field, /^[!-~]{0,2000}$/, told())
    const kind = reason.replaceAll(/[0-9]+|0x[0-9a-fA-F]+/g, '#').slice(0, 40)
    tally.reasons.set(kind, (tally.reasons.get(kind) ?? 0) + 1)
    return undefined
  }
}

function report(name: string, count: number, { accepted, reasons }: Tally): void {
  console.log(`# seed ${SEED}, ${name}: ${accepted} of ${count} accepted, ${reasons.size} kinds of refusals`)
  // Checks of our own come before the encoder's: a mutant that only viem refuses is a hole in them.
  const holes = [...reasons.keys()].filter(reason => /cannot be (encoded|hashed)/.test(reason))
  assert.deepEqual(holes, [])
  assert.ok(accepted > count / 20 && accepted < count * 0.95, `${accepted} of ${count}`)
  assert.ok(reasons.size > 15)
}

test(`R-12 bytes of transactions: ${COUNT * 0.5} mutants`, () => {
  const rng = seeded(SEED)
  const tally: Tally = { accepted: 0, reasons: new Map() }
  const count = COUNT * 0.5
  for (let at = 0; at < count; at++) {
    const unsigned = mutatedBytes(rng) as `0x${string}`
    const told = () => `seed ${SEED}, mutant ${at}: ${unsigned}`
    const asked = attempt(tally, () => askUnsigned(unsigned, own), told)
    if (asked === undefined) continue
    const hash = `0x${asked.hash}`
    assert.equal(keccak256(unsigned), hash, told())
    const nonce = (asked.view as { nonce: bigint }).nonce
    if (nonce > BigInt(Number.MAX_SAFE_INTEGER)) continue // neither of the two reads so far
    assert.equal(keccak256(serializeTransaction(parseTransaction(unsigned) as never)), hash, told())
    assert.equal(Transaction.from(unsigned).unsignedHash, hash, told())
  }
  report('bytes', count, tally)
})

test(`R-12 fields of transactions: ${COUNT * 0.3} mutants`, () => {
  const rng = seeded(SEED + 1)
  const tally: Tally = { accepted: 0, reasons: new Map() }
  const count = COUNT * 0.3
  for (let at = 0; at < count; at++) {
    const fields = mutatedJson(rng, randomTransaction(rng), rng.int(4))
    const told = () => `seed ${SEED + 1}, mutant ${at}: ${JSON.stringify(fields)}`
    const asked = attempt(tally, () => askTransaction(fields, own), told)
    if (asked === undefined) continue
    const given = forViem(fields)
    const type = ['legacy', 'eip2930', 'eip1559', 'eip4844', 'eip7702'].indexOf(String(given['type']))
    assert.equal(keccak256(serializeTransaction(given as never)), `0x${asked.hash}`, told())
    if ((asked.view as { nonce: bigint }).nonce > BigInt(Number.MAX_SAFE_INTEGER)) continue // ethers has no such numbers
    assert.equal(ethersHash(given, type), `0x${asked.hash}`, told())
  }
  report('fields', count, tally)
})

/** From the same fields, without viem's encoder. */
function ethersHash({ gas, to, authorizationList, ...fields }: Record<string, unknown>, type: number): string {
  const lower = (value: unknown): string => String(value).toLowerCase()
  const list = (authorizationList as Record<string, unknown>[] | undefined)?.map(({ r, s, yParity, ...tuple }) => ({
    ...tuple,
    address: lower(tuple['address']),
    signature: { r: word(r), s: word(s), yParity: Number(yParity) },
  }))
  return Transaction.from({
    ...fields,
    type,
    gasLimit: gas,
    ...(to === undefined ? {} : { to: lower(to) }),
    ...(list === undefined ? {} : { authorizationList: list }),
  } as never).unsignedHash
}

const word = (value: unknown): string => `0x${BigInt(String(value)).toString(16).padStart(64, '0')}`

test(`R-12 T33 typed data: ${COUNT * 0.2} mutants`, () => {
  const rng = seeded(SEED + 2)
  const tally: Tally = { accepted: 0, reasons: new Map() }
  const count = COUNT * 0.2
  for (let at = 0; at < count; at++) {
    const given = mutatedJson(rng, randomTypedData(rng), rng.int(4))
    const told = () => `seed ${SEED + 2}, mutant ${at}: ${JSON.stringify(given)}`
    const asked = attempt(tally, () => askTypedData(given, own), told)
    if (asked === undefined) continue
    assert.equal(hashTypedData(given as never), `0x${asked.hash}`, told())
    const { EIP712Domain: _, ...types } = given.types as Record<string, { name: string; type: string }[]>
    assert.equal(TypedDataEncoder.getPrimaryType(types), given.primaryType, told())
    assert.equal(TypedDataEncoder.hash(given.domain as never, types, given.message), `0x${asked.hash}`, told())
  }
  report('typed data', count, tally)
})
