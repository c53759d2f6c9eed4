/** M-20, M-22, M-23: the plugin of stellar-cli, as its users call it, over a whole data plane in memory. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { buildAuthorizationEntryPreimage, hash, Keypair, Networks, StrKey, xdr } from '@stellar/stellar-sdk/base'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { contractId, invocationTree } from '../../fuzz/xdr-corpus.ts'
import { type CliOptions, EXAMPLE_FILE, run, scratch } from '../../support/cli.ts'
import { type CliRig, openCliRig, verified } from '../../support/cli-rig.ts'

const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const VECTORS = JSON.parse(readFileSync(new URL('../../vectors/sep-0053/messages.json', import.meta.url), 'utf8')) as {
  readonly address: string
  readonly cases: readonly { readonly text?: string; readonly base64?: string; readonly signature: string }[]
}
/** Of the specification, for its own test cases. */
const SEP53_SEED = 'SAKICEVQLYWGSOJS4WW7HZJWAHZVEEBS527LHK5V4MLJALYKICQCJXMW'

const files = scratch()
let world: CliRig
let address: string

beforeAll(async () => {
  const operator: PolicyDocument = {
    version: 1,
    network: 'testnet',
    contracts: [{ contract: contractId, functions: ['transfer'] }],
    authorizations: { expiration: 'any', legacy: true },
  }
  const speaker: PolicyDocument = {
    version: 1,
    network: 'testnet',
    messages: [{ prefix: 'Hello, World!', maxBytes: 1000 }],
  }
  world = await openCliRig({
    keys: [
      { name: 'operator.eu', policy: operator },
      { name: 'mainnet', network: 'public', policy: { version: 1 } },
      { name: 'hot', chain: 'evm', policy: { version: 1 } },
      { name: 'speaker', policy: speaker, custody: 'envelope', seed: Keypair.fromSecret(SEP53_SEED).rawSecretKey() },
    ],
  })
  address = world.rig.key.version.address
})
afterAll(() => files.remove())

const stellar = (argv: readonly string[], options: CliOptions = {}) => world.run(['stellar', ...argv], options)
/** As the binary does when it is started by the name of the plugin. */
const plugin = (argv: readonly string[], options: CliOptions = {}) =>
  world.run(argv, { ...options, programName: 'stellar-countersign' })

describe('Shown by 5: sign takes XDR in three forms and prints the envelope alone', () => {
  test('as an argument, from a file, from stdin, by both names; stellar-sdk verifies it', async () => {
    const ways: readonly (readonly [readonly string[], CliOptions])[] = [
      [[EXAMPLE], {}],
      [[EXAMPLE_FILE], {}],
      [['-'], { stdin: `${EXAMPLE}\n` }],
      [[], { stdin: `${EXAMPLE}\n` }],
    ]
    for (const [argv, options] of ways) {
      for (const call of [stellar, plugin]) {
        const { exitCode, out, err } = await call(['sign', '--key', 'treasury', ...argv], options)
        expect({ exitCode, err, lines: out.split('\n').length }).toEqual({ exitCode: 0, err: '', lines: 2 })
        expect(verified(out.trim(), address)).toBe(true)
      }
    }
  })

  test('with no network named nothing is asked but the signature', async () => {
    world.asked.length = 0
    await plugin(['sign', '--key', 'treasury', EXAMPLE])
    expect(world.asked).toEqual(['POST /v1/keys/treasury/sign'])
  })

  test('--json prints the whole answer, --dry-run signs nothing', async () => {
    expect((await plugin(['sign', '--key', 'treasury', '--json', EXAMPLE])).json).toMatchObject({ address })
    const before = world.rig.signatures()
    const { exitCode, out } = await plugin(['sign', '--key', 'treasury', '--dry-run', EXAMPLE])
    expect([exitCode, world.rig.signatures()]).toEqual([0, before])
    expect(out).toMatch(/^decision {2}allow\nsummary {3}Pay 10 XLM from /)
  })

  test('the plugin has the commands of stellar-cli users only, and says by which name it was called', async () => {
    const { out } = await plugin(['--help'])
    expect(out).toContain('Usage: stellar countersign [options] [command]')
    expect(out).toContain('Exit codes: 0 done')
    expect((await plugin(['sign', '--help'])).out).toContain('Usage: stellar countersign sign [options] [xdr]')
    expect((await stellar(['sign', '--help'])).out).toContain('Usage: countersign stellar sign [options] [xdr]')
    expect(await plugin(['--version'])).toMatchObject({ exitCode: 0, out: '1.2.3-test\n' })
    for (const other of ['serve', 'dev', 'admins']) expect((await plugin([other])).exitCode).toBe(2)
    for (const other of ['stellar', 'countersign', 'stellar-countersign-x', '']) {
      expect((await world.run(['address', '--help'], { programName: other })).out).toContain('--seed-file')
    }
  })
})

