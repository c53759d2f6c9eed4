import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import * as fc from 'fast-check'
import { ecdsaDerToCompact } from '../../../src/bytes/der.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { recoveryId } from '../../../src/bytes/recovery.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { digest32, signature64 } from '../../../src/domain/brands.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { sharedVectors, type WycheproofFile } from '../../support/shared-vectors.ts'

const ORDER = secp256k1.Point.Fn.ORDER
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

/** DER as a key service writes it, from numbers; independent of the reader. */
const integer = (value: bigint): string => {
  let hex = value.toString(16)
  if (hex.length % 2 !== 0) hex = `0${hex}`
  if (/^[89a-f]/.test(hex)) hex = `00${hex}`
  return `02${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`
}
const sequence = (content: string): string => `30${(content.length / 2).toString(16).padStart(2, '0')}${content}`
const der = (r: bigint, s: bigint): Uint8Array => bytes(sequence(integer(r) + integer(s)))
const compact = (r: bigint, s: bigint): string => r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0')

const refused = (input: Uint8Array): void =>
  assert.throws(() => ecdsaDerToCompact(input), { code: 'signature/malformed' }, toHex(input))

test('T36: r and s come out left-padded, and a high s comes out low', () => {
  const half = ORDER >> 1n
  const numbers = [1n, 0x7fn, 0x80n, 0xffn, 0x100n, 2n ** 247n, 2n ** 248n - 1n, half]
  for (const r of [...numbers, half + 1n, ORDER - 1n]) {
    for (const s of numbers) {
      assert.equal(toHex(ecdsaDerToCompact(der(r, s))), compact(r, s))
      assert.equal(toHex(ecdsaDerToCompact(der(r, ORDER - s))), compact(r, s))
    }
  }
})

test('T36: every other spelling of a signature is refused', () => {
  const r = 2n ** 250n + 12345n
  const s = 2n ** 249n + 54321n
  const [R, S] = [integer(r), integer(s)]
  assert.equal(toHex(ecdsaDerToCompact(bytes(sequence(R + S)))), compact(r, s))
  const long = (content: string): string => `3081${(content.length / 2).toString(16).padStart(2, '0')}${content}`
  const cases: Record<string, string> = {
    empty: '',
    'length of length': long(R + S),
    'two bytes of length': `3082${(R + S).length / 2 > 255 ? '' : '00'}${((R + S).length / 2).toString(16)}${R}${S}`,
    'indefinite length': `3080${R}${S}0000`,
    'trailing byte': `${sequence(R + S)}00`,
    'trailing integer inside': sequence(`${R}${S}020101`),
    'trailing null inside': sequence(`${R}${S}0500`),
    'one integer': sequence(R),
    'cut off': sequence(R + S).slice(0, -2),
    'sequence too short': `30${((R + S).length / 2 - 1).toString(16)}${R}${S}`,
    'sequence too long': `30${((R + S).length / 2 + 1).toString(16)}${R}${S}`,
    set: `31${((R + S).length / 2).toString(16)}${R}${S}`,
    'bit string for r': sequence(`03${R.slice(2)}${S}`),
    'padded r': sequence(`02${(Number.parseInt(R.slice(2, 4), 16) + 1).toString(16)}00${R.slice(4)}${S}`),
    'padded s': sequence(`${R}02${(Number.parseInt(S.slice(2, 4), 16) + 1).toString(16)}00${S.slice(4)}`),
    'integer length in long form': sequence(`028120${R.slice(4)}${S}`),
    'empty integers': sequence('02000200'),
    'negative r': sequence(`0220ff${'11'.repeat(31)}${S}`),
    'negative s': sequence(`${R}0220ff${'11'.repeat(31)}`),
    'zero r': sequence(`020100${S}`),
    'zero s': sequence(`${R}020100`),
    'r = n': toHex(der(ORDER, s)),
    's = n': toHex(der(r, ORDER)),
    'r = n + 1': toHex(der(ORDER + 1n, s)),
    's = 2^256 - 1': toHex(der(r, 2n ** 256n - 1n)),
    'r of 33 bytes': toHex(der(2n ** 256n, s)),
    'raw r and s': compact(r, s),
    '73 bytes': `3047022100${'ff'.repeat(33)}022000${'11'.repeat(32)}`,
  }
  for (const hex of Object.values(cases)) refused(bytes(hex))
})

test('T36: the refusal does not echo the signature', () => {
  const secretLooking = bytes(sequence(`020100${integer(2n ** 200n + 77n)}`))
  try {
    ecdsaDerToCompact(secretLooking)
    assert.fail('it was accepted')
  } catch (error) {
    assert.ok(isSignerError(error))
    assert.ok(!JSON.stringify([error.message, error.detail]).includes(toHex(secretLooking).slice(12, 40)))
  }
})

