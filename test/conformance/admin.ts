/** The contract of `KeyAdmin` as a suite: what every service does, what it cannot do, and what is left when it fails half-way. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { digest32 } from '../../src/domain/brands.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import type { ImportKey, KeyRef, Scheme, SignInput } from '../../src/domain/provider.ts'
import { SCHEMES } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { everyText, refusal, spellings } from '../support/leaks.ts'
import { call } from '../support/provider-world.ts'
import type { AdminSubject } from './admin-subjects.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const MESSAGE = sha256(new TextEncoder().encode('an administered key'))
export const sampleOf = (scheme: Scheme): SignInput =>
  scheme === 'ed25519' ? { scheme, message: MESSAGE } : { scheme, digest: digest32(MESSAGE) }
export const publicKeyOf = (scheme: Scheme, key: Uint8Array): Uint8Array =>
  scheme === 'ed25519' ? ed25519.getPublicKey(key) : secp256k1.getPublicKey(key, false)

let drawn = 0
/** A fresh key, and all the spellings in which it might leak. */
export function fresh(scheme: Scheme, more: Partial<ImportKey> = {}) {
  const raw = crypto.getRandomValues(new Uint8Array(32))
  const what: ImportKey = {
    scheme,
    label: `import-${++drawn}`,
    key: new SecretBytes(raw.slice(), 'imported key'),
    publicKey: publicKeyOf(scheme, raw),
    ...more,
  }
  return { raw, what, canaries: spellings(raw) }
}

export const verifies = (scheme: Scheme, signature: Uint8Array, publicKey: Uint8Array): boolean =>
  scheme === 'ed25519'
    ? ed25519.verify(signature, MESSAGE, publicKey)
    : secp256k1.verify(signature, MESSAGE, publicKey, { prehash: false })

