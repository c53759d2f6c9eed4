import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { SignJWT, importJWK } from 'jose'
import { entryOf, openMetadataKey, signMetadata } from '../../../src/approvals/index.ts'
import { metadataKeyPath } from '../../../src/compose/places.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { run, scratch } from '../../support/cli.ts'
import { metadataJwk } from '../approvals/samples.ts'

const room = scratch()
afterAll(() => room.remove())
let made = 0

function configured(lines = ''): { file: string; data: string } {
  const data = room.path(`data-${++made}`)
  mkdirSync(data, { mode: 0o700 })
  const file = room.path(`signer-${made}.toml`)
  writeFileSync(file, `environment = "development"\n[data]\ndirectory = "${data}"\n${lines}`)
  return { file, data }
}

const written = (name: string, text: string): string => {
  writeFileSync(room.path(name), text, { mode: 0o600 })
  return room.path(name)
}

describe('M-35 approvals issuer', () => {
  test('makes the key at first, 0600, and prints the same thumbprint ever after, with its public half on request', async () => {
    const { file, data } = configured()
    const first = await run(['approvals', 'issuer', '--config', file])
    expect(first.exitCode).toBe(0)
    expect(first.out).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
    expect(statSync(metadataKeyPath(data)).mode & 0o777).toBe(0o600)
    const { json, out } = await run(['approvals', 'issuer', '--config', file, '--json'])
    const jwk = JSON.parse(readFileSync(metadataKeyPath(data), 'utf8')) as { x: string; d: string }
    expect(json).toEqual({ issuer: first.out.trim(), jwk: { crv: 'Ed25519', kty: 'OKP', x: jwk.x } })
    expect(out).not.toContain(jwk.d)
    chmodSync(metadataKeyPath(data), 0o644)
    const open = await run(['approvals', 'issuer', '--data', data, '--config', file])
    expect([open.exitCode, open.err]).toEqual([1, expect.stringContaining('others may read')])
  })

  test('takes the key that the configuration names, and none that is no key, without a word of it', async () => {
    const jwk = metadataJwk()
    const key = written('given.json', jwk)
    const { file, data } = configured(`[metadata]\nkey = "file:${key}"\n`)
    const { thumbprint } = await openMetadataKey(new Secret(jwk, 'test'))
    expect((await run(['approvals', 'issuer', '--config', file])).out).toBe(`${thumbprint}\n`)
    expect(() => statSync(metadataKeyPath(data))).toThrow()
    const { x, d } = JSON.parse(jwk) as { x: string; d: string }
    const { x: other } = JSON.parse(metadataJwk()) as { x: string }
    for (const [name, text] of Object.entries({
      text: d,
      'a public key': JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x }),
      'another curve': JSON.stringify({ kty: 'EC', crv: 'P-256', x, y: x, d }),
      'another half': JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: other, d }),
    })) {
      const bad = configured(`[metadata]\nkey = "file:${written('bad.json', text)}"\n`)
      const { exitCode, err, out } = await run(['approvals', 'issuer', '--config', bad.file])
      expect([name, exitCode, err]).toEqual([name, 1, expect.stringContaining('metadata.key')])
      expect(`${err}${out}`).not.toContain(d)
    }
  })
})

