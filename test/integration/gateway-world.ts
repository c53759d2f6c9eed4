/** Whole services as `serve` makes them from a configuration: real sockets, real stores, real logs, real logins. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { openIssuerKey } from '../../src/compose/own-keys.ts'
import { type RunningService, type ServiceSettings, startService } from '../../src/compose/service.ts'
import { serviceSettings } from '../../src/compose/settings.ts'
import { loadConfig } from '../../src/config/load.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import type { Role } from '../../src/domain/admins.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { reveal, SecretBytes } from '../../src/domain/secret.ts'
import { type PolicyDocument, parsePolicy } from '../../src/policy/index.ts'
import { openRuntime, type Runtime } from '../../src/runtime/index.ts'
import { wrapSeed } from '../../src/service/register.ts'
import { testKey } from '../fuzz/xdr-corpus.ts'
import { memoryLogger } from '../support/rig.ts'
import { BASE, dpopProof, type Sender } from '../unit/access/senders.ts'

const CONFIG = `
environment = "development"
[server]
host = "127.0.0.1"
port = 0
baseUrls = ["${BASE}"]
[control]
port = 0
baseUrls = ["http://localhost"]
[login]
homeDomain = "localhost"
network = "testnet"
[admission.limits.perAddress]
count = 100000
[admission.limits.perToken]
count = 100000
[admission.limits.failures]
count = 100000
[providers.mock]
kind = "mock"
`

type Adjust = (settings: ServiceSettings) => ServiceSettings

/** The settings of a configuration with these on top, sender-constrained as in production. */
export async function settingsOf(
  runtime: Runtime,
  flags: Readonly<Record<string, unknown>>,
  adjust: Adjust = settings => settings,
  files: Readonly<Record<string, string>> = {},
): Promise<ServiceSettings> {
  const readFile = (path: string): string => ({ '/c.toml': CONFIG, ...files })[path] ?? assert.fail(`no file ${path}`)
  const config = await loadConfig({ file: '/c.toml', env: {}, flags, readFile })
  const { gateway, ...settings } = serviceSettings(config, runtime.world())
  assert.ok(gateway !== undefined)
  return adjust({ ...settings, gateway: { ...gateway, senderConstraint: 'required' } })
}

export interface Plant {
  readonly home: string
  readonly runtime: Runtime
  readonly logs: Record<string, unknown>[]
  start(flags: Readonly<Record<string, unknown>>, adjust?: Adjust): Promise<RunningService>
  close(): Promise<void>
}

