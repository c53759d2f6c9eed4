/** docs/approvals.md, executed: its verifiers, in Node, against a data plane that listens. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { execFile } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openMetadataKey } from '../../src/approvals/index.ts'
import { Secret } from '../../src/domain/secret.ts'
import { publishedRoutes } from '../../src/http/routes-published.ts'
import { parsePolicy, type PolicyDocument } from '../../src/policy/index.ts'
import { createPublished } from '../../src/service/published.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { ROOT, run, scratch } from '../support/cli.ts'
import { NOW, openRig, type Rig } from '../support/rig.ts'
import { metadataJwk } from '../unit/approvals/samples.ts'

const page = readFileSync(join(ROOT, 'docs/approvals.md'), 'utf8')
const blocks = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
const [policyBlock = '', requestBlock = ''] = blocks('json')
const policy = JSON.parse(policyBlock) as PolicyDocument

const room = scratch()
const time = { ms: 0 }
let rig: Rig
let issuer: string
let server: ReturnType<typeof Bun.serve>

beforeAll(async () => {
  const clock = { now: () => Date.now() + time.ms, monotonic: () => performance.now() + time.ms }
  const key = await openMetadataKey(new Secret(metadataJwk(), 'test'))
  issuer = key.thumbprint
  const store = openMemoryStore({ clock })
  const deps = { clock, catalogue: store.keys, key, issuer: 'countersign', lifeSeconds: 3600 }
  const keys = [
    { name: 'desk', policy },
    { name: 'desk-evm', chain: 'evm', policy: { ...policy, network: 'sepolia' } },
  ] as const
  rig = await openRig({ store, keys, families: () => [publishedRoutes(createPublished(deps))] })
  rig.clock.advance(Date.now() - NOW) // the programs of the page know the real time
  server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: request => rig.http(new URL(request.url).pathname) })
  symlinkSync(join(ROOT, 'node_modules'), room.path('node_modules'))
  for (const script of blocks('js')) {
    const name = /^\/\/ (\w+\.mjs):/.exec(script)?.[1] ?? ''
    writeFileSync(room.path(name), script)
  }
})
afterAll(async () => {
  await server.stop(true)
  room.remove()
})

/** The request of the page, with times of now. */
async function approve(key: string): Promise<string> {
  const request = JSON.parse(requestBlock) as { approval: object }
  const now = Math.floor(Date.now() / 1000)
  const approval = { ...request.approval, issuedAt: now - 1, expiresAt: now + 300 }
  const response = await rig.sign({ key, token: await rig.token(), body: JSON.stringify({ ...request, approval }) })
  const answer = (await response.json()) as { jws?: string }
  expect(JSON.stringify(answer)).toContain('"jws":"eyJ')
  const file = room.path(`${key}.jws`)
  writeFileSync(file, `${answer.jws ?? ''}\n`)
  return file
}

const node = async (...args: readonly string[]): Promise<string> => {
  const [script = '', ...rest] = args
  const program = join(ROOT, 'node_modules/.bin/node')
  const { stdout } = await promisify(execFile)(program, [room.path(script), ...rest], { timeout: 20_000 })
  return stdout
}
const said = (promise: Promise<string>): Promise<string> =>
  promise.catch((error: { stderr?: string }) => `refused: ${error.stderr ?? ''}`)

test('M-35 docs/approvals.md: the policy and the configuration of the page are good ones', async () => {
  expect(parsePolicy(policy).rules.approvals).toHaveLength(1)
  const [toml = ''] = blocks('toml')
  const key = room.path('metadata-key.json')
  writeFileSync(key, metadataJwk(), { mode: 0o600 })
  const file = room.path('signer.toml')
  const text = toml.replace('/etc/countersign/metadata-key.json', key)
  writeFileSync(file, `environment = "development"\n[data]\ndirectory = "${room.path('data')}"\n${text}`)
  expect((await run(['approvals', 'issuer', '--config', file])).out).toMatch(/^[\w-]{43}\n$/)
})

test('M-35 docs/approvals.md: the verifiers of the page, in Node, take what was signed by either kind of key, until it is revoked', async () => {
  const [desk, evm] = [await approve('desk'), await approve('desk-evm')]
  const url = server.url.href
  const [byKeySet, byDocument, byEvm, otherIssuer, otherAudience] = await Promise.all([
    said(node('keyset.mjs', url, desk, 'settlement')),
    said(node('verifier.mjs', url, issuer, desk, 'settlement')),
    said(node('verifier.mjs', url, issuer, evm, 'settlement')),
    said(node('verifier.mjs', url, 'A'.repeat(43), desk, 'settlement')),
    said(node('verifier.mjs', url, issuer, evm, 'somebody')),
  ])
  expect([byKeySet, byDocument, byEvm]).toEqual(Array(3).fill('escrow.release order-42\n'))
  expect(otherIssuer).toContain('signed by somebody else')
  expect(otherAudience).toContain('it is for somebody else')

  const keys = room.path('keys.jws')
  const fetchKeys = async (): Promise<void> =>
    writeFileSync(keys, await (await rig.http('/.well-known/countersign-keys')).text())
  await fetchKeys()
  const verify = (file: string) =>
    run(['approvals', 'verify', '--jws', file, '--metadata', keys, '--issuer', issuer, '--audience', 'settlement'])
  for (const file of [desk, evm]) expect((await verify(file)).exitCode).toBe(0)

  for (const name of ['desk', 'desk-evm']) await rig.store.keys.setState(name, 1, 'revoked')
  time.ms = 2_000
  await fetchKeys()
  for (const file of [desk, evm]) expect((await verify(file)).exitCode).toBe(3)
  const refused = await Promise.all([
    said(node('keyset.mjs', url, desk, 'settlement')),
    said(node('verifier.mjs', url, issuer, desk, 'settlement')),
    said(node('verifier.mjs', url, issuer, evm, 'settlement')),
  ])
  expect(refused[0]).toContain('no applicable key found')
  expect(refused[1]).toContain('its key is not good')
  expect(refused[2]).toContain('its key is not good')
}, 30_000)