test('T36: DER fuzz: whatever is accepted is the one spelling of its numbers', () => {
  const number = fc.bigInt({ min: 1n, max: ORDER - 1n })
  const edit = fc.tuple(fc.nat({ max: 71 }), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(
      number,
      number,
      fc.array(edit, { maxLength: 3 }),
      fc.integer({ min: -2, max: 2 }),
      (r, s, edits, cut) => {
        const input = der(r, s)
        const mutant = new Uint8Array(input.length + cut)
        mutant.set(input.subarray(0, mutant.length))
        for (const [at, value] of edits) if (at < mutant.length) mutant[at] = value
        let accepted: Uint8Array
        try {
          accepted = ecdsaDerToCompact(mutant)
        } catch (error) {
          assert.ok(isSignerError(error) && error.code === 'signature/malformed')
          return
        }
        const [gotR, gotS] = [BigInt(`0x${toHex(accepted.slice(0, 32))}`), BigInt(`0x${toHex(accepted.slice(32))}`)]
        assert.ok(gotS <= ORDER >> 1n)
        assert.ok([toHex(der(gotR, gotS)), toHex(der(gotR, ORDER - gotS))].includes(toHex(mutant)))
      },
    ),
    { numRuns: 5_000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), input => {
      try {
        ecdsaDerToCompact(input)
      } catch (error) {
        assert.ok(isSignerError(error) && error.code === 'signature/malformed')
      }
    }),
    { numRuns: 5_000 },
  )
})

const SIGNATURES = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 400 : 10_000

test(`T36: ${SIGNATURES} signatures as a key service makes them, half with high s: all valid, low, and recovered`, async () => {
  const [sample] = fc.sample(fc.uint8Array({ minLength: 32, maxLength: 32 }), { numRuns: 1, seed: 36 })
  const privateKey = sha256(sample as Uint8Array)
  const publicKey = secp256k1.getPublicKey(privateKey, false)
  let high = 0
  for (let round = 0; round < SIGNATURES; round++) {
    const digest = sha256(Uint8Array.of(round & 255, round >> 8))
    const made = secp256k1.Signature.fromBytes(secp256k1.sign(digest, privateKey, { prehash: false }))
    const s = round % 2 === 0 ? made.s : ORDER - made.s
    if (s > ORDER >> 1n) high++
    const signature = ecdsaDerToCompact(der(made.r, s))
    assert.equal(await verifySignature({ scheme: 'ecdsa-secp256k1', digest }, publicKey, signature), true)
    assert.ok([0, 1].includes(recoveryId(digest, signature, publicKey)))
  }
  assert.equal(high, SIGNATURES / 2)
})

test('R-09: the recovery id of the EIP-155 example is 0, of RFC 6979 with key 1 as the library says', () => {
  const digest = digest32(bytes('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53'))
  const signature = signature64(
    bytes(
      '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa63627667cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
    ),
  )
  const publicKey = secp256k1.getPublicKey(new Uint8Array(32).fill(0x46), false)
  assert.equal(recoveryId(digest, signature, publicKey), 0) // v 37 = 35 + 2 · chain 1 + 0
  for (let key = 1; key <= 16; key++) {
    const secret = bytes(key.toString(16).padStart(64, '0'))
    const made = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' })
    const id = recoveryId(digest, signature64(made.slice(1)), secp256k1.getPublicKey(secret, false))
    assert.equal(id, made[0])
  }
})

test('T37: a signature that recovers another key, or none, has no recovery id', () => {
  const digest = sha256(Uint8Array.of(1))
  const secret = new Uint8Array(32).fill(1)
  const publicKey = secp256k1.getPublicKey(secret, false)
  const signature = secp256k1.sign(digest, secret, { prehash: false })
  const other = secp256k1.getPublicKey(new Uint8Array(32).fill(2), false)
  const noPoint = bytes(compact(5n, 1n)) // no point of the curve has x = 5
  const cases = [
    [digest, signature, other],
    [sha256(Uint8Array.of(2)), signature, publicKey],
    [digest, noPoint, publicKey],
    [digest, new Uint8Array(64), publicKey],
    [digest, new Uint8Array(64).fill(255), publicKey],
    [digest, signature, publicKey.slice(0, 33)],
  ] as const
  for (const [message, made, key] of cases) {
    assert.throws(() => recoveryId(message, signature64(made), key), { code: 'signature/unverified' })
  }
})

interface Group {
  readonly publicKey: { readonly uncompressed: string }
  readonly tests: readonly { msg: string; sig: string; result: string; tcId: number }[]
}
const wycheproof = sharedVectors('wycheproof/ecdsa_secp256k1_sha256_test.json')
const published = wycheproof.data as WycheproofFile<Group> | undefined

test('R-08: Wycheproof ECDSA secp256k1 in DER, no mismatch', { skip: wycheproof.skip }, async () => {
  const accepts = async (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> => {
    let made: Uint8Array
    try {
      made = ecdsaDerToCompact(signature)
    } catch (error) {
      assert.ok(isSignerError(error) && error.code === 'signature/malformed')
      return false
    }
    return verifySignature({ scheme: 'ecdsa-secp256k1', digest: sha256(message) }, publicKey, made)
  }
  let seen = 0
  for (const group of published?.testGroups ?? []) {
    for (const { msg, sig, result, tcId } of group.tests) {
      const verified = await accepts(bytes(group.publicKey.uncompressed), bytes(msg), bytes(sig))
      assert.equal(verified, result === 'valid', `tcId ${tcId}`)
      seen++
    }
  }
  assert.equal(seen, published?.numberOfTests)
})
