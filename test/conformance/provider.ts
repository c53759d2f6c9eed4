/** The contract of `src/domain/provider.ts` as a suite. Every provider and every transport runs all of it; inability is asserted, never skipped. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { digest32 } from '../../src/domain/brands.ts'
import type { ErrorCode } from '../../src/domain/errors.ts'
import {
  canEnvelope,
  type EnvelopeProvider,
  type KeyAdmin,
  type KeyProvider,
  type KeyRef,
  SCHEMES,
  type Scheme,
  type SignInput,
} from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { refusal, spellings } from '../support/leaks.ts'
import { call } from '../support/provider-world.ts'

/** What a remote may do to us. `hang`: takes the request and says nothing. `drip`: a byte now and then, never done. `flood`: 100 MB. `lie`: answers for another key. */
export const FAULTS = ['hang', 'drip', 'flood', 'lie'] as const
export type Fault = (typeof FAULTS)[number]

export interface Faulty {
  readonly provider: KeyProvider
  readonly keys: Readonly<Record<Scheme, KeyRef>>
  readonly wrapping: KeyRef
  /** The code of a lie told to `unwrap`, where the answer names no key. Default `key/mismatch`. */
  readonly lieOnUnwrap?: ErrorCode
  /** Resolves when the next request has reached the remote. */
  arrived(): Promise<unknown>
  close(): Promise<void>
}

export interface Subject {
  readonly provider: KeyProvider
  /** One key of each scheme. A scheme the provider lacks may name anything. */
  readonly keys: Readonly<Record<Scheme, KeyRef>>
  /** Two keys for envelopes; empty when the provider has none. */
  readonly wrapping: readonly KeyRef[]
  /** References in the provider's own form that lead nowhere. */
  readonly unknown: readonly KeyRef[]
  /** What must not show in any error, such as credentials. */
  readonly canaries: readonly string[]
  /** Absent when nobody can make keys. */
  readonly admin?: KeyAdmin
  /** True when the provider is for production and yet does its work in this process; the subject then fails on any request. */
  readonly local?: true
  /** Absent when there is no remote: nothing to be slow, huge or lying. */
  readonly faulty?: (fault: Fault) => Promise<Faulty>
  close(): Promise<void>
}

export function providerConformance(name: string, open: () => Promise<Subject>): void {
  describe(`${name}: provider contract`, () => {
    let subject: Subject
    before(async () => {
      subject = await open()
    })
    after(() => subject?.close())
    const canaries = () => subject.canaries

    test('capabilities are frozen data', () => {
      const { provider } = subject
      assert.ok(Object.isFrozen(provider) && Object.isFrozen(provider.can) && Object.isFrozen(provider.can.native))
      assert.ok(provider.can.native.every(scheme => SCHEMES.includes(scheme)))
      assert.equal(typeof provider.can.production, 'boolean')
      // A provider that cannot has no method that only throws.
      assert.equal('unwrap' in provider, provider.can.envelope)
      assert.equal('wrap' in provider, provider.can.envelope)
      assert.equal(subject.wrapping.length >= 2, provider.can.envelope)
    })

    for (const scheme of SCHEMES) signing(scheme, () => subject)

    test('unknown keys are refused by every method', async () => {
      const { provider, unknown } = subject
      assert.ok(unknown.length > 0)
      for (const key of unknown) {
        await refusal(provider.describe(key, call()), 'provider/refused', canaries())
        for (const scheme of SCHEMES)
          await refusal(
            provider.sign(key, sample(scheme), call()),
            // A scheme the service lacks is refused before anybody looks for the key.
            provider.can.native.includes(scheme) ? 'provider/refused' : ['provider/refused', 'key/unsupported'],
            canaries(),
          )
        if (!canEnvelope(provider)) continue
        await refusal(provider.wrap(key, secret(1), { pubkey: 'G' }, call()), 'provider/refused', canaries())
        const sealed = await provider.wrap(subject.wrapping[0] ?? '', secret(1), { pubkey: 'G' }, call())
        await refusal(
          provider.unwrap(key, sealed, { pubkey: 'G' }, call()),
          ['provider/refused', 'envelope/unreadable'],
          canaries(),
        )
      }
    })

    test('a call that was given up before it began does nothing and says a retry is safe', async () => {
      const { provider, keys, wrapping } = subject
      const gone = () => call(AbortSignal.abort(new Error('deadline')))
      await refusal(provider.describe(keys.ed25519, gone()), 'provider/unavailable', canaries())
      await refusal(provider.sign(keys.ed25519, sample('ed25519'), gone()), 'provider/unavailable', canaries())
      if (!canEnvelope(provider)) return
      const sealed = await provider.wrap(wrapping[0] ?? '', secret(2), { pubkey: 'G' }, call())
      await refusal(
        provider.wrap(wrapping[0] ?? '', secret(2), { pubkey: 'G' }, gone()),
        'provider/unavailable',
        canaries(),
      )
      await refusal(
        provider.unwrap(wrapping[0] ?? '', sealed, { pubkey: 'G' }, gone()),
        'provider/unavailable',
        canaries(),
      )
    })

    faults(() => subject)
    envelopes(() => subject)

    test('an admin makes keys that the provider serves', async () => {
      const { provider, admin } = subject
      if (admin === undefined) return assert.equal(provider.can.rotation, 'none')
      for (const scheme of provider.can.native) {
        const made = await admin.create({ scheme, label: `conformance-${scheme}` }, call())
        assert.equal(made.scheme, scheme)
        const facts = await provider.describe(made.reference, call())
        assert.deepEqual(facts, made)
        const { signature } = await provider.sign(made.reference, sample(scheme), call())
        assert.ok(verifies(facts.publicKey, sample(scheme), signature))
      }
      await refusal(admin.create({ scheme: 'rsa' as Scheme, label: 'x' }, call()), 'key/unsupported', canaries())
      const wrappingKey = await admin.createWrappingKey({ label: 'conformance-wrapping' }, call())
      assert.ok(canEnvelope(provider))
      const sealed = await provider.wrap(wrappingKey, secret(3), { pubkey: 'G' }, call())
      assert.deepEqual(await opened(provider, wrappingKey, sealed, { pubkey: 'G' }), filled(3))
    })

    test('closed means closed', async () => {
      const other = await open()
      await other.provider.close()
      await refusal(
        other.provider.sign(other.keys.ed25519, sample('ed25519'), call()),
        ['provider/unavailable', 'provider/refused'],
        other.canaries,
      )
      await other.close()
    })
  })
}

