/** A data plane with an operator, two vault administrators and a payer, on the stub network: revoking vested grants in batches. */
import { Keypair } from '@stellar/stellar-sdk/base'
import type { TransactionTemplate } from '../../src/domain/transactions.ts'
import { transactionRoutes } from '../../src/http/routes-transactions.ts'
import type { PolicyDocument } from '../../src/policy/index.ts'
import { openTransactions, Turns } from '../../src/service/transactions/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { testKey } from '../fuzz/xdr-corpus.ts'
import { watch } from './audit-world.ts'
import { openRig, type Rig, type RigOptions } from './rig.ts'
import {
  contractOf,
  openStubNetwork,
  STUB_HORIZON,
  STUB_RPC,
  stubbedTestnet,
  type StubNetwork,
  type StubOptions,
} from './stub-network.ts'

export const BATCH = contractOf(1)
export const VAULT_A = contractOf(2)
export const VAULT_B = contractOf(3)
export const BENEFICIARY = testKey('beneficiary').publicKey()

const SEEDS = { 'admin-a': 0x41, 'admin-b': 0x42, operator: 0x43, payer: 0x44 } as const
export type KeyLabel = keyof typeof SEEDS
export const seedOf = (key: KeyLabel): Uint8Array => new Uint8Array(32).fill(SEEDS[key])
export const addressOf = (key: KeyLabel): string => Keypair.fromRawEd25519Seed(seedOf(key)).publicKey()

export const EVERY_RIGHT = ['sign:*', 'explain:*', 'submit:*', 'read:*']

export interface RevocationWorld {
  readonly rig: Rig
  readonly store: Store
  readonly stub: StubNetwork
  /** What is still revocable, by beneficiary. */
  readonly vaults: { readonly a: Map<string, bigint>; readonly b: Map<string, bigint> }
  post(
    path: string,
    body: object,
    over?: { readonly key?: string | undefined; readonly token?: string },
  ): Promise<Response>
  get(path: string, token?: string): Promise<Response>
  /** Lets time pass in steps until it is done: polls and deadlines wait for the clock. */
  pass<T>(work: Promise<T>, stepMs?: number): Promise<T>
}

export interface WorldOptions {
  readonly stub?: Partial<StubOptions>
  readonly rig?: RigOptions
  readonly store?: Store
  readonly templates?: readonly TransactionTemplate[]
  /** `horizon`: by Horizon alone, which cannot simulate. */
  readonly by?: 'rpc' | 'horizon' | 'both'
  readonly policy?: (key: KeyLabel) => PolicyDocument
  /** Instead of the stub in this process: a stub on loopback. */
  readonly urls?: { readonly rpcUrl: string; readonly horizonUrl: string }
  /** Another plane on the same network. */
  readonly network?: StubNetwork
  /** The last closed ledger, as the network was heard of; nobody knows unless told. */
  readonly ledger?: number
}

export const batchTemplate = (change: Partial<TransactionTemplate> = {}): TransactionTemplate => ({
  name: 'batch-revoke',
  network: 'testnet',
  contract: BATCH,
  function: 'batch_revoke',
  source: 'operator',
  arguments: [
    {
      name: 'revocations',
      as: 'argument',
      shape: {
        type: 'vec',
        minLength: 1,
        maxLength: 10,
        items: {
          type: 'struct',
          fields: [
            { name: 'vault', shape: { type: 'address', oneOf: [VAULT_A, VAULT_B], signer: false } },
            { name: 'beneficiary', shape: { type: 'address', signer: false } },
            { name: 'amount', shape: { type: 'i128', min: 1n, max: 1_000_000n } },
            { name: 'signer', shape: { type: 'address', signer: true } },
          ],
        },
      },
    },
  ],
  signers: new Map([
    [addressOf('admin-a'), 'admin-a'],
    [addressOf('admin-b'), 'admin-b'],
  ]),
  authorizes: [VAULT_A, VAULT_B].map(contract => ({ contract, functions: ['revoke'] })),
  maxFee: 10_000,
  maxResourceFee: 1_000_000,
  validSeconds: 300,
  ...change,
})

