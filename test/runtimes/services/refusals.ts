import { devPublicKey } from '../../../providers/mock/index.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import type { Call, EnvelopeProvider } from '../../../src/domain/provider.ts'
import { type Cases, outcome } from '../report.ts'
import { call } from '../world.ts'
import { CONTEXT, MESSAGE, seed } from './keys.ts'
import { EVM_KEY, FAULTY_KEYS, looseReferenceOf } from './places.ts'
import { seen, verdict } from './seen.ts'
import { interrupted, ref, type Subject, withProvider } from './subject.ts'

const ED25519 = { scheme: 'ed25519', message: MESSAGE } as const
const SECP256K1 = { scheme: 'ecdsa-secp256k1', digest: digest32(MESSAGE) } as const

/** Each of the four calls about one key. */
async function everyCall(
  provider: EnvelopeProvider,
  [signing, wrapping]: [string, string],
  row: Uint8Array,
  ask: () => Call,
) {
  return {
    describe: await seen(() => provider.describe(signing, ask())),
    sign: await seen(() => provider.sign(signing, ED25519, ask())),
    wrap: await seen(() => provider.wrap(wrapping, seed(), CONTEXT, ask())),
    unwrap: await seen(() => provider.unwrap(wrapping, row, CONTEXT, ask())),
  }
}

export const refusalCases = (subject: Subject): Cases => ({
  'keys that are not there, are off, or are something else': () =>
    withProvider(subject, async provider => {
      const row = await provider.wrap(ref(subject, 'wrapping'), seed(), CONTEXT, call())
      const [treasury, wrapping] = [ref(subject, 'treasury'), ref(subject, 'wrapping')]
      const nobody = ref(subject, 'nobody')
      // The form of a wrapping key: without a version, where versions are part of a name.
      const nobodyWraps = wrapping.replace(/wrapping$/, 'nobody')
      const loose = looseReferenceOf(subject.service, 'treasury')
      return {
        unknown: await everyCall(provider, [nobody, nobodyWraps], row, call),
        'no reference': await everyCall(provider, ['', ''], row, call),
        disabled: await seen(() => provider.sign(ref(subject, 'disabled'), ED25519, call())),
        'not pinned': await seen(() => provider.sign(loose, ED25519, call())),
        'wraps and does not sign': await seen(() => provider.sign(wrapping, ED25519, call())),
        'signs and does not wrap': await seen(() => provider.wrap(treasury, seed(), CONTEXT, call())),
        'another scheme': await seen(() => provider.sign(treasury, SECP256K1, call())),
        'the other way round': await seen(() => provider.sign(ref(subject, EVM_KEY), ED25519, call())),
        'an empty message': await seen(() =>
          provider.sign(treasury, { ...ED25519, message: new Uint8Array() }, call()),
        ),
        'a long message': await seen(() =>
          provider.sign(treasury, { ...ED25519, message: new Uint8Array(4_097) }, call()),
        ),
      }
    }),
  'R-14 calls that are given up before they begin, and after the end': async () => {
    const provider = await subject.open()
    const keys: [string, string] = [ref(subject, 'treasury'), ref(subject, 'wrapping')]
    const row = await provider.wrap(keys[1], seed(), CONTEXT, call())
    const gone = () => ({ ...call(), signal: AbortSignal.abort(new Error('deadline')) })
    const before = await everyCall(provider, keys, row, gone)
    await provider.close()
    return { before, closed: await everyCall(provider, keys, row, call) }
  },
  'the wrong credentials': async () => {
    const keys: [string, string] = [ref(subject, 'treasury'), ref(subject, 'wrapping')]
    const row = await withProvider(subject, provider => provider.wrap(keys[1], seed(), CONTEXT, call()))
    return withProvider(subject, each => everyCall(each, keys, row, call), 'wrong-credentials')
  },
})

/** What the wire does to an answer; the emulator does it to every call about the key of that name. */
export const faultCases = (subject: Subject): Cases => ({
  ...Object.fromEntries(
    FAULTY_KEYS.map(name => [
      `R-14 ${name}`,
      () =>
        withProvider(subject, async provider => ({
          describe: await seen(async () => (await provider.describe(ref(subject, name), call())).publicKey),
          sign: await verdict(provider, ref(subject, name), ED25519, devPublicKey(name), call()),
        })),
    ]),
  ),
  'R-14 given up while the request is on its way': async () => {
    const { fetch, next } = interrupted(subject.world)
    const provider = await subject.open('right', fetch)
    const keys: [string, string] = [ref(subject, 'treasury'), ref(subject, 'wrapping')]
    // Logs in, where there is something to log in to: what is interrupted then is the call itself.
    const row = await provider.wrap(keys[1], seed(), CONTEXT, call())
    const told = await everyCall(provider, keys, row, next)
    await provider.close()
    return told
  },
})

/**
 * Reading and signing where nobody listens, told apart from the suite: only a runtime that says that a connection was
 * refused lets us say that nothing was signed.
 */
export const codesNowhere = (subject: Subject): Promise<readonly unknown[]> =>
  withProvider(
    subject,
    async provider => [
      await codeOf(() => provider.describe(ref(subject, 'treasury'), call())),
      await codeOf(() => provider.sign(ref(subject, 'treasury'), ED25519, call())),
    ],
    'nowhere',
  )

const codeOf = async (run: () => unknown): Promise<unknown> => ((await outcome(run)) as { error?: unknown }).error