export function adminConformance(name: string, open: () => Promise<AdminSubject>): void {
  describe(`${name}: administration`, { timeout: 60_000 }, () => {
    let subject: AdminSubject
    before(async () => {
      subject = await open()
    })
    after(() => subject?.close())
    const sign = (key: KeyRef, scheme: Scheme) => subject.provider.sign(key, sampleOf(scheme), call())

    for (const scheme of SCHEMES) {
      test(`M-60 M-66 ${scheme}: an imported key signs as its own seed does, or the import is refused before anything is sent`, async () => {
        const { admin, imports, canaries } = subject
        const added = await addedTo(subject)
        const { raw, what, canaries: own } = fresh(scheme)
        if (!imports.includes(scheme)) {
          await refusal(admin.importKey(what, call()), 'key/unsupported', [...canaries, ...own])
          assert.deepEqual(await added(), [])
          return
        }
        // What wraps the key knows no schemes: one of them shows the other way of wrapping.
        const both = scheme === 'ed25519' && (LONG || subject.through !== undefined)
        for (const wrap of both ? subject.wraps : (['rsa-aes'] as const)) {
          const facts = await admin.importKey({ ...what, label: `${what.label}-${wrap}`, wrap }, call())
          assert.equal(facts.scheme, scheme)
          assert.equal(toHex(facts.publicKey), toHex(what.publicKey))
          if (subject.usable !== undefined)
            assert.equal((await added()).length, 1, 'what is looked at behind its back shows it')
          assert.deepEqual(await subject.provider.describe(facts.reference, call()), facts)
          const { signature } = await sign(facts.reference, scheme)
          assert.ok(verifies(scheme, signature, what.publicKey))
          if (scheme === 'ed25519') assert.equal(toHex(signature), toHex(ed25519.sign(MESSAGE, raw)))
          await admin.scheduleDestroy(facts.reference, { days: subject.days.granted }, call())
        }
        assert.equal(what.key.wiped, false, 'the key is the caller’s to wipe')
        assert.deepEqual(await added(), [])
      })

      test(`M-62 ${scheme}: a disabled key signs no more until it is enabled, and repeating either does no harm`, async () => {
        const { admin, provider } = subject
        if (!provider.can.native.includes(scheme)) return
        // Where a version is stopped by making another, an imported key must have leave to.
        const apart = scheme === 'ed25519' && (LONG || subject.imports.length === 1)
        const imported = apart ? [await admin.importKey(fresh(scheme).what, call())] : []
        for (const { reference, publicKey } of [await admin.create({ scheme, label: 'state' }, call()), ...imported]) {
          for (let round = 0; round < 2; round++) {
            await admin.disable(reference, call())
            await admin.disable(reference, call())
            await refusal(sign(reference, scheme), 'provider/refused', subject.canaries)
            await admin.enable(reference, call())
            await admin.enable(reference, call())
            assert.ok(verifies(scheme, (await sign(reference, scheme)).signature, publicKey))
          }
        }
      })

      test(`M-60 ${scheme}: a key that is given up signs no more, at a day the service grants; others are refused`, async () => {
        const { admin, provider, days } = subject
        if (!provider.can.native.includes(scheme)) return
        const { reference } = await admin.create({ scheme, label: 'end' }, call())
        for (const refused of days.refused) {
          await refusal(
            admin.scheduleDestroy(reference, { days: refused }, call()),
            'key/unsupported',
            subject.canaries,
          )
        }
        await sign(reference, scheme)
        const from = Date.now()
        const { at } = await admin.scheduleDestroy(reference, { days: days.granted }, call())
        if (days.granted > 0) assert.ok(at !== undefined && at - from > (days.granted - 0.01) * 86_400_000)
        await refusal(sign(reference, scheme), 'provider/refused', subject.canaries)
        await refusal(admin.enable(reference, call()), 'provider/refused', subject.canaries)
        const again = await admin.scheduleDestroy(reference, { days: days.granted }, call())
        assert.deepEqual(again, days.granted === 0 ? { absent: true } : { at })
        // One that was stopped before it is given up, as a revoked one is.
        const stopped = await admin.create({ scheme, label: 'stopped' }, call())
        await admin.disable(stopped.reference, call())
        for (const _ of [1, 2]) {
          const told = await admin.scheduleDestroy(stopped.reference, { days: days.granted }, call())
          assert.equal(told.at !== undefined, days.granted > 0)
        }
        await refusal(sign(stopped.reference, scheme), 'provider/refused', subject.canaries)
      })
    }

    test('M-60 M-66 a key of another address is refused, and what the service then holds signs nothing', async () => {
      for (const scheme of LONG ? subject.imports : (['ed25519'] as const)) {
        const other = fresh(scheme).what.publicKey
        const { what, canaries } = fresh(scheme, { publicKey: other })
        const added = await addedTo(subject)
        // Of a secp256k1 key the service sees both halves, and may refuse them before we do.
        const codes = ['key/mismatch', ...(scheme === 'ed25519' ? [] : ['provider/refused' as const])] as const
        await refusal(subject.admin.importKey(what, call()), codes, [...subject.canaries, ...canaries])
        assert.deepEqual(await added(), [])
      }
    })

    test('M-60 what is no key, no scheme, no label, no wrapping is refused', async () => {
      const { admin, canaries } = subject
      const { what } = fresh('ed25519')
      for (const bent of [
        { ...what, scheme: 'rsa' as Scheme },
        { ...what, wrap: 'rsa-pkcs1' as 'rsa-oaep' },
        { ...what, key: new SecretBytes(new Uint8Array(31), 'short') },
        { ...what, publicKey: new Uint8Array(33) },
      ]) {
        await refusal(admin.importKey(bent, call()), 'key/unsupported', canaries)
      }
      for (const wrap of (['rsa-aes', 'rsa-oaep'] as const).filter(each => !subject.wraps.includes(each))) {
        await refusal(admin.importKey({ ...what, wrap }, call()), 'key/unsupported', canaries)
      }
    })

    test('M-62 references that lead nowhere are refused by every method', async () => {
      for (const reference of ['', 'nobody', '../sys/seal', 'alias/treasury', '__proto__']) {
        for (const asked of [
          subject.admin.disable(reference, call()),
          subject.admin.enable(reference, call()),
          subject.admin.scheduleDestroy(reference, { days: subject.days.granted }, call()),
        ]) {
          await refusal(asked, 'provider/refused', subject.canaries)
        }
      }
    })

    test('M-60 a key that is not there any more is said to be absent, where the service forgets keys', async () => {
      const { admin, forgotten, days, canaries } = subject
      if (forgotten === undefined) return
      const asked = admin.scheduleDestroy(forgotten.reference, { days: days.granted }, call())
      if (forgotten.told === 'absent') assert.deepEqual(await asked, { absent: true })
      else await refusal(asked, 'provider/refused', canaries)
    })

    test('a call that was given up before it began does nothing', async () => {
      const gone = () => call(AbortSignal.abort(new Error('deadline')))
      const { what, canaries } = fresh('ed25519')
      await refusal(subject.admin.importKey(what, gone()), 'provider/unavailable', canaries)
      const { reference } = await subject.admin.create({ scheme: 'ed25519', label: 'gone' }, call())
      await refusal(subject.admin.disable(reference, gone()), 'provider/unavailable')
      await refusal(
        subject.admin.scheduleDestroy(reference, subject.days.granted === 0 ? { days: 0 } : { days: 7 }, gone()),
        'provider/unavailable',
      )
      await sign(reference, 'ed25519')
    })

    faults(() => subject)
  })
}

