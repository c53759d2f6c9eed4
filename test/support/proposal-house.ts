/** A data plane with proposals, our keys `treasury` and `ops`, a person outside, and a network that counts as validators do. */
import assert from 'node:assert/strict'
import {
  Account,
  Asset,
  Keypair,
  Networks,
  Operation,
  type Transaction,
  TransactionBuilder,
} from '@stellar/stellar-sdk'
import type { QueuedNotice } from '../../src/domain/notices.ts'
import { proposalRoutes } from '../../src/http/routes-proposals.ts'
import {
  createProposals,
  PROPOSAL_TIMES,
  type Proposals,
  type ProposalView,
} from '../../src/service/proposals/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { settle } from './audit-world.ts'
import { account, type Ledger, openLedger } from './ledger.ts'
import { openRigWithOutages } from './outage.ts'
import { NOW, problemOf, type Rig, type RigOptions } from './rig.ts'

export const ACTOR = { subject: 'operator', peer: 'cli' }
export const BOB = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(3))
export const EVE = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(4))
const SCOPES = ['propose:*', 'sign:*', 'submit:*', 'read:*']

export type View = ProposalView & { readonly approvalId?: string; readonly results?: { key: string; status: number }[] }

export interface House {
  readonly rig: Rig
  readonly ledger: Ledger
  readonly proposals: Proposals
  readonly down: Set<string>
  readonly told: () => Promise<readonly QueuedNotice[]>
  addressOf(name: string): string
  ask(path: string, body?: object, over?: { token?: string; key?: string }): Promise<Response>
  get(path: string, token?: string): Promise<Response>
  open(tx: Transaction, more?: object): Promise<View>
  /** Everything that sleeps wakes, until the promise ends. */
  awake<T>(promise: Promise<T>): Promise<T>
}

/** `treasury` and `ops` of ours, and BOB: any two of them move the account of the treasury, all three close it. */
export async function openHouse(options: RigOptions & { readonly nodes?: false } = {}): Promise<House> {
  const ledger = openLedger()
  const store = options.store ?? openMemoryStore()
  const made: Proposals[] = []
  const { rig, down } = await openRigWithOutages({
    ...options,
    store,
    log: 'memory',
    keys: [{ name: 'ops' }, ...(options.keys ?? [])],
    families: room => {
      const network = () => (options.nodes === false ? undefined : ledger)
      const deps = { signing: room.deps, store: store.proposals, network, times: PROPOSAL_TIMES, tells: true }
      made.push(createProposals(deps))
      return made.map(proposalRoutes)
    },
  })
  const addressOf = (name: string): string => rig.keys.get(name)?.version.address ?? assert.fail(name)
  const [treasury, ops, bob] = [addressOf('treasury'), addressOf('ops'), BOB.publicKey()]
  const signers = { [treasury]: 1, [ops]: 1, [bob]: 1 }
  ledger.accounts.set(treasury, account(treasury, signers, { low: 1, medium: 2, high: 3 }))
  let count = 0
  const ask: House['ask'] = async (path, body, over = {}) =>
    rig.post(path, body, {
      idempotencyKey: over.key ?? `k${++count}`,
      token: over.token ?? (await rig.token(SCOPES)),
    })
  return {
    ...{ rig, ledger, down, addressOf, ask },
    proposals: made[0] ?? assert.fail(),
    told: () => store.notices.take(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 100),
    get: async (path, token) =>
      rig.http(path, { headers: { authorization: `Bearer ${token ?? (await rig.token(SCOPES))}` } }),
    open: async (tx, more = {}) => {
      const response = await ask('/v1/proposals', { xdr: tx.toXDR(), keys: ['treasury', 'ops'], ...more })
      assert.equal(response.status, 202, await response.clone().text())
      return (await response.json()) as View
    },
    awake: async promise => {
      const progress = { ended: false }
      const done = promise.finally(() => {
        progress.ended = true
      })
      done.catch(() => {})
      while (!progress.ended) {
        for (let n = 0; n < 20 && !progress.ended; n++) await settle()
        if (!progress.ended) rig.clock.advance(1_000)
      }
      return done
    },
  }
}

export const payment = (
  { addressOf }: Pick<House, 'addressOf'>,
  over: { sequence?: string; minutes?: number } = {},
): Transaction =>
  new TransactionBuilder(new Account(addressOf('treasury'), over.sequence ?? '1'), {
    fee: '1000',
    networkPassphrase: Networks.TESTNET,
    timebounds: { minTime: 0, maxTime: over.minutes === 0 ? 0 : NOW / 1000 + (over.minutes ?? 60) * 60 },
  })
    .addOperation(Operation.payment({ destination: EVE.publicKey(), asset: Asset.native(), amount: '1' }))
    .build()

export const signedBy = (tx: Transaction, ...signers: readonly Keypair[]): string => {
  const copy = TransactionBuilder.fromXDR(tx.toXDR(), Networks.TESTNET) as Transaction
  copy.sign(...signers)
  return copy.toXDR()
}
export const missing = (view: ProposalView): number[] => view.accounts.map(each => each.missing)
export const json = async <T = View>(response: Promise<Response>): Promise<T> => {
  const answer = await response
  assert.ok(answer.status < 300, `${answer.status} ${await answer.clone().text()}`)
  return (await answer.json()) as T
}
export const refused = async (response: Promise<Response>) => {
  const answer = await response
  assert.ok(answer.status >= 400, `${answer.status} ${await answer.clone().text()}`)
  return problemOf(answer)
}