/** Directories and services that `close` takes away again. */
export async function openPlant(): Promise<Plant> {
  const home = await mkdtemp(join(tmpdir(), 'countersign-gateway-'))
  const runtime = await openRuntime()
  const logs: Record<string, unknown>[] = []
  const services: RunningService[] = []
  return {
    home,
    runtime,
    logs,
    start: async (flags, adjust) => {
      const settings = await settingsOf(runtime, { 'data.directory': home, ...flags }, adjust)
      const service = await startService(settings, runtime, memoryLogger(logs))
      services.push(service)
      return service
    },
    close: async () => {
      for (const service of services.toReversed()) await service.stop(500).catch(() => {})
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** The public half of the issuer that a control plane made itself in this directory. */
export async function issuerKeys(dataDirectory: string, runtime: Runtime): Promise<string> {
  const key = await openIssuerKey({ environment: 'development', dataDirectory }, runtime.world().random)
  const { d: _, ...jwk } = JSON.parse(reveal(key)) as Record<string, string>
  return JSON.stringify({ keys: [{ ...jwk, alg: 'EdDSA' }] })
}

/** The key `name` of a seed that follows from its name, as `testKey` has it. */
export async function addKey(
  service: RunningService,
  runtime: Runtime,
  name: string,
  policy: PolicyDocument,
  provider = 'mock',
) {
  const deps = registerDeps(service.room, runtime.world(), 'development')
  const key = { name, chain: 'stellar', network: 'testnet', provider, policy: parsePolicy(policy).text } as const
  const seed = new SecretBytes(sha256(new TextEncoder().encode(`countersign test key ${name}`)), `seed of ${name}`)
  const { version } = await wrapSeed(deps, key, { seed })
  assert.equal(version.address, testKey(name).publicKey())
}

export interface Person {
  readonly pair: Keypair
  readonly token: string
}

/** An administrator of these roles, logged in by SEP-10. */
export async function loginAs(
  service: RunningService,
  roles: readonly Role[],
  controlUrl = service.controlUrl,
): Promise<Person> {
  const pair = Keypair.random()
  const at = Date.now() - 10_000
  const address = pair.publicKey()
  await service.room.store.admins.add({
    address,
    name: roles.join(' '),
    roles,
    active: true,
    createdAt: at,
    changedAt: at,
  })
  return { pair, token: await login(controlUrl ?? assert.fail('no control plane'), pair) }
}

/** Believed only where this machine is a listed proxy. */
const FORWARDED = { 'x-forwarded-for': '192.0.2.99' }

export async function login(controlUrl: string, pair: Keypair): Promise<string> {
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { 'content-type': 'application/json', ...FORWARDED }
    const response = await fetch(controlUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
    const answer = (await response.json()) as Record<string, string>
    assert.equal(response.status, 200, JSON.stringify(answer))
    return answer
  }
  const { transaction = '', networkPassphrase = '' } = await post('/auth/challenge', { address: pair.publicKey() })
  const challenge = TransactionBuilder.fromXDR(transaction, networkPassphrase)
  challenge.sign(pair)
  return (await post('/auth/token', { transaction: challenge.toXDR() }))['token'] ?? assert.fail('no token')
}

let count = 0
export const unique = (prefix: string): string => `${prefix}-${++count}`

export interface Told {
  readonly status: number
  readonly code: string | undefined
  readonly requestId: string
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export async function told(response: Response): Promise<Told> {
  const text = await response.text()
  let body: Record<string, unknown> = {}
  try {
    body = JSON.parse(text) as Record<string, unknown>
  } catch {
    body = { text }
  }
  const code = typeof body['code'] === 'string' ? body['code'] : undefined
  return {
    status: response.status,
    code,
    requestId: response.headers.get('x-request-id') ?? '',
    headers: response.headers,
    body,
  }
}

/** What an administrator asks of a control plane. */
export async function administer(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<Told> {
  const headers = {
    ...FORWARDED,
    authorization: `Bearer ${token}`,
    ...(method === 'GET' ? {} : { 'idempotency-key': unique('admin') }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  return told(
    await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }),
  )
}

export interface Grant {
  readonly subject?: string
  readonly scopes: readonly string[]
  readonly constraints?: object
  readonly sender?: Sender
  readonly seconds?: number
}

export interface Issued {
  readonly id: string
  readonly token: string
}

export async function issue(
  controlUrl: string,
  operator: Person,
  { sender, subject = 'payments', ...grant }: Grant,
): Promise<Issued> {
  const confirmation = sender === undefined ? {} : { confirmation: { jkt: sender.jkt } }
  const { status, body } = await administer(controlUrl, operator.token, 'POST', '/v1/tokens', {
    subject,
    ...grant,
    ...confirmation,
  })
  assert.equal(status, 201, JSON.stringify(body))
  return { id: String(body['id']), token: String(body['token']) }
}

export interface Call {
  readonly path?: string
  readonly method?: string
  /** Text as it is sent. */
  readonly body?: string
  readonly idempotencyKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly claims?: object
  /** Proves for this body instead. */
  readonly provenBody?: string
  readonly proof?: string
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A service with a token and the key it is bound to. */
export function caller(url: string, token: string, sender: Sender) {
  const proofFor = (call: Call): Promise<string> => {
    const { path = '/v1/keys/treasury/sign', method = 'POST', body = '', idempotencyKey } = call
    const iat = Math.floor(Date.now() / 1000)
    const request = {
      ...{ method, path, body: encode(call.provenBody ?? body), peer: '127.0.0.1' },
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    }
    return dpopProof(sender, token, request, { claims: { iat, jti: unique(`proof-${iat}`), ...call.claims } })
  }
  const ask = async (wanted: Call): Promise<Told> => {
    const call = { idempotencyKey: (wanted.method ?? 'POST') === 'GET' ? undefined : unique('call'), ...wanted }
    const { path = '/v1/keys/treasury/sign', method = 'POST', body, idempotencyKey } = call
    const headers: Record<string, string> = {
      authorization: `DPoP ${token}`,
      dpop: call.proof ?? (await proofFor(call)),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...call.headers,
    }
    for (const [name, value] of Object.entries(headers)) if (value === '') delete headers[name]
    return told(await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) }))
  }
  return { token, sender, url, proofFor, ask }
}
export type Caller = ReturnType<typeof caller>

export const transactionBody = (xdr: string): string => JSON.stringify({ type: 'stellar-transaction', xdr })