/**
 * `unsent`: the request never arrives. `unheard`: it takes effect and the answer is lost. `broken`: something between answers
 * 502. `hollow`: it takes effect, and the answer says nothing. The emulator makes an RSA key for most imports, so the last two
 * wait for the long run where that costs anything.
 */
const FAULTS = ['unsent', 'unheard', 'broken', 'hollow'] as const

function faults(subject: () => AdminSubject): void {
  /** How many requests an import is, counted once. */
  let requests = 0
  const skip = 'nothing goes through fetch here'

  for (const fault of FAULTS) {
    test(`M-60 M-66 ${fault} at each call of an import in turn: no half-imported key is left that signs`, async context => {
      const { through, canaries, imports, admin } = subject()
      if (through === undefined) return context.skip(skip)
      const quick = imports.length === 1 || fault === 'unsent' || fault === 'unheard'
      if (!LONG && !quick) return context.skip('in the long run')
      requests ||= await counted(subject())
      assert.ok(requests >= 4, `${requests} requests an import`)
      const added = await addedTo(subject())
      // Before the import itself nothing can be left that signs: for services where every try costs a key, the long run looks.
      const first = LONG || imports.length === 1 ? 1 : requests - 1
      for (let nth = first; nth <= requests; nth++) {
        const { fetch } = striking(fault, nth)
        const { what, canaries: own } = fresh('ed25519')
        const error = await caught((await through(fetch)).importKey(what, call()))
        if (error === undefined && fault === 'hollow') {
          // An answer that nothing was wanted from: the key is there, and was looked at.
          for (const left of await added()) await admin.scheduleDestroy(pinnedOf(left), { days: 0 }, call())
          continue
        }
        assert.ok(isSignerError(error) && /^(provider|key)\//.test(error.code), String(error))
        const text = everyText(error)
        for (const secret of [...canaries, ...own]) assert.ok(!text.includes(secret), 'a secret shows')
        assert.deepEqual(await added(), [], `left after ${fault} at request ${nth}`)
      }
    })
  }

  test('M-60 when not even cleaning up goes through, the error names what is left and is not to be tried again', async context => {
    const { through, admin } = subject()
    if (through === undefined) return context.skip(skip)
    requests ||= await counted(subject())
    const added = await addedTo(subject())
    // The import is done, and from the look at it on nothing arrives any more.
    const { fetch } = striking('unsent', requests, Number.POSITIVE_INFINITY)
    const error = await caught((await through(fetch)).importKey(fresh('ed25519').what, call()))
    const [left = 'nothing'] = await added()
    assert.ok(isSignerError(error))
    assert.equal(error.code, 'provider/ambiguous')
    assert.ok(error.message.includes(left), error.message)
    await admin.scheduleDestroy(pinnedOf(left), { days: 0 }, call())
    assert.deepEqual(await added(), [])
  })
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason ?? 'nothing',
  )

async function counted({ through, admin }: AdminSubject): Promise<number> {
  const { fetch, seen } = striking('unsent', Number.POSITIVE_INFINITY)
  const made = await through?.(fetch)
  const count = made?.importKey(fresh('ed25519').what, call()).then(async ({ reference }) => {
    await admin.scheduleDestroy(reference, { days: 0 }, call())
    return seen()
  })
  return (await count) ?? 0
}

/** @returns what would sign by now and did not when this was called. */
async function addedTo({ usable }: AdminSubject): Promise<() => Promise<readonly string[]>> {
  const known = new Set(await usable?.())
  return async () => ((await usable?.()) ?? []).filter(each => !known.has(each))
}

/** Vault lists names. */
const pinnedOf = (listed: string): KeyRef => (/[/:]/.test(listed) ? listed : `transit/${listed}@1`)

function striking(fault: (typeof FAULTS)[number], nth: number, last = nth) {
  let seen = 0
  const fetch: Fetch = async (url, init) => {
    seen++
    if (seen < nth || seen > last) return globalThis.fetch(url, init)
    if (fault === 'unsent') throw Object.assign(new TypeError('refused'), { code: 'ECONNREFUSED' })
    if (fault === 'broken') return new Response('bad gateway', { status: 502 })
    const answer = await globalThis.fetch(url, init)
    await answer.arrayBuffer()
    if (fault === 'hollow') return new Response('{}', { headers: answer.headers })
    throw new TypeError('the connection broke')
  }
  return { fetch, seen: () => seen }
}
