/** A data plane on loopback with keys, templates and two networks, for programs that a user would copy. Bun only. */
import { Transaction } from 'ethers'
import { openMetadataKey } from '../../src/approvals/index.ts'
import { Secret } from '../../src/domain/secret.ts'
import { cosignRoutes } from '../../src/http/routes-cosign.ts'
import { publishedRoutes } from '../../src/http/routes-published.ts'
import { transactionRoutes } from '../../src/http/routes-transactions.ts'
import { demoEvmPolicy, type PolicyDocument } from '../../src/policy/index.ts'
import { cosign } from '../../src/service/cosign.ts'
import { createPublished } from '../../src/service/published.ts'
import { openTransactions, Turns } from '../../src/service/transactions/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { contractRpc } from './contract-rpc.ts'
import {
  addressOf,
  BATCH,
  batchTemplate,
  BENEFICIARY,
  type KeyLabel,
  revocationPolicy,
  seedOf,
  VAULT_A,
  VAULT_B,
} from './revocations.ts'
import { NOW, openRig, type Rig } from './rig.ts'
import { contractOf, openStubNetwork, stubbedTestnet, type StubNetwork } from './stub-network.ts'
import { metadataJwk } from '../unit/approvals/samples.ts'

export const ESCROW = contractOf(9)
export const PAYEE = BENEFICIARY

const TREASURY: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ['payment', 'invokeHostFunction'],
  fee: { maxStroops: '2000000' },
  feeBump: true,
  timeBounds: 'any',
  sources: 'any',
  payments: {
    destinations: [PAYEE],
    assets: [{ asset: 'native', maxPerOperation: '100', maxPerTransaction: '100' }],
  },
  contracts: [{ contract: ESCROW, functions: ['release'] }],
  authorizations: { expiration: 'any', legacy: true },
  approvals: [{ action: 'demo.release', audiences: ['payout-service'], maxLifetimeSeconds: 600 }],
}

const ADMINS: readonly KeyLabel[] = ['admin-a', 'admin-b', 'operator']

export interface ExamplesWorld {
  readonly rig: Rig
  readonly stub: StubNetwork
  readonly url: string
  readonly rpcUrl: string
  readonly ethUrl: string
  readonly addresses: { readonly treasury: string; readonly channel: string; readonly deployer: string }
  /** Raw transactions that the EVM node took. */
  readonly raw: readonly string[]
  /** What is left in the two vaults. */
  readonly revocable: readonly ReadonlyMap<string, bigint>[]
  readonly escrow: ReadonlyMap<string, bigint>
  close(): Promise<void>
}

