/** `[networks.NAME]`: Stellar and EVM side by side, each with what it has. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evmNetwork } from '../../../src/compose/evm-networks.ts'
import { openNetworks } from '../../../src/compose/stellar-networks.ts'
import { openTransactionRoutes } from '../../../src/compose/transactions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { manualClock } from '../../support/audit-world.ts'

const world = { clock: manualClock(0), fetch: () => Promise.reject(new Error('nobody is asked')) }
const load = async (text: string) => {
  const config = await loadConfig({
    file: '/c.toml',
    env: {},
    readFile: async () => `environment = "staging"\n${text}`,
  })
  return config.networks
}
const problem = (path: string) => (error: unknown) =>
  isSignerError(error) && error.code === 'config/invalid' && error.detail.problems[0]?.path === path

test('M-64 EVM networks are named as keys name them, and Stellar networks are what they were', async () => {
  const settings = await load(`
[networks.testnet]
horizon = "https://a.example/"
[networks.base-sepolia]
rpc = "https://b.example/?key=1"
[networks."eip155:4242"]
rpc = "https://c.example/"
`)
  assert.deepEqual([...openNetworks(settings, world).keys()], ['testnet'])
  assert.equal(evmNetwork('base-sepolia', settings['base-sepolia'], world).chainId, 84532n)
  assert.equal(evmNetwork('eip155:4242', settings['eip155:4242'], world).chainId, 4242n)
  assert.throws(() => evmNetwork('sepolia', undefined, world), problem('networks.sepolia.rpc'))
})

test('M-64 a network that is none, by another name or with a horizon is refused at the start', async () => {
  const BAD: readonly (readonly [name: string, endpoint: string, path: string])[] = [
    ['atlantis', 'rpc', 'network'],
    ['base-mainnet', 'rpc', 'network'],
    ['"eip155:1"', 'rpc', 'network'],
    ['"eip155:01"', 'rpc', 'network'],
    ['sepolia', 'horizon', 'networks.sepolia.horizon'],
  ]
  for (const [name, endpoint, path] of BAD) {
    const settings = await load(`[networks.${name}]\n${endpoint} = "https://a.example/"\n`)
    assert.throws(() => openNetworks(settings, world), problem(path), name)
  }
  for (const name of ['"eip155:"', '"eip155:x"', 'Sepolia', '"base sepolia"', '-sepolia']) {
    await assert.rejects(load(`[networks.${name}]\nrpc = "https://a.example/"\n`), isSignerError, name)
  }
})

test('M-64 no template is built for an EVM network', () => {
  const template = { name: 'pay', network: 'sepolia' } as never
  assert.throws(
    () => openTransactionRoutes(new Map([['pay', template]]), new Map(), {} as never, {} as never),
    problem('templates.pay.network'),
  )
})
