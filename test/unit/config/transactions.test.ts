import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { readTemplates } from '../../../src/config/transactions.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const shipped = readFileSync(new URL('../../../examples/batch-revoke/countersign.toml', import.meta.url), 'utf8')
const base = 'environment = "staging"\n'
const load = (text: string, env: Record<string, string> = {}) =>
  loadConfig({ file: '/countersign.toml', env, readFile: async () => text })

async function problemsOf(text: string): Promise<string[]> {
  try {
    await load(base + text)
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'config/invalid') throw error
    return error.detail.problems.map(({ path }) => path)
  }
  return []
}

const VAULT = 'CDNGSHUFV6DMMJ23OQYELCUWRAS767EYYOSE5MLX2VGPX6IW2PYCNYGA'
const ADMIN = 'GCTE3RYLIAR44YCO3ZEIAN36E76LFI4YFYVHJNLA2RHNFL7RTSOHHC6R'
const NETWORK = '[networks.testnet]\nrpc = "https://rpc.example.com/?key=1"\n'
const LINES = {
  network: 'network = "testnet"',
  contract: `contract = "${VAULT}"`,
  function: 'function = "revoke"',
  source: 'source = "operator"',
  maxFee: 'maxFee = 1000',
  maxResourceFee: 'maxResourceFee = 1000',
}
/** A good template, with lines of it replaced or left out, and more behind them. */
const template = (change: Partial<Record<keyof typeof LINES, string>> = {}, more = ''): string =>
  `${NETWORK}[templates.one]\n${Object.values({ ...LINES, ...change }).join('\n')}\n${more}\n`
const argument = (text: string): string => template({}, `arguments = [ { name = "a", ${text} } ]`)
const AT = 'templates.one'

const BAD: readonly (readonly [text: string, ...paths: readonly string[]])[] = [
  ['[networks.testnet]', 'networks.testnet'],
  ['[networks.testnet]\nrpc = "http://rpc.example.com"', 'networks.testnet.rpc'],
  ['[networks.testnet]\nrpc = "https://user:pass@rpc.example.com"', 'networks.testnet.rpc'],
  ['[networks.testnet]\nhorizon = "horizon"', 'networks.testnet.horizon'],
  ['[networks.testnet]\nrpc = "https://a.example"\nwss = "x"', 'networks.testnet.wss'],
  ['[networks.Test_Net]\nrpc = "https://a.example"', 'networks.Test_Net'],
  [template({ network: 'network = "public"' }), `${AT}.network`],
  [template({}, '').replace('rpc =', 'horizon ='), `${AT}.network`],
  [template({ contract: 'contract = "GABC"' }), `${AT}.contract`],
  [template({ contract: `contract = "${ADMIN}"` }), `${AT}.contract`],
  [template({ contract: '' }), `${AT}.contract`],
  [template({ function: 'function = "re-voke"' }), `${AT}.function`],
  [template({ source: '' }), `${AT}.source`],
  [template({ maxFee: 'maxFee = 99' }), `${AT}.maxFee`],
  [template({ maxFee: 'maxFee = 199' }, 'feeSource = "payer"'), `${AT}.maxFee`],
  [template({}, 'surplus = 1'), `${AT}.surplus`],
  [template({}, 'validSeconds = 29'), `${AT}.validSeconds`],
  [template({}, `[templates.one.signers]\n${VAULT} = "admin"`), `${AT}.signers.${VAULT}`],
  [argument('type = "i129"'), `${AT}.arguments.0.type`],
  [argument('type = "i128", oneOf = ["1"]'), `${AT}.arguments.0.oneOf`],
  [argument('type = "i128", min = 2, max = 1'), `${AT}.arguments.0.max`],
  [argument('type = "i128", min = "1e3"'), `${AT}.arguments.0.min`],
  [argument('type = "string", min = 1'), `${AT}.arguments.0.min`],
  [argument('type = "string", minLength = 9, maxLength = 8'), `${AT}.arguments.0.maxLength`],
  [argument('type = "vec", maxLength = 3'), `${AT}.arguments.0.items`],
  [argument('type = "vec", items = { type = "bool" }'), `${AT}.arguments.0.maxLength`],
  [argument('type = "vec", maxLength = 3, items = { type = "vec", maxLength = 1 }'), `${AT}.arguments.0.items.items`],
  [argument('type = "struct"'), `${AT}.arguments.0.fields`],
  [argument('type = "address", oneOf = ["GABC"]'), `${AT}.arguments.0.oneOf.0`],
  [argument('type = "address", signer = true'), `${AT}.arguments.0`],
  [argument('type = "u32", key = "operator"'), `${AT}.arguments.0.type`],
  [argument('type = "address", key = "operator", value = "x"'), `${AT}.arguments.0.key`],
  [argument(`type = "address", as = "contract", oneOf = ["${VAULT}"]`), `${AT}.contract`],
  [
    template({ contract: '' }, 'arguments = [ { name = "a", as = "contract", type = "address" } ]'),
    `${AT}.arguments.0.oneOf`,
  ],
  [
    template({}, 'arguments = [ { name = "a", type = "bool" }, { name = "a", type = "bool" } ]'),
    `${AT}.arguments.1.name`,
  ],
]

test('M-25 a template is closed: what it does not know or cannot mean is refused at the start, with its place', async () => {
  assert.deepEqual(await problemsOf(template()), [])
  for (const [text, ...paths] of BAD) {
    assert.deepEqual(await problemsOf(text), paths, text)
  }
  const several = template(
    { network: 'network = "public"', maxFee: 'maxFee = 199' },
    'feeSource = "p"\narguments = [ { name = "a", type = "struct" } ]',
  )
  assert.deepEqual(await problemsOf(several), [`${AT}.network`, `${AT}.maxFee`, `${AT}.arguments.0.fields`])
  const most = template({ maxFee: 'maxFee = 1000000000', maxResourceFee: 'maxResourceFee = 3000000000' })
  assert.deepEqual(await problemsOf(most), [])
})

test('M-25 the templates that ship are read as the service works with them', async () => {
  const config = await load(base + shipped)
  const templates = readTemplates(config.templates)
  assert.deepEqual([...templates.keys()], ['batch-revoke', 'vault-revoke'])
  const batch = templates.get('batch-revoke')
  assert.deepEqual(batch?.arguments[0]?.shape.type, 'vec')
  assert.equal(batch?.signers.get(ADMIN), 'vault-admin-a')
  assert.equal(templates.get('vault-revoke')?.contract, undefined)
  assert.equal(templates.get('vault-revoke')?.validSeconds, 300)
})

test('M-25 STELLAR_RPC_URL fills the endpoint of the network that STELLAR_NETWORK names, or of the only one', async () => {
  const url = 'https://rpc.example.com'
  const asked = async (text: string, env: Record<string, string>) =>
    (await load(base + text, { STELLAR_RPC_URL: url, ...env })).networks
  assert.deepEqual((await asked('', { STELLAR_NETWORK: 'testnet' }))['testnet']?.rpc, url)
  assert.deepEqual((await asked('', { STELLAR_NETWORK: 'mainnet' }))['public']?.rpc, url)
  assert.deepEqual((await asked('[networks.testnet]\nhorizon = "https://h.example"', {}))['testnet']?.rpc, url)
  assert.equal((await asked(NETWORK, {}))['testnet']?.rpc, 'https://rpc.example.com/?key=1')
  assert.deepEqual(await asked('', {}), {})
})