/** @param options.upgradedAuth  the network asks for credentials of CAP-71 */
export async function openExamplesWorld(options: { readonly upgradedAuth?: boolean } = {}): Promise<ExamplesWorld> {
  let stub: StubNetwork | undefined
  const keys = ADMINS.map(name => {
    return { name, custody: 'envelope', seed: seedOf(name), policy: revocationPolicy() } as const
  })
  const channel: PolicyDocument = { ...TREASURY, approvals: [] }
  const metadata = await openMetadataKey(new Secret(metadataJwk(), 'key of a test'))
  const store = openMemoryStore()
  const rig = await openRig({
    log: 'memory',
    store,
    policy: TREASURY,
    keys: [
      ...keys,
      { name: 'channel-1', policy: channel },
      { name: 'deployer', chain: 'evm', policy: JSON.parse(demoEvmPolicy().text) as never },
    ],
    families: (room, world) => {
      stub = openStubNetwork({ now: world.clock.now, closesAfter: 0, ...options })
      const network = stubbedTestnet({ fetch: stub.fetch, clock: world.clock })
      const template = batchTemplate()
      const published = {
        clock: world.clock,
        catalogue: store.keys,
        key: metadata,
        issuer: 'examples',
        lifeSeconds: 600,
      }
      return [
        cosignRoutes(request => cosign(room.deps, request)),
        publishedRoutes(createPublished(published)),
        transactionRoutes(
          openTransactions({
            room,
            store: store.transactions,
            networks: new Map([['testnet', network]]),
            templates: new Map([[template.name, template]]),
            limits: { deadlineMs: 25_000, pollMs: 10 },
            turns: new Turns(),
          }),
        ),
      ]
    },
  })
  if (stub === undefined) throw new Error('no routes were asked for')
  const network = stub
  const addresses = {
    treasury: rig.key.version.address,
    channel: addressIn(rig, 'channel-1'),
    deployer: addressIn(rig, 'deployer'),
  }
  const revocable = [new Map([[BENEFICIARY, 500n]]), new Map([[BENEFICIARY, 500n]])] as const
  const escrow = new Map([[PAYEE, 1_000n]])
  for (const name of ADMINS) network.account(addressOf(name))
  for (const address of [addresses.treasury, addresses.channel]) network.account(address)
  network.batch(BATCH)
  network.vault(VAULT_A, { admin: addressOf('admin-a'), revocable: revocable[0] })
  network.vault(VAULT_B, { admin: addressOf('admin-b'), revocable: revocable[1] })
  network.vault(ESCROW, { admin: addresses.treasury, revocable: escrow })

  rig.clock.advance(Date.now() - NOW)
  const node = evmNode()
  const rpc = contractRpc(network)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: request => {
      const { pathname } = new URL(request.url)
      rig.clock.advance(Math.max(0, Date.now() - rig.clock.now()))
      if (pathname === '/rpc') return rpc(request)
      return pathname === '/eth' ? node.answer(request) : rig.http(pathname, request)
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    ...{
      rig,
      stub: network,
      url,
      rpcUrl: `${url}/rpc`,
      ethUrl: `${url}/eth`,
      addresses,
      raw: node.raw,
      revocable,
      escrow,
    },
    close: () => server.stop(true),
  }
}

const addressIn = (rig: Rig, key: string): string => rig.keys.get(key)?.version.address ?? ''

/** An EVM node that takes what ethers can read and recover. */
function evmNode() {
  const raw: string[] = []
  const block = {
    number: '0x10',
    baseFeePerGas: '0x3b9aca00',
    timestamp: '0x1',
    gasLimit: '0x1c9c380',
    transactions: [],
  }
  const take = (given: string): string => {
    const { hash, from } = Transaction.from(given)
    if (hash === null || from === null) throw new Error('it is not signed')
    raw.push(given)
    return hash
  }
  const receipt = (transactionHash: string) => ({
    ...{ transactionHash, status: '0x1', blockNumber: '0x10', blockHash: transactionHash, transactionIndex: '0x0' },
    ...{ gasUsed: '0x5208', cumulativeGasUsed: '0x5208', effectiveGasPrice: '0x1', logs: [], type: '0x2' },
  })
  const METHODS: Readonly<Record<string, (params: readonly string[]) => unknown>> = {
    eth_chainId: () => '0xaa36a7',
    eth_blockNumber: () => '0x10',
    eth_getTransactionCount: () => '0x0',
    eth_getBlockByNumber: () => block,
    eth_maxPriorityFeePerGas: () => '0x3b9aca00',
    eth_estimateGas: () => '0x5208',
    eth_sendRawTransaction: ([given = '']) => take(given),
    eth_getTransactionReceipt: ([hash = '']) => receipt(hash),
  }
  const answer = async (request: Request): Promise<Response> => {
    const { id, method, params } = (await request.json()) as { id: number; method: string; params: string[] }
    const run = METHODS[method]
    if (run === undefined)
      return Response.json({ jsonrpc: '2.0', id, error: { code: -32601, message: `no ${method}` } })
    return Response.json({ jsonrpc: '2.0', id, result: run(params) })
  }
  return { raw, answer }
}
