import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Keypair } from '@stellar/stellar-sdk/base'
import { openNetworks } from '../../../src/compose/stellar-networks.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { readTemplates } from '../../../src/config/transactions.ts'
import { transactionRoutes } from '../../../src/http/routes-transactions.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { openTransactions, TRANSACTION_LIMITS, Turns } from '../../../src/service/transactions/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { openRig } from '../../support/rig.ts'
import { EVERY_RIGHT } from '../../support/revocations.ts'
import { openStubNetwork, type StubNetwork } from '../../support/stub-network.ts'

const file = (name: string): string =>
  readFileSync(new URL(`../../../examples/batch-revoke/${name}`, import.meta.url), 'utf8')
const seedOf = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`countersign example ${label}`).digest())
const addressOf = (label: string): string => Keypair.fromRawEd25519Seed(seedOf(label)).publicKey()
const policy = (name: string): PolicyDocument => JSON.parse(file(`policy-${name}.json`)) as PolicyDocument

const KEYS = [
  { name: 'revocation-operator', label: 'operator', policy: policy('operator') },
  { name: 'vault-admin-a', label: 'admin a', policy: policy('admin-a') },
  { name: 'vault-admin-b', label: 'admin b', policy: policy('admin-b') },
]
const beneficiary = testKey('beneficiary').publicKey()

test('M-25 examples/batch-revoke as it ships: both templates, the policies of three keys, one list of revocations', async () => {
  const config = await loadConfig({
    file: '/countersign.toml',
    env: {},
    readFile: async () => `environment = "staging"\n${file('countersign.toml')}`,
  })
  const templates = readTemplates(config.templates)
  const [batch, each] = [templates.get('batch-revoke'), templates.get('vault-revoke')]
  const vaults = batch?.authorizes.map(({ contract }) => contract) ?? []
  for (const upgradedAuth of [false, true]) {
    const store = openMemoryStore()
    let stub: StubNetwork | undefined
    const rig = await openRig({
      store,
      keys: KEYS.map(({ name, label, policy: document }) => ({
        ...{ name, custody: 'envelope', seed: seedOf(label), policy: document },
      })),
      families: (room, world) => {
        const net = openStubNetwork({ now: world.clock.now, upgradedAuth, closesAfter: 0 })
        stub = net
        const networks = openNetworks(config.networks, {
          ...world,
          fetch: (url, init) =>
            net.fetch(url.replace('https://soroban-testnet.stellar.org', 'http://127.0.0.1/rpc'), init),
        })
        const parts = {
          room,
          store: store.transactions,
          networks,
          templates,
          limits: TRANSACTION_LIMITS,
          turns: new Turns(),
        }
        return [transactionRoutes(openTransactions(parts))]
      },
    })
    const network = stub ?? assert.fail()
    for (const { label } of KEYS) network.account(addressOf(label))
    network.batch(batch?.contract ?? '')
    const revocable = vaults.map(() => new Map([[beneficiary, 5_000_000_000n]]))
    for (const [at, contract] of vaults.entries()) {
      network.vault(contract, {
        admin: addressOf(at === 0 ? 'admin a' : 'admin b'),
        revocable: revocable[at] ?? new Map(),
      })
    }
    const revocations = vaults.map((vault, at) => ({
      ...{ vault, beneficiary, amount: '1000000000', signer: addressOf(at === 0 ? 'admin a' : 'admin b') },
    }))
    const token = await rig.token(EVERY_RIGHT)
    const execute = async (template: string, given: object): Promise<void> => {
      const answer = await rig.post('/v1/transactions/execute', { template, arguments: given }, { token })
      const told = (await answer.json()) as Record<string, unknown>
      assert.equal(told['status'], 'success', JSON.stringify(told))
    }
    await execute('batch-revoke', { revocations })
    for (const revocation of revocations) await execute(each?.name ?? '', revocation)
    assert.deepEqual(
      revocable.map(vault => vault.get(beneficiary)),
      [3_000_000_000n, 3_000_000_000n],
    )
    assert.equal(network.accepted.length, 3)
  }
})