/** One vault a transaction: the argument says which contract is called. */
export const vaultTemplate = (change: Partial<TransactionTemplate> = {}): TransactionTemplate => {
  const { contract: _, ...rest } = batchTemplate({
    name: 'vault-revoke',
    function: 'revoke',
    arguments: [
      { name: 'vault', as: 'contract', shape: { type: 'address', oneOf: [VAULT_A, VAULT_B], signer: false } },
      { name: 'beneficiary', as: 'argument', shape: { type: 'address', signer: false } },
      { name: 'amount', as: 'argument', shape: { type: 'i128', min: 1n, max: 1_000_000n } },
      { name: 'signer', as: 'signer', shape: { type: 'address', signer: true } },
    ],
    authorizes: [],
  })
  return { ...rest, ...change }
}

/** The calls of both templates, and nothing else. */
export const revocationPolicy = (change: Partial<PolicyDocument> = {}): PolicyDocument => ({
  version: 1,
  network: 'testnet',
  operations: ['invokeHostFunction'],
  fee: { maxStroops: '2000000' },
  timeBounds: { maxLifetimeSeconds: 600 },
  contracts: [
    { contract: BATCH, functions: ['batch_revoke'] },
    ...[VAULT_A, VAULT_B].map(contract => ({ contract, functions: ['revoke'] })),
  ],
  authorizations: { expiration: 'any', legacy: true },
  ...change,
})

export const revocation = (vault: 'a' | 'b', amount: string | number) => ({
  vault: vault === 'a' ? VAULT_A : VAULT_B,
  beneficiary: BENEFICIARY,
  amount,
  signer: addressOf(vault === 'a' ? 'admin-a' : 'admin-b'),
})

export async function openRevocations(options: WorldOptions = {}): Promise<RevocationWorld> {
  const { by = 'rpc', store = openMemoryStore(), policy = () => revocationPolicy() } = options
  const templates = options.templates ?? [batchTemplate(), vaultTemplate()]
  let stub: StubNetwork | undefined
  const labels = Object.keys(SEEDS) as KeyLabel[]
  const known = new Set((await store.keys.list()).map(({ key }) => key.name))
  const rig = await openRig({
    ...options.rig,
    store,
    keys: [
      ...labels
        .filter(name => !known.has(name))
        .map(name => ({ name, custody: 'envelope' as const, seed: seedOf(name), policy: policy(name) })),
      ...(options.rig?.keys ?? []),
    ],
    families: (room, world) => {
      stub = options.network ?? openStubNetwork({ now: world.clock.now, ...options.stub })
      const { rpcUrl, horizonUrl } = options.urls ?? { rpcUrl: STUB_RPC, horizonUrl: STUB_HORIZON }
      const network = stubbedTestnet(
        { fetch: options.urls === undefined ? stub.fetch : (input, init) => fetch(input, init), clock: world.clock },
        { ...(by === 'horizon' ? {} : { rpcUrl }), ...(by === 'rpc' ? {} : { horizonUrl }) },
      )
      const transactions = openTransactions({
        room: { ...room, reading: { ...room.reading, ledgerOf: () => options.ledger } },
        store: store.transactions,
        networks: new Map([['testnet', network]]),
        templates: new Map(templates.map(template => [template.name, template])),
        limits: { deadlineMs: 25_000, pollMs: 1_000 },
        turns: new Turns(),
      })
      return [transactionRoutes(transactions)]
    },
  })
  if (stub === undefined) throw new Error('no routes were asked for')
  const network = stub
  const vaults = { a: new Map([[BENEFICIARY, 500n]]), b: new Map([[BENEFICIARY, 500n]]) }
  if (options.network === undefined) {
    for (const name of labels) network.account(addressOf(name))
    network.batch(BATCH)
    network.vault(VAULT_A, { admin: addressOf('admin-a'), revocable: vaults.a })
    network.vault(VAULT_B, { admin: addressOf('admin-b'), revocable: vaults.b })
  }
  const good = await rig.token(EVERY_RIGHT)
  let count = 0
  return {
    rig,
    store,
    stub: network,
    vaults,
    post: (path, body, over = {}) => {
      const idempotencyKey = 'key' in over ? over.key : `transaction-${++count}`
      return rig.post(path, body, { idempotencyKey, token: over.token ?? good })
    },
    get: (path, token = good) => rig.http(path, { headers: { authorization: `Bearer ${token}` } }),
    pass: async (work, stepMs = 250) => {
      const watched = watch(work)
      while (watched.state === 'waiting') {
        await new Promise(resolve => setTimeout(resolve, 3)) // signatures take real time
        if (watched.state === 'waiting') rig.clock.advance(stepMs)
      }
      return work
    },
  }
}