function signing(scheme: Scheme, subject: () => Subject): void {
  test(`${scheme}: signs what its own key verifies, or refuses`, async () => {
    const { provider, keys, canaries } = subject()
    const attempt = provider.sign(keys[scheme], sample(scheme), call())
    if (!provider.can.native.includes(scheme)) return void (await refusal(attempt, 'key/unsupported', canaries))
    const { signature, providerRequestId } = await attempt
    const { publicKey } = await provider.describe(keys[scheme], call())
    assert.ok(verifies(publicKey, sample(scheme), signature))
    assert.ok(!verifies(publicKey, sample(scheme, 8), signature))
    assert.ok(providerRequestId === undefined || /^[\x21-\x7e]{1,200}$/.test(providerRequestId))
  })

  test(`${scheme}: describe gives the reference to pin and a key of the right form`, async () => {
    const { provider, keys } = subject()
    if (!provider.can.native.includes(scheme)) return
    const facts = await provider.describe(keys[scheme], call())
    assert.equal(facts.scheme, scheme)
    assert.equal(facts.publicKey.length, scheme === 'ed25519' ? 32 : 65)
    if (scheme === 'ecdsa-secp256k1') assert.equal(facts.publicKey[0], 4)
    assert.deepEqual(await provider.describe(facts.reference, call()), facts)
    // What is handed out is a copy: writing to it changes nothing.
    facts.publicKey.fill(0)
    const again = await provider.describe(facts.reference, call())
    assert.ok(again.publicKey.some(byte => byte !== 0))
  })

  test(`${scheme}: 64 signatures verify, ${scheme === 'ed25519' ? 'and are deterministic' : 'and every s is low (T36)'}`, async () => {
    const { provider, keys } = subject()
    if (!provider.can.native.includes(scheme)) return
    const { publicKey } = await provider.describe(keys[scheme], call())
    for (let i = 0; i < 64; i++) {
      const { signature } = await provider.sign(keys[scheme], sample(scheme, i), call())
      assert.equal(signature.length, 64)
      assert.ok(verifies(publicKey, sample(scheme, i), signature))
    }
    if (scheme !== 'ed25519') return
    const twice = [
      await provider.sign(keys[scheme], sample(scheme), call()),
      await provider.sign(keys[scheme], sample(scheme), call()),
    ]
    assert.deepEqual(twice[0]?.signature, twice[1]?.signature)
  })

  test(`${scheme}: input of another scheme or size is refused`, async () => {
    const { provider, keys, canaries } = subject()
    const other = SCHEMES.find(each => each !== scheme) ?? scheme
    await refusal(provider.sign(keys[scheme], sample(other), call()), ['key/unsupported', 'provider/refused'], canaries)
    await refusal(
      provider.sign(keys[scheme], { scheme: 'rsa', message: filled(1) } as unknown as SignInput, call()),
      'key/unsupported',
      canaries,
    )
    const sizes = scheme === 'ed25519' ? [0, 4097] : [0, 31, 33]
    for (const size of sizes) {
      const bytes = new Uint8Array(size)
      const input =
        scheme === 'ed25519' ? { scheme, message: bytes } : ({ scheme, digest: bytes } as unknown as SignInput)
      await refusal(provider.sign(keys[scheme], input, call()), 'key/unsupported', canaries)
    }
    if (scheme === 'ed25519' && provider.can.native.includes(scheme))
      await provider.sign(keys[scheme], { scheme, message: new Uint8Array(4096).fill(1) }, call())
  })

  test(`${scheme}: works with frozen arguments, and 32 at a time`, async () => {
    const { provider, keys } = subject()
    if (!provider.can.native.includes(scheme)) return
    const { publicKey } = await provider.describe(keys[scheme], Object.freeze(call()))
    const inputs = Array.from({ length: 32 }, (_, i) => Object.freeze(sample(scheme, i)))
    const all = await Promise.all(inputs.map(input => provider.sign(keys[scheme], input, Object.freeze(call()))))
    for (const [i, { signature }] of all.entries())
      assert.ok(verifies(publicKey, inputs[i] ?? sample(scheme), signature))
  })
}

