import assert from 'node:assert/strict'
import { SignerError } from '../../../src/domain/errors.ts'
import type { Alone } from '../../../src/domain/ports.ts'
import type { Store } from '../../../src/store/store.ts'
import { spendOf, spends } from './claims-suite.ts'
import { sampleAdmin, sampleProposal } from './gateway-suite.ts'
import { collected, newProposal } from './proposals-suite.ts'
import { sampleAddition, sampleEntry, sampleResult } from './samples.ts'
import { closeStore, type Testing } from './store-suite.ts'

export interface Rounds {
  readonly claims: number
  readonly reservations: number
  readonly others: number
}

const HOUR = 3_600_000

/** Two handles on one store, as two replicas or two processes have them. `open` gives an empty one, twice. */
export function raceSuite(
  name: string,
  open: () => Promise<readonly [Store, Store]>,
  rounds: Rounds,
  test: Testing,
): void {
  const using = async (body: (stores: readonly [Store, Store]) => Promise<void>) => {
    const stores = await open()
    try {
      await body(stores)
    } finally {
      for (const store of stores) await closeStore(store)
    }
  }
  const storeOf = (stores: readonly [Store, Store], n: number) => stores[n % 2 === 0 ? 0 : 1]

  test(`${name} T58: ${rounds.claims} rounds of 100 callers: a cap is never exceeded, and nothing is counted twice`, () =>
    using(async stores => {
      for (let round = 0; round < rounds.claims; round++) {
        const counter = `round-${round}`
        const entry = (n: number) => sampleEntry({ key: `${round}-${n}`, at: 1_000 })
        const claim = (n: number) =>
          storeOf(stores, n).claims.claim(entry(n), spends(spendOf(BigInt(1 + (n % 3)), { counter, limit: 50n })))
        const callers = Array.from({ length: 100 }, (_, n) => n)
        const answers = await Promise.all(callers.map(claim))
        const winners = callers.filter(n => answers[n]?.kind === 'claimed')
        const sum = winners.reduce((all, n) => all + 1 + (n % 3), 0)
        assert.ok(sum >= 48 && sum <= 50, `round ${round}: ${sum}`) // whoever was refused wanted at most 3
        const used = () => stores[1].claims.used([{ counter, windowMs: HOUR }], 1_000)
        assert.deepEqual(await used(), [BigInt(sum)])
        // The winners come again, through the other replica: a retry takes nothing.
        if (round % 10 === 0) {
          const again = await Promise.all(
            winners.map(n =>
              storeOf(stores, n + 1).claims.claim(
                entry(n),
                spends(spendOf(BigInt(1 + (n % 3)), { counter, limit: 50n })),
              ),
            ),
          )
          assert.ok(again.every(({ kind }) => kind === 'claimed'))
          assert.deepEqual(await used(), [BigInt(sum)])
        }
      }
    }))

  test(`${name} T58: ${rounds.others} rounds of 20 claims over several counters in any order end, and take all or nothing`, () =>
    using(async stores => {
      const names = ['x', 'y', 'z']
      for (let round = 0; round < rounds.others; round++) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, n) => {
            const order = n % 2 === 0 ? names : names.toReversed()
            const wanted = order.map(each => spendOf(1n, { counter: `${each}-${round}`, limit: 7n }))
            return storeOf(stores, n).claims.claim(sampleEntry({ key: `${round}-${n}` }), spends(...wanted))
          }),
        )
        assert.equal(answers.filter(({ kind }) => kind === 'claimed').length, 7)
        const counters = names.map(each => ({ counter: `${each}-${round}`, windowMs: HOUR }))
        assert.deepEqual(await stores[0].claims.used(counters, sampleEntry().at), [7n, 7n, 7n])
      }
    }))

  test(`${name}: ${rounds.others} rounds of 20 transactions for one place: one gets it`, () =>
    using(async stores => {
      for (let round = 0; round < rounds.others; round++) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, n) => {
            const slot = { slot: `place-${round}`, hash: `h${n}`, effects: `e${n}`, fee: BigInt(n) }
            return storeOf(stores, n).claims.claim(sampleEntry({ key: `${round}-${n}` }), { spends: [], slot })
          }),
        )
        assert.equal(answers.filter(({ kind }) => kind === 'claimed').length, 1)
      }
    }))

  test(`${name} M-51 T58: ${rounds.reservations} rounds of 10 callers: one reserves, and its answer is everybody's`, () =>
    using(async stores => {
      for (let round = 0; round < rounds.reservations; round++) {
        const entry = sampleEntry({ key: `order-${round}` })
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, n) => storeOf(stores, n).idempotency.reserve(entry)),
        )
        const won = answers.findIndex(({ kind }) => kind === 'reserved')
        assert.equal(answers.filter(({ kind }) => kind === 'reserved').length, 1, `round ${round}`)
        assert.equal(answers.filter(({ kind }) => kind === 'in-flight').length, 9, `round ${round}`)
        if (round % 100 !== 0) continue
        await storeOf(stores, won).idempotency.complete(entry, sampleResult())
        const replay = await storeOf(stores, won + 1).idempotency.reserve(entry)
        assert.deepEqual(replay, { kind: 'replay', result: sampleResult() })
      }
    }))

  test(`${name} M-42: ${rounds.others} rounds of two who disable one another at once: one is left`, () =>
    using(async stores => {
      const [{ admins }, other] = stores
      await admins.add(sampleAdmin('GA'))
      await admins.add(sampleAdmin('GB'))
      for (let round = 0; round < rounds.others; round++) {
        const answers = await Promise.allSettled([
          admins.change('GA', { active: false, at: round }),
          other.admins.change('GB', { active: false, at: round }),
        ])
        assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
        assert.equal((await other.admins.list()).filter(({ active }) => active).length, 1)
        for (const address of ['GA', 'GB']) await admins.change(address, { active: true, at: round })
      }
    }))

  test(`${name} M-26: ${rounds.others} rounds of 20 who take one proposal: one has it, and signatures of 20 signers all count`, () =>
    using(async stores => {
      for (let round = 0; round < rounds.others; round++) {
        const [id, hash] = [`p${round}`, String(round).padStart(64, '0')]
        const twenty = Array.from({ length: 20 }, (_, n) => n)
        const opened = await Promise.allSettled(
          twenty.map(n => storeOf(stores, n).proposals.open(newProposal(`${id}-${n}`, { hash }))),
        )
        assert.equal(opened.filter(({ status }) => status === 'fulfilled').length, 1, 'one waits for the transaction')
        const won = `${id}-${opened.findIndex(({ status }) => status === 'fulfilled')}`
        if (round % 10 === 0) {
          await Promise.all(twenty.map(n => storeOf(stores, n).proposals.collect(won, collected(`G${n}`), 2_000)))
          assert.equal((await stores[0].proposals.find(won))?.signatures.length, 20)
        }
        const taken = await Promise.all(
          twenty.map(n => storeOf(stores, n).proposals.take(won, { now: 2_000, leaseUntil: 3_000 + n })),
        )
        assert.deepEqual(taken.map(each => each !== undefined).filter(Boolean), [true])
      }
    }))

  test(`${name} T31: ${rounds.others} rounds of two names for one public key at once: one has it, and the other hears whose it is`, () =>
    using(async stores => {
      const alone =
        (name: string): Alone =>
        others => {
          const other = others.find(({ key }) => key.name !== name)
          if (other !== undefined) throw new SignerError('key/exists', { key: name, reason: other.key.name })
        }
      for (let round = 0; round < rounds.others; round++) {
        const publicKey = new Uint8Array(32).fill(1)
        new DataView(publicKey.buffer).setUint32(0, round)
        const add = (n: number) => {
          const name = `r${round}-${n}`
          const addition = sampleAddition(name)
          const version = { ...addition.version, publicKey }
          const { keys } = storeOf(stores, n)
          // Every second one by way of a next version of another key.
          if ((round + n) % 2 === 0) return keys.add({ ...addition, version, alone: alone(name) })
          const next = { ...version, version: 2, state: 'pending' } as const
          const binding = { ...addition.binding, id: `${name}-2`, version: 2, reference: 'elsewhere' }
          return keys.add(addition).then(() => keys.addVersion({ version: next, binding, alone: alone(name) }))
        }
        const done = await Promise.allSettled([add(0), add(1)])
        const won = done.findIndex(({ status }) => status === 'fulfilled')
        const lost = done.flatMap(each => (each.status === 'rejected' ? [each.reason] : []))
        assert.equal(lost.length, 1, `round ${round}`)
        assert.deepEqual(
          [lost[0]?.code, lost[0]?.detail],
          ['key/exists', { key: `r${round}-${1 - won}`, reason: `r${round}-${won}` }],
        )
        for (const store of stores) {
          assert.deepEqual(
            (await store.keys.holding({ publicKey })).map(({ key }) => key.name),
            [`r${round}-${won}`],
          )
        }
      }
    }))

  test(`${name}: a policy that one puts in force is in force for the other at once`, () =>
    using(async stores => {
      await stores[0].keys.add(sampleAddition('treasury'))
      for (let round = 0; round < 10; round++) {
        const [one, other] = [storeOf(stores, round), storeOf(stores, round + 1)]
        const { policyHash = '' } = (await other.keys.resolve('treasury'))?.key ?? {}
        const toText = `{"round":${round}}`
        await one.changes.propose({ ...sampleProposal(`p${round}`, toText), fromHash: policyHash })
        await other.changes.activate(`p${round}`, 2_000)
        assert.equal((await one.keys.resolve('treasury'))?.key.policy, toText)
        assert.equal((await other.keys.resolve('treasury'))?.key.policy, toText)
      }
    }))

  test(`${name}: ${rounds.others} rounds of 20 who use one challenge at once, and a revocation that holds at once`, () =>
    using(async stores => {
      for (let round = 0; round < rounds.others; round++) {
        await stores[0].challenges.issue(`c${round}`, 2_000)
        const uses = await Promise.all(
          Array.from({ length: 20 }, (_, n) => storeOf(stores, n).challenges.use(`c${round}`, 1_000)),
        )
        assert.equal(uses.filter(Boolean).length, 1)
        await storeOf(stores, round).tokens.revoke(`t${round}`, 1_000, 2_000)
        assert.equal(await storeOf(stores, round + 1).tokens.isRevoked(`t${round}`), true)
      }
    }))
}
