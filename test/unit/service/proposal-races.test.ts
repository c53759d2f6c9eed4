/** One proposal, many who execute it at once, in one process or several: it is executed once, and it is what was proposed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Account, Asset, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { type Caller } from '../../../src/access/authorize.ts'
import { parseScopes } from '../../../src/access/scopes.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { createProposals, PROPOSAL_TIMES, type Proposals } from '../../../src/service/proposals/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { settle } from '../../support/audit-world.ts'
import { type Ledger, openLedger } from '../../support/ledger.ts'
import { openRig } from '../../support/rig.ts'
import { closeStore } from '../store/store-suite.ts'

/** The other runtimes run the same code; the whole number is run once. */
const FEW = process.versions['bun'] === undefined
const ROUNDS = process.env['COUNTERSIGN_TEST_LONG'] === '1' ? 20_000 : FEW ? 50 : 1_000
const REPLICA_ROUNDS = 40
const LIMIT_MS = 600_000
const CALLERS = 5
/** One in so many rounds, whoever has it is slower than its lease. */
const SLOW = 10

const CALLER = { subject: 'tester', tokenId: 't', scope: '', issuedAt: 0, expiresAt: Number.MAX_SAFE_INTEGER }
const SIGNER = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(7))
const ADDRESS = SIGNER.publicKey()

function transaction(round: number) {
  const tx = new TransactionBuilder(new Account(ADDRESS, String(round)), {
    fee: '100',
    networkPassphrase: Networks.TESTNET,
  })
    .addOperation(Operation.payment({ destination: ADDRESS, asset: Asset.native(), amount: '1' }))
    .setTimeout(0)
    .build()
  return { hash: toHex(tx.hash()), envelope: tx.toXDR(), signature: toBase64(Uint8Array.from(SIGNER.sign(tx.hash()))) }
}

async function races(stores: readonly Store[], rounds: number): Promise<void> {
  const rig = await openRig({ log: 'memory' })
  const caller: Caller = { ...CALLER, scopes: parseScopes('submit:* read:*') }
  const signing = { ...rig.room.deps, authenticate: async () => caller }
  const ledger: Ledger = openLedger([], false)
  const processes: Proposals[] = stores.map(store =>
    createProposals({
      signing,
      store: store.proposals,
      network: () => ledger,
      times: PROPOSAL_TIMES,
      tells: true,
    }),
  )
  const asking = { authorization: 'x', requestId: 'r_1', peer: '127.0.0.1', body: new Uint8Array() }
  const submissions = new Map<string, number>()
  let late = 0
  for (let round = 1; round <= rounds; round++) {
    const { hash, envelope, signature } = transaction(round)
    const id = `p_${round.toString(16).padStart(32, '0')}`
    const now = rig.clock.now()
    const [{ proposals }] = stores as readonly [Store]
    await proposals.open({
      ...{ id, network: 'testnet', hash, envelope, summary: 's', keys: ['treasury'], proposedBy: 'tester' },
      needed: [{ account: ADDRESS, threshold: 1, signers: [{ key: ADDRESS, weight: 1 }] }],
      ...{ proposedAt: now, expiresAt: now + 1_000_000 },
    })
    await proposals.collect(id, { signer: ADDRESS, signature, key: null, by: 'tester', at: now }, now)
    const isSlow = round % SLOW === 0
    let taken = 0
    ledger.before = async sent => {
      assert.equal(sent, hash, 'what is sent is what was proposed')
      submissions.set(hash, (submissions.get(hash) ?? 0) + 1)
      await settle()
      if (isSlow && ++taken === 1) {
        rig.clock.advance(PROPOSAL_TIMES.leaseMs)
        const other = processes[round % processes.length] as Proposals
        await other.execute({ ...asking, id })
      }
      return undefined
    }
    const request = { ...asking, id }
    const answers = await Promise.allSettled(
      Array.from({ length: CALLERS }, (_, n) => (processes[n % processes.length] as Proposals).execute(request)),
    )
    for (const answer of answers) {
      if (answer.status === 'fulfilled') assert.equal(answer.value.answer.state, 'executed')
      else assert.ok(isSignerError(answer.reason) && answer.reason.code === 'proposal/conflict', String(answer.reason))
    }
    const won = answers.filter(({ status }) => status === 'fulfilled').length
    if (isSlow) late++
    else assert.ok(won >= 1, `round ${round}: nobody has executed it`)
    assert.deepEqual(
      stores.map(() => 'executed'),
      await Promise.all(stores.map(async store => (await store.proposals.find(id))?.state)),
    )
    if (!isSlow) assert.equal(submissions.get(hash), 1, `round ${round}`)
  }
  assert.equal(ledger.submitted.length, rounds, 'each is in the ledger once')
  assert.equal(new Set(ledger.submitted.map(({ hash }) => hash)).size, rounds)
  assert.ok(ledger.submitted.every(({ accepted }) => accepted))
  const ended = new Map<string, number>()
  for (;;) {
    const told = (await stores[0]?.notices.take(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 100)) ?? []
    for (const { id } of told) ended.set(id, (ended.get(id) ?? 0) + 1)
    if (told.length < 100) break
    for (const { id } of told) await stores[0]?.notices.end(id)
  }
  assert.equal(ended.size, rounds, 'each is told once')
  console.log(`# ${rounds} rounds of ${CALLERS}, ${late} with a lease that ended: executed once each`)
}

test(`M-26 ${ROUNDS} races in memory: executed exactly once, and as proposed`, { timeout: LIMIT_MS }, async () => {
  const store = openMemoryStore()
  await races([store, store, store], ROUNDS)
})

test(`M-26 ${ROUNDS} races of two processes on SQLite: executed exactly once, and as proposed`, {
  timeout: LIMIT_MS,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cs-proposals-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const [path, clock] = [join(directory, 'store.db'), { now: () => 1_000_000 }]
  const stores = [await openSqliteStore({ path, clock }), await openSqliteStore({ path, clock, role: 'guest' })]
  await races(stores, ROUNDS)
  for (const store of stores) store.close()
})

if (!FEW) {
  test(`M-26 ${REPLICA_ROUNDS} races of two replicas on PostgreSQL: executed exactly once`, {
    timeout: LIMIT_MS,
  }, async t => {
    const { skip, world } = await import('../store/postgres-world.ts')
    if (skip !== undefined) return t.skip(skip)
    const { open, empty } = world('proposals')
    await empty()
    const stores = [await open('one'), await open('two')]
    await races(stores, REPLICA_ROUNDS)
    for (const store of stores) await closeStore(store)
  })
}
