import { after } from 'node:test'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials as grpcCredentials } from '@grpc/grpc-js'
import { OAuth2Client, PassThroughClient } from 'google-auth-library'
import { type Clock, systemClock } from '../../local-kms/core/clock.ts'
import type { FaceWorld } from '../../local-kms/core/face.ts'
import { createFaults, type Fault, type FaultRule, type Faults } from '../../local-kms/core/faults.ts'
import { createLatency, type LatencyOptions } from '../../local-kms/core/latency.ts'
import { rememberStreams, seededStreams, systemRandom } from '../../local-kms/core/random.ts'
import { startServer } from '../../local-kms/core/server.ts'
import { createGcpFace, type GcpFace, type GcpFaceOptions } from '../../local-kms/gcp/face.ts'

export interface GcpRig {
  readonly face: GcpFace
  readonly faults: Faults
  readonly clock: Clock
  /** Of the REST port, such as http://127.0.0.1:1234. */
  readonly rest: string
  /** `host:port` */
  readonly grpc: string
  readonly audited: unknown[]
  changes(): number
  client(transport: Transport, token?: string): KeyManagementServiceClient
  fail(fault: Fault, rule?: Partial<FaultRule>): void
  close(): Promise<void>
}

export type Transport = 'grpc' | 'rest'
export const TRANSPORTS: readonly Transport[] = ['grpc', 'rest']

export interface RigOptions extends GcpFaceOptions {
  readonly clock?: Clock
  readonly masterSeed?: string
  readonly latency?: LatencyOptions
}

/** A face on both its transports; everything ends with the test file. */
export async function startGcp(options: RigOptions = {}): Promise<GcpRig> {
  const clock = options.clock ?? systemClock
  const faults = createFaults([], () => seededStreams('faults')('faults'))
  const latency = createLatency(options.latency ?? { profile: 'none' }, seededStreams('latency')('latency'), 'gcp')
  const audited: unknown[] = []
  let changes = 0
  const { masterSeed } = options
  const world: FaceWorld = {
    clock,
    streams: rememberStreams(masterSeed === undefined ? () => systemRandom : seededStreams(masterSeed)),
    seeded: masterSeed !== undefined,
    entropy: systemRandom,
    faults,
    latency: () => latency,
    onAudit: (_, record) => void audited.push(record),
    onChange: () => void changes++,
  }
  const face = await createGcpFace(world, options)
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    allowNonLoopback: false,
    bodyBytesMax: 1024 * 1024,
    clock,
    handle: request => face.handle(request),
  })
  const grpc = await face.startGrpc({ host: '127.0.0.1', port: 0 })
  const clients: KeyManagementServiceClient[] = []
  const close = async (): Promise<void> => {
    await Promise.all(clients.map(client => client.close()))
    await face.close()
    await server.close()
  }
  after(close)
  return {
    face,
    faults,
    clock,
    rest: server.url,
    grpc: grpc.url,
    audited,
    changes: () => changes,
    client(transport, token) {
      const client = clientOf(transport, transport === 'grpc' ? grpc.url : server.url, token)
      clients.push(client)
      return client
    },
    fail: (fault, rule) => faults.add({ ...rule, fault }),
    close,
  }
}

/** The vendor's client, unmodified. */
export function clientOf(transport: Transport, address: string, token?: string): KeyManagementServiceClient {
  const [host = '', port = ''] = address.replace('http://', '').split(':')
  const place = { apiEndpoint: host, port: Number(port) }
  if (transport === 'grpc') {
    return new KeyManagementServiceClient({
      ...place,
      sslCreds: grpcCredentials.createInsecure(),
      authClient: authOf(token),
    })
  }
  return new KeyManagementServiceClient({ ...place, fallback: true, protocol: 'http', authClient: authOf(token) })
}

function authOf(token: string | undefined): PassThroughClient | OAuth2Client {
  if (token === undefined) return new PassThroughClient()
  const client = new OAuth2Client()
  client.setCredentials({ access_token: token, expiry_date: Date.now() + 3_600_000 })
  return client
}

/** Over gRPC the client puts tokens on channels with TLS only; without, they go along as metadata. */
export const withToken = (token: string): { otherArgs: { headers: Record<string, string> } } => ({
  otherArgs: { headers: { authorization: `Bearer ${token}` } },
})

export interface GcpFailure {
  readonly code: number | undefined
  readonly message: string
  readonly reason: string | undefined
  readonly statusDetails: readonly unknown[]
}

/** What the client makes of a refusal. Throws when nothing was refused. */
export async function refused(call: Promise<unknown>): Promise<GcpFailure> {
  try {
    await call
  } catch (problem) {
    const error = problem as Error & { code?: number; details?: string; reason?: string; statusDetails?: unknown[] }
    return {
      code: error.code,
      message: error.message,
      reason: error.reason,
      statusDetails: error.statusDetails ?? [],
    }
  }
  throw new Error('Nothing was refused')
}

/** A call below the client, for requests it would never send. */
export async function raw(
  rig: { readonly rest: string },
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; text: string; json: Record<string, any> }> {
  const response = await fetch(`${rig.rest}/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let json: Record<string, any> = {}
  try {
    json = JSON.parse(text) as Record<string, any>
  } catch {
    // some answers are no JSON on purpose
  }
  return { status: response.status, headers: response.headers, text, json }
}

export const LOCATION = 'projects/demo/locations/global'
export const RING = `${LOCATION}/keyRings/ring`
export const keyName = (id: string): string => `${RING}/cryptoKeys/${id}`
export const versionOf = (id: string, version = 1): string => `${keyName(id)}/cryptoKeyVersions/${version}`

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
export const toHex = (data: Uint8Array | string | null | undefined): string =>
  Buffer.from(data as Uint8Array).toString('hex')

/** RFC 8032 section 7.1. */
export const RFC_8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    point: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    point: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    point: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
] as const