describe('M-22 sign-auth', () => {
  const entryOf = (who: string, expiration: number): xdr.SorobanAuthorizationEntry =>
    new xdr.SorobanAuthorizationEntry({
      credentials: xdr.SorobanCredentials.sorobanCredentialsAddressV2(
        new xdr.SorobanAddressCredentials({
          address: xdr.ScAddress.scAddressTypeAccount(
            xdr.AccountId.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(who)),
          ),
          nonce: 7n,
          signatureExpirationLedger: expiration,
          signature: xdr.ScVal.scvVoid(),
        }),
      ),
      rootInvocation: invocationTree(1),
    })
  const operator = (): string => world.rig.keys.get('operator.eu')?.version.address ?? ''
  const sign = (argv: readonly string[], options: CliOptions = {}) =>
    plugin(['sign-auth', '--key', 'operator.eu', ...argv], options)

  test('prints the entry with the signature in it, which covers what the SDK hashes', async () => {
    const entry = Buffer.from(entryOf(operator(), 0).toXdr()).toString('base64')
    const { exitCode, out, err } = await sign(['--auto-sign', '--expiration-ledger', '1234', entry])
    expect([exitCode, err]).toEqual([0, ''])
    const signed = xdr.SorobanAuthorizationEntry.fromXdr(Buffer.from(out.trim(), 'base64'))
    const preimage = buildAuthorizationEntryPreimage(signed, 1234, Networks.TESTNET)
    const bare = await sign(['--auto-sign'], { stdin: `${Buffer.from(preimage.toXdr()).toString('base64')}\n` })
    expect([bare.exitCode, bare.err]).toEqual([0, ''])
    const signature = Buffer.from(bare.out.trim(), 'base64')
    expect(Keypair.fromPublicKey(operator()).verify(hash(preimage.toXdr()), signature)).toBe(true)
    expect(Buffer.from(out.trim(), 'base64').includes(signature)).toBe(true) // Ed25519 signs the same thing once
    const { json } = await sign(['--auto-sign', '--json', '--expiration-ledger', '1234', entry])
    expect(json).toMatchObject({ address: operator(), signedAuthEntry: out.trim() })
  })

  test('without --auto-sign it shows what the entry allows, signs nothing and exits 2', async () => {
    const entry = Buffer.from(entryOf(operator(), 1234).toXdr()).toString('base64')
    const before = world.rig.signatures()
    const { exitCode, out, err } = await sign([entry])
    expect([exitCode, out, world.rig.signatures()]).toEqual([2, '', before])
    expect(err).toContain('decision  allow')
    expect(err).toContain('transfer')
    expect(err).toContain('--auto-sign')
    expect((await sign(['--dry-run', entry])).exitCode).toBe(0)
  })

  test('an expiration beside a preimage, an entry of another, another network: refused', async () => {
    const preimage = buildAuthorizationEntryPreimage(entryOf(operator(), 9), 9, Networks.TESTNET)
    const text = Buffer.from(preimage.toXdr()).toString('base64')
    expect((await sign(['--auto-sign', '--expiration-ledger', '10', text])).err).toContain('--expiration-ledger')
    const other = Buffer.from(entryOf(address, 9).toXdr()).toString('base64')
    expect((await sign(['--auto-sign', other])).err).toContain('payload/invalid')
    expect((await sign(['--auto-sign', '-n', 'mainnet', text])).exitCode).toBe(2)
    expect((await sign(['--auto-sign', '--expiration-ledger', 'soon', text])).err).toContain('Use a whole number.')
    expect((await sign(['--auto-sign', EXAMPLE])).err).toContain('payload/invalid')
  })
})

describe('M-23 sign-message gives the signatures of the specification (SEP-53)', () => {
  const speak = (argv: readonly string[], options: CliOptions = {}) =>
    plugin(['sign-message', '--key', 'speaker', ...argv], options)
  /** What would be signed: a policy grants messages by how they begin, in ASCII, so not all of these can be. */
  const hashed = async (argv: readonly string[], options: CliOptions = {}): Promise<Uint8Array> =>
    Buffer.from((await speak(['--dry-run', '--json', ...argv], options)).json['hash'], 'hex')

  test('as text: the signature in base64 alone on stdout', async () => {
    const [first] = VECTORS.cases
    const printed = { exitCode: 0, out: `${first?.signature}\n`, err: '' }
    expect(await speak([first?.text ?? ''])).toMatchObject(printed)
    expect(await speak([], { stdin: `${first?.text}\n` })).toMatchObject(printed)
    expect(await stellar(['sign-message', '--key', 'speaker', first?.text ?? ''])).toMatchObject(printed)
  })

  for (const [at, { text, base64, signature }] of VECTORS.cases.entries()) {
    test(`case ${at + 1}: what is hashed, as an argument and from stdin`, async () => {
      const verifier = Keypair.fromPublicKey(VECTORS.address)
      const covers = (digest: Uint8Array) => verifier.verify(digest, Buffer.from(signature, 'base64'))
      const option = base64 === undefined ? [] : ['--base64']
      const message = text ?? base64 ?? ''
      expect(covers(await hashed([...option, message]))).toBe(true)
      for (const stdin of [message, `${message}\n`, `${message}\r\n`]) {
        expect(covers(await hashed(option, { stdin }))).toBe(true)
        expect(covers(await hashed([...option, '-'], { stdin }))).toBe(true)
      }
      if (base64 === undefined) expect(covers(await hashed([], { stdin: `${message}\n\n` }))).toBe(false)
    })
  }

  test('bytes that are no text are signed as they are, a byte order mark too', async () => {
    for (const bytes of [Uint8Array.of(0xff, 0xfe, 0x00), Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)]) {
      const expected = hash(Buffer.concat([Buffer.from('Stellar Signed Message:\n'), bytes]))
      expect(await hashed([], { stdin: bytes })).toEqual(Buffer.from(expected))
      expect(await hashed(['--base64', Buffer.from(bytes).toString('base64')])).toEqual(Buffer.from(expected))
    }
    expect((await speak(['--base64', 'no base64'])).exitCode).toBe(2)
    const denied = await speak(['Another beginning'])
    expect([denied.exitCode, denied.out]).toEqual([3, ''])
  })
})