function faults(subject: () => Subject): void {
  for (const fault of FAULTS) {
    test(`R-14 a remote that ${fault}s is cut off with a typed error`, async () => {
      const { faulty: open, canaries, provider: own } = subject()
      assert.equal(open === undefined, subject().local === true || !own.can.production)
      if (open === undefined) return
      const faulty = await open(fault)
      const { provider, keys, wrapping } = faulty
      try {
        const waits = fault === 'hang' || fault === 'drip'
        const attempt = async (
          run: (signal: AbortSignal) => Promise<unknown>,
          given: string,
          lie: ErrorCode = 'key/mismatch',
        ): Promise<void> => {
          const deadline = new AbortController()
          const arrived = faulty.arrived()
          const outcome = refusal(
            run(deadline.signal),
            (waits ? given : fault === 'lie' ? lie : 'provider/malformed') as never,
            canaries,
          )
          await arrived
          if (waits) deadline.abort(new Error('deadline'))
          await outcome
        }
        for (const scheme of provider.can.native) {
          // A signature may exist that nobody saw: that is not the same as nothing signed.
          await attempt(signal => provider.sign(keys[scheme], sample(scheme), call(signal)), 'provider/ambiguous')
        }
        await attempt(signal => provider.describe(keys.ed25519, call(signal)), 'provider/unavailable')
        if (!canEnvelope(provider)) return
        await attempt(
          signal => provider.unwrap(wrapping, filled(9), { pubkey: 'G' }, call(signal)),
          'provider/unavailable',
          faulty.lieOnUnwrap,
        )
        await attempt(
          signal => provider.wrap(wrapping, secret(4), { pubkey: 'G' }, call(signal)),
          'provider/unavailable',
        )
      } finally {
        await provider.close()
        await faulty.close()
      }
    })
  }
}

