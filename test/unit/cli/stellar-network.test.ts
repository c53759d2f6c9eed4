/** T25: what stellar-cli was told about the network can stop a signature and never choose its network. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Networks } from '@stellar/stellar-sdk/base'
import { type CliOptions, EXAMPLE_FILE, scratch } from '../../support/cli.ts'
import { type CliRig, openCliRig, verified } from '../../support/cli-rig.ts'

const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const files = scratch()
let world: CliRig

beforeAll(async () => {
  mkdirSync(files.path('network'))
  world = await openCliRig({
    keys: [
      { name: 'own-net', network: 'custom:Our Network ; May 2026' },
      { name: 'hot', chain: 'evm', policy: { version: 1 } },
    ],
  })
})
afterAll(() => files.remove())

const plugin = (argv: readonly string[], options: CliOptions = {}) =>
  world.run(argv, { ...options, programName: 'stellar-countersign' })

describe('T25 the network that stellar-cli was told to use must be that of the key', () => {
  const SAME: readonly (readonly [string, Record<string, string>, readonly string[], string?])[] = [
    ['STELLAR_NETWORK', { STELLAR_NETWORK: 'testnet' }, []],
    ['--network', {}, ['--network', 'testnet']],
    ['-n', {}, ['-n', 'testnet']],
    ['an option wins over variables', { STELLAR_NETWORK: 'mainnet' }, ['-n', 'testnet']],
    [
      'a passphrase wins over a name',
      {
        STELLAR_NETWORK: 'mainnet',
        STELLAR_NETWORK_PASSPHRASE: Networks.TESTNET,
        STELLAR_RPC_URL: 'http://127.0.0.1:1',
      },
      [],
    ],
    ['a passphrase without RPC', { STELLAR_NETWORK_PASSPHRASE: Networks.TESTNET }, []],
    ['an empty variable is none', { STELLAR_NETWORK: '', STELLAR_RPC_URL: '' }, []],
    ['a stored network', { STELLAR_NETWORK: 'ours', STELLAR_CONFIG_HOME: files.path() }, []],
    ['a stored network that hides a known one', { STELLAR_NETWORK: 'local', STELLAR_CONFIG_HOME: files.path() }, []],
  ]
  for (const [title, env, argv] of SAME) {
    test(`signs: ${title}`, async () => {
      writeFileSync(
        files.path('network', 'ours.toml'),
        `rpc_url = "http://x"\nnetwork_passphrase = "${Networks.TESTNET}"\n`,
      )
      writeFileSync(files.path('network', 'local.toml'), `network_passphrase = "${Networks.TESTNET}"\n`)
      const { exitCode, out } = await plugin(['sign', '--key', 'treasury', ...argv, EXAMPLE], { env })
      expect([exitCode, verified(out.trim(), world.rig.key.version.address)]).toEqual([0, true])
    })
  }

  test('a network of our own is compared by its passphrase', async () => {
    const env = { STELLAR_NETWORK_PASSPHRASE: 'Our Network ; May 2026' }
    expect((await plugin(['sign', '--key', 'own-net', '--dry-run', EXAMPLE], { env })).err).toBe('')
    expect((await plugin(['sign', '--key', 'treasury', EXAMPLE], { env })).exitCode).toBe(2)
  })

  const PUBLIC = 'Public Global Stellar Network ; September 2015'
  const OTHER: readonly (readonly [string, Record<string, string>, readonly string[], string, readonly string[]])[] = [
    [
      'STELLAR_NETWORK',
      { STELLAR_NETWORK: 'mainnet' },
      [],
      'STELLAR_NETWORK',
      [PUBLIC, Networks.TESTNET, 'say testnet'],
    ],
    ['--network', {}, ['--network', 'futurenet'], '--network', [Networks.FUTURENET, Networks.TESTNET]],
    [
      'STELLAR_NETWORK_PASSPHRASE',
      { STELLAR_NETWORK: 'testnet', STELLAR_NETWORK_PASSPHRASE: PUBLIC, STELLAR_RPC_URL: 'http://x' },
      [],
      'STELLAR_NETWORK_PASSPHRASE',
      [PUBLIC, `say "${Networks.TESTNET}"`],
    ],
    [
      'an RPC alone',
      { STELLAR_NETWORK: 'testnet', STELLAR_RPC_URL: 'http://x' },
      [],
      'STELLAR_RPC_URL',
      ['STELLAR_NETWORK_PASSPHRASE'],
    ],
    ['an RPC alone, by option', {}, ['--rpc-url', 'http://x'], '--rpc-url', ['--network-passphrase']],
    [
      'a name nobody knows',
      { STELLAR_NETWORK: 'moonnet', HOME: '/nowhere' },
      [],
      'STELLAR_NETWORK',
      ['/nowhere/.config/stellar/network/moonnet.toml'],
    ],
    [
      'the same in XDG_CONFIG_HOME',
      { STELLAR_NETWORK: 'moonnet', XDG_CONFIG_HOME: '/xdg' },
      [],
      'STELLAR_NETWORK',
      ['/xdg/stellar/network/moonnet.toml'],
    ],
    [
      'a name that is a path',
      { STELLAR_NETWORK: '../../etc/passwd' },
      [],
      'STELLAR_NETWORK',
      ['is no name of a network'],
    ],
    [
      'a file without a passphrase',
      { STELLAR_NETWORK: 'bare', STELLAR_CONFIG_HOME: files.path() },
      [],
      files.path('network', 'bare.toml'),
      ['has no network_passphrase'],
    ],
    [
      'a file that is no TOML',
      { STELLAR_NETWORK: 'broken', STELLAR_CONFIG_HOME: files.path() },
      [],
      files.path('network', 'broken.toml'),
      ['is not TOML'],
    ],
    [
      'a file that is too long',
      { STELLAR_NETWORK: 'long', STELLAR_CONFIG_HOME: files.path() },
      [],
      files.path('network', 'long.toml'),
      ['has 65537 bytes'],
    ],
  ]
  for (const [title, env, argv, field, words] of OTHER) {
    test(`refuses before anything is signed: ${title}`, async () => {
      writeFileSync(files.path('network', 'bare.toml'), 'rpc_url = "http://x"\n')
      writeFileSync(files.path('network', 'broken.toml'), '{{ canary-secret')
      writeFileSync(files.path('network', 'long.toml'), '#'.repeat(65_537))
      const before = world.rig.signatures()
      const { exitCode, json, err } = await plugin(['sign', '--json', '--key', 'treasury', ...argv, EXAMPLE], { env })
      expect([exitCode, json['error'].code, json['error'].field]).toEqual([2, 'request/malformed', field])
      for (const word of words) expect(err).toContain(word)
      expect(err).not.toContain('canary')
      expect(world.rig.signatures()).toBe(before)
    })
  }

  test('a token that may not read the key: exit 3, and why the key was read', async () => {
    const env = { STELLAR_NETWORK: 'testnet', COUNTERSIGN_TOKEN: await world.rig.token(['sign:treasury']) }
    const { exitCode, out, err } = await plugin(['sign', '--key', 'treasury', EXAMPLE], { env })
    expect([exitCode, out]).toEqual([3, ''])
    expect(err).toContain('read:treasury')
    expect(
      (await plugin(['sign', '--key', 'treasury', EXAMPLE], { env: { ...env, STELLAR_NETWORK: '' } })).exitCode,
    ).toBe(0)
  })

  test('a key of another chain', async () => {
    const { exitCode, err } = await plugin(['sign', '--key', 'hot', '-n', 'testnet', EXAMPLE])
    expect(exitCode).toBe(2)
    expect(err).toContain('hot is a key for evm')
    expect((await plugin(['sign', '--key', 'hot', EXAMPLE])).err).toContain('payload/unsupported')
  })
})
