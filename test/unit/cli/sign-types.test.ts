/** M-20, M-23, M-30, M-35: `sign` takes every payload type and prints what goes on its way, alone. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { compactVerify, importJWK } from 'jose'
import { parseTransaction, recoverMessageAddress, recoverTransactionAddress } from 'viem'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { type CliOptions, EXAMPLE_FILE, scratch } from '../../support/cli.ts'
import { type CliRig, openCliRig } from '../../support/cli-rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const PAYEE = '0x0c31fE2928271fFBae6A3f6ea3D23b857A7dbD14'
const TRANSACTION = JSON.stringify({
  type: '0x2',
  chainId: '0xaa36a7',
  nonce: '0x7',
  to: PAYEE,
  value: '0x3b9aca00',
  gas: '0x5208',
  maxFeePerGas: '0x77359400',
  maxPriorityFeePerGas: '0x3b9aca00',
  input: '0x',
})

const files = scratch()
let world: CliRig
let hot: string
beforeAll(async () => {
  const evm: PolicyDocument = {
    version: 1,
    network: 'sepolia',
    evm: {
      fee: { maxWei: '100000000000000000' },
      maxWei: '1000000000000000000',
      payments: { destinations: 'any' },
    },
    messages: [{ prefix: 'Countersign test', maxBytes: 1000 }],
    rawDigests: true,
  }
  world = await openCliRig({ keys: [{ name: 'hot', chain: 'evm', policy: evm }] })
  hot = world.rig.keys.get('hot')?.version.address ?? ''
})
afterAll(() => files.remove())

const sign = (argv: readonly string[], options: CliOptions = {}) => world.run(['sign', ...argv], options)
const byHot = (argv: readonly string[], options: CliOptions = {}) => sign(['--key', 'hot', ...argv], options)

describe('M-30 payloads of an EVM key', () => {
  test('a transaction as an argument, from a file, from stdin: raw and ready to send; viem recovers the address', async () => {
    writeFileSync(files.path('tx.json'), TRANSACTION)
    const ways: readonly (readonly [readonly string[], CliOptions])[] = [
      [[TRANSACTION], {}],
      [[files.path('tx.json')], {}],
      [[], { stdin: `${TRANSACTION}\n` }],
    ]
    for (const [argv, options] of ways) {
      const { exitCode, out, err } = await byHot(['--type', 'evm-transaction', ...argv], options)
      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
      const raw = out.trim() as `0x02${string}`
      expect(out).toBe(`${raw}\n`)
      expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(hot as `0x${string}`)
      expect(parseTransaction(raw)).toMatchObject({ nonce: 7, to: PAYEE.toLowerCase(), value: 1_000_000_000n })
    }
  })

  test('a message is its text; from stdin without the line break at its end; bytes that are no text travel in hex', async () => {
    const text = 'Countersign test: hello'
    const asArgument = await byHot(['--type', 'evm-message', text])
    expect(asArgument).toMatchObject({ exitCode: 0, err: '' })
    const signature = asArgument.out.trim() as `0x${string}`
    expect(await recoverMessageAddress({ message: text, signature })).toBe(hot as `0x${string}`)
    expect((await byHot(['--type', 'evm-message'], { stdin: `${text}\n` })).out).toBe(asArgument.out)
    await byHot(['--type', 'evm-message', '--dry-run', '-'], { stdin: Uint8Array.of(0xff, 0x00) })
    expect(world.bodies.at(-1)).toBe('{"type":"evm-message","hex":"0xff00"}')
    await byHot(['--type', 'evm-message', '--dry-run', files.path('tx.json')])
    expect(JSON.parse(world.bodies.at(-1) ?? '')).toEqual({ type: 'evm-message', message: files.path('tx.json') })
  })

  test('a hash: the signature in the form of the chain', async () => {
    const digest = '07'.repeat(32)
    expect((await byHot(['--type', 'raw-digest', digest])).out).toMatch(/^0x[0-9a-f]{130}\n$/)
    expect((await sign(['--key', 'treasury', '--type', 'raw-digest', digest])).exitCode).toBe(3)
  })

  test('each type has its own member', async () => {
    const cases: readonly (readonly [string, string, object])[] = [
      ['evm-transaction', '0x02c0', { unsigned: '0x02c0' }],
      ['evm-typed-data', '{"domain":{}}', { typedData: { domain: {} } }],
      ['evm-authorization', '{"nonce":"0x0"}', { authorization: { nonce: '0x0' } }],
      ['approval', '{"action":"a"}', { approval: { action: 'a' } }],
      ['raw-digest', 'ab'.repeat(32), { digest: 'ab'.repeat(32) }],
    ]
    for (const [type, text, members] of cases) {
      await byHot(['--type', type, '--dry-run', text])
      expect(JSON.parse(world.bodies.at(-1) ?? '')).toEqual({ type, ...members })
    }
  })
})

describe('payloads of a Stellar key', () => {
  test('M-20 the default is still XDR in, envelope out; the same by --payload and by --type', async () => {
    const plain = await sign(['--key', 'treasury', EXAMPLE])
    expect(plain).toMatchObject({ exitCode: 0, err: '' })
    writeFileSync(files.path('payload.json'), JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE }))
    const whole = ['--key', 'treasury', '--payload']
    expect((await sign([...whole, files.path('payload.json')])).out).toBe(plain.out)
    const stdin = readFileSync(files.path('payload.json'))
    expect((await sign([...whole, '-'], { stdin })).out).toBe(plain.out)
    expect((await sign(['--key', 'treasury', '--type', 'stellar-transaction', EXAMPLE_FILE])).out).toBe(plain.out)
  })

  test('M-35 an approval: the JWS alone, which jose verifies under the public key', async () => {
    const inSeconds = (seconds: number) =>
      new Date(world.rig.clock.now() + seconds * 1000).toISOString().replace('.000Z', 'Z')
    const approval = {
      action: 'demo.release',
      audience: 'vault',
      subject: 'escrow-7',
      issuedAt: inSeconds(0),
      expiresAt: inSeconds(60),
      correlationId: 'c-1',
      details: { amount: '10' },
    }
    const { exitCode, out, err } = await sign(['--key', 'treasury', '--type', 'approval', JSON.stringify(approval)])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    const x = Buffer.from(world.rig.key.version.publicKey).toString('base64url')
    const verified = await compactVerify(out.trim(), await importJWK({ kty: 'OKP', crv: 'Ed25519', x }, 'EdDSA'))
    expect(new TextDecoder().decode(verified.payload)).toContain('escrow-7')
  })
})

describe('a dry run', () => {
  test('says what it would do, exits 0 when it is allowed and 3 when not, and signs nothing', async () => {
    const before = world.rig.signatures()
    const allowed = await sign(['--key', 'treasury', '--dry-run', EXAMPLE])
    expect(allowed).toMatchObject({ exitCode: 0, err: '' })
    expect(allowed.out).toMatch(
      /^decision {2}allow\nsummary {3}Pay 10 XLM .*\n {10}Pay 10 XLM .*\nhash {6}[0-9a-f]{64}\n$/,
    )
    const denied = await byHot(['--type', 'evm-message', '--dry-run', 'something else'])
    expect(denied.exitCode).toBe(3)
    expect(denied.out).toMatch(/^decision {2}deny by messages: /)
    const whole = await sign(['--key', 'treasury', '--dry-run', '--json', EXAMPLE])
    expect(whole.json).toMatchObject({ decision: 'allow', checks: expect.any(Array) })
    expect(world.rig.signatures()).toBe(before)
    const env = { COUNTERSIGN_TOKEN: await world.rig.token(['sign:*']) }
    expect((await sign(['--key', 'treasury', '--dry-run', EXAMPLE], { env })).exitCode).toBe(3)
    expect((await sign(['--key', 'k', '--dry-run', EXAMPLE], { env: { COUNTERSIGN_TOKEN: '' } })).err).toContain(
      'explain:k',
    )
  })

  test('T49 text of others stays on its line', async () => {
    const said = {
      decision: 'deny',
      rule: 'a\u001b[2J',
      reason: 'b\nhash  00',
      summary: 's\r',
      sentences: ['\u202e'],
      hash: '00',
    }
    const odd = await openCliRig({}, () => Response.json(said))
    const { out } = await odd.run(['sign', '--key', 'treasury', '--dry-run', EXAMPLE])
    expect(out.trim().split('\n')).toHaveLength(4)
    expect(/[\p{Cf}\p{Cc}]/u.test(out.replaceAll('\n', ''))).toBe(false)
  })
})

describe('mistakes exit 2 before anybody is asked', () => {
  const CASES: readonly (readonly [string, readonly string[], CliOptions, string])[] = [
    ['a payload and an argument', ['--payload', '-', EXAMPLE], {}, '--payload'],
    ['a payload and a type', ['--payload', '-', '--type', 'approval'], {}, '--payload'],
    ['a payload that is no JSON', ['--payload', '-'], { stdin: 'AAAA' }, '--payload'],
    ['a payload that is a list', ['--payload', '-'], { stdin: '[]' }, '--payload'],
    ['a payload without a type', ['--payload', '-'], { stdin: '{"xdr":"A"}' }, '--payload'],
    ['a type that is no text', ['--payload', '-'], { stdin: '{"type":1}' }, '--payload'],
    ['a name twice', ['--payload', '-'], { stdin: '{"type":"a","type":"b"}' }, '--payload'],
    ['a number that would be another', ['--payload', '-'], { stdin: '{"type":"a","n":9007199254740993}' }, '--payload'],
    ['a payload that is not there', ['--payload', files.path('none')], {}, '--payload'],
    ['typed data that is no object', ['--type', 'evm-typed-data'], { stdin: '"text"' }, 'envelope'],
    ['typed data that is not there', ['--type', 'evm-typed-data', 'none.json'], {}, 'envelope'],
    ['nothing', ['--type', 'evm-transaction'], { stdin: ' \n' }, 'envelope'],
  ]
  for (const [title, argv, options, field] of CASES) {
    test(title, async () => {
      world.asked.length = 0
      const { exitCode, json } = await byHot(['--json', ...argv], options)
      const { code, field: named } = json['error']
      expect([exitCode, code, named, world.asked]).toEqual([2, 'request/malformed', field, []])
    })
  }

  test('an unknown type; a challenge goes by --payload, for it has a role', async () => {
    for (const type of ['bitcoin-transaction', 'stellar-challenge', '__proto__']) {
      expect((await byHot(['--type', type, 'x'])).err).toContain('Allowed choices are approval, evm-authorization,')
    }
    const { err } = await sign(['--key', 'treasury', '--payload', '-'], { stdin: '{"type":"stellar-challenge"}' })
    expect(err).toContain('payload/invalid')
    expect((await byHot(['--payload', '-'], { stdin: '{"type":"brand-new"}' })).err).toContain('payload/unsupported')
  })
})

describe('answers that are not what was asked for', () => {
  const BASE = {
    signature: 'c2ln',
    publicKey: 'cGs=',
    address: 'GA',
    keyVersion: 1,
    hash: '00',
    provider: 'p',
    custody: 'native',
    auditId: 'a_1',
    requestId: 'r_1',
  }
  const answering = (body: object, status = 200) => openCliRig({}, () => Response.json(body, { status }))
  const MEMBERS: readonly (readonly [string, object, string])[] = [
    ['{"type":"stellar-challenge"}', { signedXdr: 'AAAA' }, 'AAAA'],
    ['{"type":"stellar-auth-entry","entry":"A"}', { signedAuthEntry: 'BBBB' }, 'BBBB'],
    ['{"type":"stellar-auth-entry","preimage":"A"}', {}, 'c2ln'],
    ['{"type":"stellar-message","message":""}', {}, 'c2ln'],
    ['{"type":"evm-authorization"}', { signedAuthorization: { r: '0x1' } }, '{"r":"0x1"}'],
    ['{"type":"evm-typed-data"}', { evmSignature: '0x01' }, '0x01'],
    ['{"type":"approval"}', { jws: 'a.b.c' }, 'a.b.c'],
    ['{"type":"of-tomorrow"}', {}, 'c2ln'],
  ]
  for (const [payload, members, printed] of MEMBERS) {
    test(`${payload} prints ${printed}, and nothing instead of it`, async () => {
      const argv = ['sign', '--key', 'k', '--payload', '-']
      const good = await (await answering({ ...BASE, ...members })).run(argv, { stdin: payload })
      expect(good).toMatchObject({ exitCode: 0, out: `${printed}\n`, err: '' })
      if (Object.keys(members).length === 0) return
      const bare = await (await answering(BASE)).run(argv, { stdin: payload })
      expect(bare).toMatchObject({ exitCode: 5, out: '' })
      expect(bare.err).toContain(`holds no ${Object.keys(members)[0]}`)
    })
  }

  test('202 exits 4 and names the approval', async () => {
    const waiting = await answering({ approvalId: 'p_1' }, 202)
    const { exitCode, out, err } = await waiting.run(['sign', '--key', 'k', EXAMPLE])
    expect([exitCode, out]).toEqual([4, ''])
    expect(err).toContain('It waits for approval p_1')
  })
})

describe('M-61 M-64 a version by number', () => {
  test('in an overlap both sign, each for its own address; a version that is not there and a dry run are refused', async () => {
    const rotating = await openCliRig({
      keys: [
        {
          name: 'hot',
          chain: 'evm',
          policy: { version: 1, network: 'sepolia', messages: [{ prefix: 'Countersign test', maxBytes: 99 }] },
        },
      ],
    })
    const deps = rotationDeps(rotating.rig)
    const { address } = await beginRotation(deps, 'hot')
    await rotationStep(deps, 'hot', 'open')
    const old = rotating.rig.keys.get('hot')?.version.address
    const message = 'Countersign test'
    const by = async (...argv: readonly string[]): Promise<unknown> => {
      const { exitCode, out } = await rotating.run(['sign', '--key', 'hot', '--type', 'evm-message', message, ...argv])
      return exitCode === 0 ? recoverMessageAddress({ message, signature: out.trim() as `0x${string}` }) : exitCode
    }
    expect([await by(), await by('--key-version', '1'), await by('--key-version', '2')]).toEqual([
      address,
      old,
      address,
    ])
    expect([await by('--key-version', '3'), await by('--key-version', 'latest')]).toEqual([1, 2])
    expect(await by('--key-version', '1', '--dry-run')).toBe(2)
  })
})