function envelopes(subject: () => Subject): void {
  /** The provider when it has envelopes; otherwise the inability is already asserted by the first test. */
  const envelope = (): { provider: EnvelopeProvider; keys: readonly KeyRef[] } | undefined => {
    const { provider, wrapping } = subject()
    return canEnvelope(provider) ? { provider, keys: wrapping } : undefined
  }

  test('M-05 a wrapped secret opens with its own context only, whatever the order of its entries', async () => {
    const on = envelope()
    if (on === undefined) return
    const key = on.keys[0] ?? ''
    const context = { pubkey: 'GABC', keyId: 'treasury', version: '1' }
    const sealed = await on.provider.wrap(key, secret(5), Object.freeze(context), call())
    assert.deepEqual(
      await opened(on.provider, key, sealed, { version: '1', keyId: 'treasury', pubkey: 'GABC' }),
      filled(5),
    )
    const wrong: Record<string, string>[] = [
      { ...context, pubkey: 'GABD' },
      { ...context, pubkey: 'gabc' },
      { ...context, extra: '' },
      { pubkey: 'GABC', keyId: 'treasury' },
      { pubkey: 'GABC', keyId: 'treasuryversion1', version: '' },
      { pubkey: 'GABC', keyIdtreasury: '', version: '1' },
      { keyId: 'GABC', pubkey: 'treasury', version: '1' },
      {},
      { ...context, pubkey: '\ud800' },
    ]
    for (const other of wrong)
      await refusal(on.provider.unwrap(key, sealed, other, call()), 'envelope/unreadable', canariesOf(subject(), 5))
  })

  test('a context that would bind nothing, or not what it says, is not sealed', async () => {
    const on = envelope()
    if (on === undefined) return
    const odd = [
      {},
      { '': 'x' },
      { pubkey: '\udc00' },
      { '\ud800': 'x' },
      JSON.parse('{"__proto__":"x"}'),
      { pubkey: 1 as unknown as string },
    ]
    for (const context of odd) {
      await refusal(
        on.provider.wrap(on.keys[0] ?? '', secret(6), context, call()),
        'provider/refused',
        canariesOf(subject(), 6),
      )
    }
  })

  // A provider may spend a tenth of a second on every row it opens, and three tenths where branches are counted.
  const counting = process.versions['bun'] === undefined
  const [ROWS, STRIDE] = counting ? [8, 5] : [20, 1]
  const patient = { timeout: 120_000 }
  test(
    `M-05 T41 every pair of ${ROWS} rows with ciphertexts swapped is unreadable, and each row still opens`,
    patient,
    async () => {
      const on = envelope()
      if (on === undefined) return
      const { provider } = on
      const key = on.keys[0] ?? ''
      const contextOf = (i: number) => ({ pubkey: `G${i}` })
      const rows = await Promise.all(
        Array.from({ length: ROWS }, (_, i) => provider.wrap(key, secret(i), contextOf(i), call())),
      )
      let refused = 0
      for (const [i] of rows.entries()) {
        await Promise.all(
          rows.map(async (sealed, j) => {
            if (i === j) return assert.deepEqual(await opened(provider, key, sealed, contextOf(i)), filled(i))
            await refusal(
              provider.unwrap(key, sealed, contextOf(i), call()),
              'envelope/unreadable',
              canariesOf(subject(), j),
            )
            refused++
          }),
        )
      }
      assert.equal(refused, ROWS * (ROWS - 1))
    },
  )

  test('a damaged, cut or stretched ciphertext is unreadable', patient, async () => {
    const on = envelope()
    if (on === undefined) return
    const key = on.keys[0] ?? ''
    const sealed = await on.provider.wrap(key, secret(7), { pubkey: 'G' }, call())
    const damaged = Array.from(sealed, (_, at) => sealed.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)))
    const misshapen = [
      sealed.slice(0, -1),
      sealed.slice(1),
      Uint8Array.of(...sealed, 0),
      sealed.slice(0, 8),
      new Uint8Array(0),
      new Uint8Array(7000),
    ]
    for (const bytes of [...damaged.filter((_, at) => at % STRIDE === 0), ...misshapen]) {
      await refusal(
        on.provider.unwrap(key, bytes, { pubkey: 'G' }, call()),
        'envelope/unreadable',
        canariesOf(subject(), 7),
      )
    }
    assert.deepEqual(await opened(on.provider, key, sealed, { pubkey: 'G' }), filled(7))
  })

  test('another wrapping key, a signing key, or the ciphertext of another provider opens nothing', async () => {
    const on = envelope()
    if (on === undefined) return
    const { provider, keys } = on
    const sealed = await provider.wrap(keys[0] ?? '', secret(8), { pubkey: 'G' }, call())
    const unreadable = ['envelope/unreadable', 'provider/refused', 'key/unsupported'] as const
    await refusal(
      provider.unwrap(keys[1] ?? '', sealed, { pubkey: 'G' }, call()),
      'envelope/unreadable',
      canariesOf(subject(), 8),
    )
    await refusal(
      provider.unwrap(subject().keys.ed25519, sealed, { pubkey: 'G' }, call()),
      unreadable,
      canariesOf(subject(), 8),
    )
    const foreign = [
      'arn:aws:kms:eu-central-1:000000000000:alias/x',
      'projects/p/locations/l/keyRings/r/cryptoKeys/k',
      'mock/wrapping/x/00000000',
      '',
    ]
    for (const key of foreign)
      await refusal(provider.unwrap(key, sealed, { pubkey: 'G' }, call()), unreadable, canariesOf(subject(), 8))
    for (const first of [0x01, 0x43, 0x76, 0xff]) {
      const other = new Uint8Array(120).fill(first)
      await refusal(provider.unwrap(keys[0] ?? '', other, { pubkey: 'G' }, call()), 'envelope/unreadable')
    }
  })

  test('a Buffer is bytes like any other: files are read into one, and it brings a toJSON of its own', async () => {
    const on = envelope()
    if (on === undefined) return
    const key = on.keys[0] ?? ''
    const held = new SecretBytes(Buffer.from(filled(11)), 'in a Buffer')
    const sealed = Buffer.from(await on.provider.wrap(key, held, { pubkey: 'G' }, call()))
    assert.deepEqual(await opened(on.provider, key, sealed, { pubkey: 'G' }), filled(11))
    const { provider, keys } = subject()
    for (const scheme of provider.can.native) {
      const input = sample(scheme)
      const raw = Buffer.from(input.scheme === 'ed25519' ? input.message : input.digest)
      const same = (scheme === 'ed25519' ? { scheme, message: raw } : { scheme, digest: raw }) as unknown as SignInput
      const { signature } = await provider.sign(keys[scheme], same, call())
      assert.ok(verifies((await provider.describe(keys[scheme], call())).publicKey, input, signature))
    }
  })

  test('what unwrap hands out belongs to the caller alone: wiped once, it is gone, and the next call opens again', async () => {
    const on = envelope()
    if (on === undefined) return
    const key = on.keys[0] ?? ''
    const sealed = await on.provider.wrap(key, secret(9), { pubkey: 'G' }, call())
    const first = await on.provider.unwrap(key, sealed, { pubkey: 'G' }, call())
    const second = await on.provider.unwrap(key, sealed, { pubkey: 'G' }, call())
    first.plaintext.wipe()
    assert.ok(first.plaintext.wiped && !second.plaintext.wiped)
    second.plaintext.use(bytes => assert.deepEqual(Uint8Array.from(bytes), filled(9)))
    second.plaintext.wipe()
  })

  test('wrap leaves the secret with its caller, refuses none and too much, and never gives the same ciphertext twice', async () => {
    const on = envelope()
    if (on === undefined) return
    const key = on.keys[0] ?? ''
    const kept = secret(10)
    const sealed = [
      await on.provider.wrap(key, kept, { pubkey: 'G' }, call()),
      await on.provider.wrap(key, kept, { pubkey: 'G' }, call()),
    ]
    assert.ok(!kept.wiped)
    assert.notDeepEqual(sealed[0], sealed[1])
    for (const size of [0, 4097]) {
      const odd = new SecretBytes(new Uint8Array(size), 'odd')
      await refusal(on.provider.wrap(key, odd, { pubkey: 'G' }, call()), 'provider/refused', subject().canaries)
    }
  })

  test('32 unwraps at a time each get their own secret', async () => {
    const on = envelope()
    if (on === undefined) return
    const { provider } = on
    const key = on.keys[0] ?? ''
    const rows = await Promise.all(
      Array.from({ length: 32 }, (_, i) => provider.wrap(key, secret(i), { pubkey: `G${i}` }, call())),
    )
    const all = await Promise.all(rows.map((sealed, i) => opened(provider, key, sealed, { pubkey: `G${i}` })))
    for (const [i, bytes] of all.entries()) assert.deepEqual(bytes, filled(i))
  })
}