describe('keys and addresses for stellar-cli', () => {
  test('address prints it alone; keys lists Stellar keys; export-public prints lines for a shell', async () => {
    expect(await plugin(['address', '--key', 'treasury'])).toMatchObject({ exitCode: 0, out: `${address}\n`, err: '' })
    expect((await plugin(['address', '--key', 'treasury', '--json'])).json).toEqual({
      name: 'treasury',
      network: 'testnet',
      address,
    })
    for (const argv of [['keys'], ['keys', 'list']]) {
      const { out } = await plugin(argv)
      expect(out).toMatch(new RegExp(`^treasury +testnet +${address}$`, 'm'))
      expect(out).toMatch(/^mainnet +public +G/m)
      expect(out).not.toContain('hot')
    }
    expect((await plugin(['keys', '--json'])).json['keys']).toHaveLength(4)
    expect(await plugin(['keys', 'export-public', 'treasury'])).toMatchObject({
      exitCode: 0,
      out: `stellar keys add treasury --public-key ${address}\n`,
      err: '',
    })
    const all = await plugin(['keys', 'export-public'])
    expect(all.out.trim().split('\n')).toHaveLength(4)
    expect(all.out).toMatch(/^stellar keys add operator_eu --public-key G[A-Z2-7]{55}$/m)
    expect(all.err).toContain('operator.eu has another name there')
    expect((await plugin(['keys', 'export-public', 'treasury', '--json'])).json).toEqual({
      keys: [{ name: 'treasury', address }],
    })
  })

  test('a key of another chain, a key that is not there, a token that may not', async () => {
    for (const argv of [
      ['address', '--key', 'hot'],
      ['keys', 'export-public', 'hot'],
    ])
      expect((await plugin(argv)).err).toContain('hot is a key for evm')
    expect((await plugin(['address', '--key', 'nobody'])).err).toContain('key/unknown')
    const env = { COUNTERSIGN_TOKEN: await world.rig.token(['sign:*']) }
    expect((await plugin(['address', '--key', 'treasury'], { env })).exitCode).toBe(3)
    expect(await plugin(['keys'], { env })).toMatchObject({ exitCode: 0, out: '', err: '' })
    expect((await plugin(['keys'], { env: { COUNTERSIGN_TOKEN: '' } })).err).toContain('read:*')
  })

  test('T49 lines for a shell hold nothing that a service made up', async () => {
    const key = { name: '$(reboot)', chain: 'stellar', network: 'testnet', address }
    const bad = await openCliRig({}, path =>
      path === '/v1/keys' ? Response.json({ keys: [key] }) : Response.json({ ...key, address: 'G; reboot' }),
    )
    expect((await bad.run(['stellar', 'keys', 'export-public'])).out).toBe(
      `stellar keys add __reboot_ --public-key ${address}\n`,
    )
    expect(await bad.run(['stellar', 'keys', 'export-public', 'x'])).toMatchObject({ exitCode: 2, out: '' })
  })
})

describe('install', () => {
  const linked = (over: object) => ({
    services: (real: Parameters<NonNullable<CliOptions['services']>>[0]) => ({
      ...real,
      linkPlugin: async () => ({
        path: '/bin/stellar-countersign',
        target: '/bin/countersign',
        onPath: true,
        created: true,
        ...over,
      }),
    }),
  }) // prettier-ignore
  test('prints the path; says when it was there and when stellar-cli will not find it', async () => {
    const out = '/bin/stellar-countersign\n'
    expect(await run(['stellar', 'install'], linked({}))).toMatchObject({ exitCode: 0, out, err: '' })
    expect((await run(['stellar', 'install'], linked({ created: false }))).err).toContain('there already')
    expect((await run(['stellar', 'install'], linked({ onPath: false }))).err).toContain('is not on PATH')
    expect((await run(['stellar', 'install', '--json'], linked({}))).json).toMatchObject({ created: true })
  })

  test('from the sources there is no program to link to', async () => {
    const { exitCode, err } = await run(['stellar', 'install', '--dir', files.path()])
    expect(exitCode).toBe(2)
    expect(err).toContain('bun run build')
  })
})
