/** A Vault of answers made up by the test, behind `fetch`, with a clock that moves when it is told. */
import { create as createDirect } from '../../../providers/vault-transit/edge.ts'
import { create } from '../../../providers/vault-transit/index.ts'
import type { VaultTransitConfig } from '../../../providers/vault-transit/config.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { Secret } from '../../../src/domain/secret.ts'

export interface Asked {
  readonly method: string
  readonly url: string
  /** Behind `/v1/`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Record<string, unknown>
  readonly text: string
  readonly redirect: string | undefined
}

export interface Told {
  readonly status?: number
  readonly headers?: Record<string, string>
  /** JSON, or the text as it is. */
  readonly body?: unknown
}

export const JSON_TYPE = { 'content-type': 'application/json' }
export const REQUEST_ID = '26e0cd68-145b-a3b3-3dd6-81ee18400e6f'
export const good = (data: unknown, more: object = {}): Told => ({
  body: { request_id: REQUEST_ID, lease_id: '', renewable: false, lease_duration: 0, data, warnings: null, ...more },
})
export const bad = (status: number, ...errors: string[]): Told => ({ status, body: { errors } })
export const login = (token: string, seconds: number, renewable = true, role?: unknown): Told =>
  good(null, {
    auth: { client_token: token, lease_duration: seconds, renewable, policies: ['signer'], metadata: { role } },
  })
/** What a cluster or a CI system gives: for Vault, and for nobody else. Not signed. */
export const jwtFor = (name: string, aud: unknown = 'vault'): string =>
  ['{"alg":"none"}', JSON.stringify({ aud, sub: name }), name]
    .map(part => Buffer.from(part).toString('base64url'))
    .join('.')
export const PERMISSION = '1 error occurred:\n\t* permission denied\n\n'
export const INVALID_TOKEN = '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
export const SIGNATURE = base64(new Uint8Array(64).fill(7))
export const signed = (version = 1): Told => good({ signature: `vault:v${version}:${SIGNATURE}`, key_version: version })

export type Script = (asked: Asked) => Told | Promise<Told>

/** Everything that was asked, and a clock in milliseconds. */
export interface Scene {
  readonly asked: Asked[]
  readonly world: ProviderWorld
  nowMs: number
  files: Record<string, string>
  count(path: string): number
}

export function scene(script: Script): Scene {
  const asked: Asked[] = []
  const it: Scene = {
    asked,
    nowMs: 0,
    files: {},
    count: path => asked.filter(each => each.path === path).length,
    world: {
      environment: 'development',
      random: { bytes: length => new Uint8Array(length).fill(9) },
      clock: {
        now: () => 1_800_000_000_000 + it.nowMs,
        monotonic: () => it.nowMs,
        sleep: (_ms, signal) =>
          new Promise((_resolve, reject) =>
            signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
          ),
      },
      readFile: async path => {
        const text = it.files[path]
        if (text === undefined) throw new Error(`ENOENT ${path}`)
        return text
      },
      fetch: async (url, init) => {
        const text =
          init.body instanceof Uint8Array
            ? new TextDecoder().decode(init.body)
            : typeof init.body === 'string'
              ? init.body
              : ''
        const headers = Object.fromEntries(new Headers(init.headers as Record<string, string>))
        const one: Asked = {
          method: init.method ?? 'GET',
          url,
          path: new URL(url).pathname.replace('/v1/', ''),
          headers,
          body: text === '' ? {} : JSON.parse(text),
          text,
          redirect: init.redirect,
        }
        asked.push(one)
        const { status = 200, headers: extra = {}, body } = await script(one)
        const sent = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
        return new Response(status === 204 ? null : sent, { status, headers: { ...JSON_TYPE, ...extra } })
      },
    },
  }
  return it
}

export const ADDRESS = 'https://vault.example:8200'
export const TOKEN = 'hvs.unit-token'
export const STATIC: VaultTransitConfig = { kind: 'vault-transit', address: ADDRESS, token: new Secret(TOKEN, 'token') }
export const APPROLE: VaultTransitConfig = {
  kind: 'vault-transit',
  address: ADDRESS,
  auth: 'approle',
  roleId: 'role-1',
  secretId: new Secret('secret-id-canary', 'secret id'),
}

export const open = (at: Scene, config: VaultTransitConfig = STATIC, way: 'node-vault' | 'direct' = 'node-vault') =>
  (way === 'direct' ? createDirect : create)(config, at.world)

export const KEY = 'transit/treasury@1'
export const MESSAGE = new Uint8Array(32).fill(3)
export const sign = (provider: EnvelopeProvider, signal = new AbortController().signal, key = KEY) =>
  provider.sign(key, { scheme: 'ed25519', message: MESSAGE }, { requestId: 'req', signal })

/** Lets everything run that needs no time. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
}
