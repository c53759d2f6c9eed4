import { after } from 'node:test'
import { type Clock, systemClock } from '../../local-kms/core/clock.ts'
import type { FaceWorld } from '../../local-kms/core/face.ts'
import { createFaults, type FaultRule } from '../../local-kms/core/faults.ts'
import { createLatency, type LatencyOptions } from '../../local-kms/core/latency.ts'
import { rememberStreams, seededStreams, type Streams, systemRandom } from '../../local-kms/core/random.ts'
import { startServer } from '../../local-kms/core/server.ts'
import { createVaultFace, type VaultFace, type VaultFaceOptions } from '../../local-kms/vault/face.ts'
import type { VaultSeed } from '../../local-kms/vault/seed.ts'

export interface WorldOptions {
  readonly clock?: Clock
  readonly masterSeed?: string
  readonly faults?: readonly FaultRule[]
  readonly latency?: LatencyOptions
  readonly onAudit?: (record: unknown) => void
  readonly onChange?: () => void
}

export function makeWorld(options: WorldOptions = {}): FaceWorld {
  const { masterSeed } = options
  const streams: Streams = masterSeed === undefined ? () => systemRandom : rememberStreams(seededStreams(masterSeed))
  const latency = createLatency(options.latency ?? { profile: 'none' }, systemRandom, 'vault')
  return {
    clock: options.clock ?? systemClock,
    streams,
    seeded: masterSeed !== undefined,
    entropy: systemRandom,
    faults: createFaults(options.faults ?? [], () => seededStreams('faults')('faults')),
    latency: () => latency,
    onAudit: (_face, record) => options.onAudit?.(record),
    onChange: () => options.onChange?.(),
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // Answers are looked into member by member
  readonly json: any
}

export interface Served {
  readonly url: string
  readonly face: VaultFace
  readonly world: FaceWorld
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

/** A face behind a server of its own, with the token `root` unless a call says otherwise; it ends with the test file. */
export async function serve(options: VaultFaceOptions = {}, world: WorldOptions = {}): Promise<Served> {
  const made = makeWorld(world)
  const face = await createVaultFace(made, options)
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    allowNonLoopback: false,
    bodyBytesMax: 32 * 1024 * 1024,
    clock: made.clock,
    handle: request => face.handle(request),
  })
  after(() => server.close())
  return { url: server.url, face, world: made, call: (...args) => ask(server.url, ...args) }
}

/** One call to a server that speaks this protocol. An empty `x-vault-token` sends none. */
export async function ask(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { 'x-vault-token': token = 'root', ...others } = headers
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: { ...(token === '' ? {} : { 'x-vault-token': token }), ...others },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, text, json }
}

/** A seed with an empty Transit engine. */
export const TRANSIT: VaultSeed = { version: 1, mounts: [{ path: 'transit', type: 'transit' }] }

export const b64 = (text: string): string => Buffer.from(text).toString('base64')