describe('M-35 approvals verify', () => {
  const NOW = Date.parse('2026-11-22T12:00:00Z')
  const seconds = NOW / 1000
  const at = ['--at', '2026-11-22T12:00:00Z']

  /** By jose, as another program would. */
  async function files(action = 'escrow.release') {
    const desk = JSON.parse(metadataJwk()) as { x: string; d: string; kty: string; crv: string }
    const claims = {
      action,
      aud: 'settlement',
      iss: 'desk',
      jti: 'c-1',
      sub: 'order-42',
      iat: seconds,
      exp: seconds + 600,
    }
    const sorted = Object.fromEntries(Object.entries(claims).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    const jws = await new SignJWT(sorted)
      .setProtectedHeader({ alg: 'EdDSA', kid: 'desk-v1', typ: 'approval+jws' })
      .sign(await importJWK({ ...desk, crv: 'Ed25519' }, 'EdDSA'))
    const key = await openMetadataKey(new Secret(metadataJwk(), 'test'))
    const entry = entryOf({
      key: { name: 'desk', chain: 'stellar', network: 'testnet', policy: '{}', policyHash: '', createdAt: 0 },
      version: {
        ...{ key: 'desk', version: 1, scheme: 'ed25519', address: 'GDESK', account: 'GDESK', state: 'active' },
        publicKey: new Uint8Array(Buffer.from(desk.x, 'base64url')),
      },
      bindings: [],
      times: { createdAt: 0, activeFrom: 0 },
    })
    const document = { iss: 'countersign', iat: seconds, exp: seconds + 3600, keys: [entry] }
    const metadata = await signMetadata(key, document)
    return { jws, metadata, issuer: key.thumbprint }
  }

  test('a good approval is exit code 0, one line or one object; one that is not is 3, with the rule', async () => {
    const { jws, metadata, issuer } = await files()
    const [approval, keys] = [written('approval.jws', `${jws}\n`), written('keys.jws', metadata)]
    const verify = (...more: string[]) =>
      run(['approvals', 'verify', '--jws', approval, '--metadata', keys, '--issuer', issuer, ...more])
    const good = await verify(...at, '--audience', 'settlement', '--action', 'escrow.release')
    expect([good.exitCode, good.out]).toEqual([
      0,
      'good: escrow.release of order-42 for settlement until 2026-11-22T12:10:00.000Z (c-1), by desk-v1 GDESK\n',
    ])
    const { json } = await verify(...at, '--json')
    expect(json).toMatchObject({
      valid: true,
      kid: 'desk-v1',
      state: 'active',
      claims: { jti: 'c-1', sub: 'order-42' },
    })
    for (const [rule, ...more] of [
      ['audience', ...at, '--audience', 'somebody'],
      ['action', ...at, '--action', 'escrow.refund'],
      ['time', '--at', '2026-11-22T12:10:00Z'],
      ['metadata', '--at', '2026-11-22T13:00:00Z'],
      ['issuer', ...at, '--issuer', 'A'.repeat(43)],
    ] as const) {
      const refused = await verify(...more, '--json')
      expect([refused.exitCode, refused.json['error']]).toEqual([
        3,
        { code: 'approval/refused', rule, reason: expect.any(String) },
      ])
    }
  })

  test('from stdin; what cannot be read or understood is exit code 2', async () => {
    const { jws, metadata, issuer } = await files()
    const keys = written('keys-2.jws', metadata)
    const from = (args: readonly string[], stdin = jws) => run(['approvals', 'verify', ...args], { stdin })
    expect((await from(['--jws', '-', '--metadata', keys, '--issuer', issuer, ...at])).exitCode).toBe(0)
    const approval = written('approval-2.jws', jws)
    expect((await from(['--jws', approval, '--metadata', '-', '--issuer', issuer, ...at], metadata)).exitCode).toBe(0)
    for (const args of [
      ['--jws', '-', '--metadata', '-', '--issuer', issuer],
      ['--jws', approval, '--metadata', keys],
      ['--jws', approval, '--metadata', keys, '--issuer', 'short'],
      ['--jws', approval, '--metadata', keys, '--issuer', issuer, '--at', 'yesterday'],
      ['--jws', approval, '--metadata', keys, '--issuer', issuer, '--at', '2026-13-01T00:00:00Z'],
      ['--jws', room.path('missing'), '--metadata', keys, '--issuer', issuer],
    ]) {
      const { exitCode, err } = await from(args)
      expect([args.join(' '), exitCode, err]).toEqual([args.join(' '), 2, expect.stringMatching(/\S/)])
    }
  })
})
