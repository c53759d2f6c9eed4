import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StrKey } from '@stellar/stellar-sdk/base'
import { createTokenIssuer } from '../../../src/access/service-tokens.ts'
import { createTokenVerifier } from '../../../src/access/tokens.ts'
import { openIssuerKey, openLoginKey } from '../../../src/compose/own-keys.ts'
import { issuerKeyPath, loginKeyPath } from '../../../src/compose/places.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { reveal, Secret } from '../../../src/domain/secret.ts'
import { realWorld } from '../../../src/runtime/world.ts'

const { random, clock } = realWorld()
const folder = mkdtempSync(join(tmpdir(), 'countersign-own-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
const directory = () => join(folder, `data-${made++}`)
const refused = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (isSignerError(error) && error.code === 'start/refused') return error.detail.reason
  throw new Error('Expected start/refused', { cause: error })
}

const KEYS = [
  ['issuer', openIssuerKey, issuerKeyPath],
  ['login', openLoginKey, loginKeyPath],
] as const

for (const [name, open, path] of KEYS) {
  test(`${name} key: in development one is made, 0600, and is the same at the next start`, async () => {
    const dataDirectory = directory()
    const settings = { environment: 'development' as const, dataDirectory }
    const first = await open(settings, random)
    expect(statSync(path(dataDirectory)).mode & 0o777).toBe(0o600)
    expect(reveal(await open(settings, random))).toBe(reveal(first))
    expect(reveal(await open({ ...settings, dataDirectory: directory() }, random))).not.toBe(reveal(first))
    expect(String(first)).not.toContain(readFileSync(path(dataDirectory), 'utf8').slice(0, 10))
  })

  test(`${name} key: what the configuration names is used, and elsewhere than in development nothing is made`, async () => {
    const dataDirectory = directory()
    const key = new Secret('given', 'file:/x')
    for (const environment of ['development', 'staging', 'production'] as const)
      expect(await open({ environment, dataDirectory, key }, random)).toBe(key)
    for (const environment of ['staging', 'production'] as const)
      expect(await refused(open({ environment, dataDirectory }, random))).toContain('is missing')
    expect(() => statSync(path(dataDirectory))).toThrow()
  })

  test(`${name} key: a file that others may read, or a link, is not used`, async () => {
    const dataDirectory = directory()
    const settings = { environment: 'development' as const, dataDirectory }
    await open(settings, random)
    chmodSync(path(dataDirectory), 0o640)
    expect(await refused(open(settings, random))).toContain('others may read')
    rmSync(path(dataDirectory))
    const target = join(folder, `target-${name}`)
    writeFileSync(target, 'x', { mode: 0o600 })
    symlinkSync(target, path(dataDirectory))
    expect(await refused(open(settings, random))).toContain('cannot be opened')
  })
}

test('issuer key: what it signs is taken by the verifier of its public half', async () => {
  const key = await openIssuerKey({ environment: 'development', dataDirectory: directory() }, random)
  const issuer = createTokenIssuer({
    key,
    issuer: 'control',
    audience: 'signer',
    clock,
    random,
    senderConstraint: 'optional',
  })
  const { token } = await issuer.issue({ subject: 'api', issuedBy: 'G', scopes: ['sign:treasury'] })
  const verify = createTokenVerifier({ jwks: issuer.jwks, issuer: 'control', audience: 'signer', clock })
  expect((await verify(`Bearer ${token}`)).subject).toBe('api')
})

test('login key: is a Stellar seed', async () => {
  const seed = reveal(await openLoginKey({ environment: 'development', dataDirectory: directory() }, random))
  expect(StrKey.isValidEd25519SecretSeed(seed)).toBe(true)
})