/** A recognisable secret of 32 bytes; the number makes it another one. */
const filled = (i: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, at) => (i * 37 + at * 11 + 0x5a) & 0xff)
const secret = (i: number): SecretBytes => new SecretBytes(filled(i), `sample ${i}`)
const canariesOf = (subject: Subject, i: number): string[] => [...subject.canaries, ...spellings(filled(i))]

async function opened(
  provider: EnvelopeProvider,
  key: KeyRef,
  sealed: Uint8Array,
  context: Record<string, string>,
): Promise<Uint8Array> {
  const { plaintext } = await provider.unwrap(key, sealed, context, call())
  const copy = plaintext.use(bytes => Uint8Array.from(bytes))
  plaintext.wipe()
  return copy
}

export function sample(scheme: Scheme, i = 0): SignInput {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => (i * 101 + at * 7 + 1) & 0xff)
  return scheme === 'ed25519' ? { scheme, message: bytes } : { scheme, digest: digest32(bytes) }
}

/** noble judges, whoever signed. Low s is part of the judgement. */
export function verifies(publicKey: Uint8Array, input: SignInput, signature: Uint8Array): boolean {
  if (input.scheme === 'ed25519') return ed25519.verify(signature, input.message, publicKey, { zip215: false })
  return secp256k1.verify(signature, input.digest, publicKey, { prehash: false, lowS: true })
}
