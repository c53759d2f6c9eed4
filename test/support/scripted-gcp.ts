/**
 * Cloud KMS as a script: one function answers requests that came over REST and over gRPC alike, so that every lie and
 * every error is told through both. Knows nothing of keys; what it says is what the test wrote.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { protos } from '@google-cloud/kms'
import { Metadata, Server, ServerCredentials, status as codes } from '@grpc/grpc-js'

/** In the JSON form of the API on both transports: bytes as base64, 64-bit integers as strings, enums by name. */
export type GcpMessage = Record<string, unknown>

export interface GcpSeen {
  readonly operation: string
  /** The resource: `name`, `parent` or `resource`. */
  readonly name: string
  readonly request: GcpMessage
  readonly headers: ReadonlyMap<string, string>
}

export interface GcpProblem {
  readonly status: string
  readonly message?: string
  /** REST: instead of the usual HTTP status. */
  readonly http?: number
  readonly details?: readonly GcpMessage[]
  readonly headers?: Readonly<Record<string, string>>
}

export type GcpReply =
  | { readonly answer: GcpMessage; readonly headers?: Readonly<Record<string, string>> }
  | { readonly problem: GcpProblem }
  /** Says nothing at all. */
  | 'hang'

export interface ScriptedGcp {
  readonly transport: 'rest' | 'grpc'
  readonly url: string
  readonly seen: GcpSeen[]
  /** Resolves when the next request is there. */
  arrived(): Promise<GcpSeen>
  close(): Promise<void>
}

export type GcpScript = (seen: GcpSeen) => GcpReply

const HTTP: Readonly<Record<string, number>> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
}

function recorder() {
  const seen: GcpSeen[] = []
  const waiting: ((each: GcpSeen) => void)[] = []
  return {
    seen,
    note(each: GcpSeen): GcpSeen {
      seen.push(each)
      waiting.shift()?.(each)
      return each
    },
    arrived: () => new Promise<GcpSeen>(resolve => waiting.push(resolve)),
  }
}

export const scriptedGcp = (transport: 'rest' | 'grpc', script: GcpScript): Promise<ScriptedGcp> =>
  transport === 'rest' ? scriptedRest(script) : scriptedGrpc(script)

async function scriptedRest(script: GcpScript): Promise<ScriptedGcp> {
  const { seen, note, arrived } = recorder()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', part => parts.push(part))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://x')
      const body = Buffer.concat(parts).toString('utf8')
      const each: GcpSeen = {
        ...operationOf(request.method ?? '', url.pathname),
        request: { ...Object.fromEntries(url.searchParams), ...(body === '' ? {} : JSON.parse(body)) },
        headers: new Map(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      }
      const reply = script(note(each))
      if (reply === 'hang') return
      const problem = 'problem' in reply ? reply.problem : undefined
      const headers = 'answer' in reply ? reply.headers : reply.problem.headers
      const text =
        'answer' in reply
          ? JSON.stringify(reply.answer)
          : JSON.stringify({ error: { code: 0, message: 'vendor text', ...problem } })
      response.writeHead(problem === undefined ? 200 : (problem.http ?? HTTP[problem.status] ?? 500), {
        'content-type': 'application/json; charset=UTF-8',
        ...headers,
      })
      response.end(text)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    transport: 'rest',
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    seen,
    arrived,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** The last word of a POST names its operation; a GET is told by its last collection. */
function operationOf(method: string, path: string): { operation: string; name: string } {
  const full = decodeURIComponent(path).replace(/^\/v1\//, '')
  const colon = full.lastIndexOf(':')
  const verb = full.slice(colon + 1)
  if (method === 'POST' && /^[a-zA-Z]+$/.test(verb)) {
    return { operation: `${verb[0]?.toUpperCase()}${verb.slice(1)}`, name: full.slice(0, colon) }
  }
  const parts = full.split('/')
  const last = parts.at(-1)
  const parent = parts.slice(0, -1).join('/')
  if (last === 'publicKey') return { operation: 'GetPublicKey', name: parent }
  if (last === 'cryptoKeyVersions') return { operation: 'ListCryptoKeyVersions', name: parent }
  if (last === 'cryptoKeys')
    return { operation: method === 'POST' ? 'CreateCryptoKey' : 'ListCryptoKeys', name: parent }
  return { operation: parts.at(-2) === 'cryptoKeyVersions' ? 'GetCryptoKeyVersion' : 'GetCryptoKey', name: full }
}

interface MessageType {
  decode(bytes: Uint8Array): object
  encode(message: object): { finish(): Uint8Array }
  fromObject(object: object): object
  toObject(message: object, options: object): GcpMessage
}

const v1 = protos.google.cloud.kms.v1 as unknown as Record<string, MessageType>
const KMS = '/google.cloud.kms.v1.KeyManagementService/'
const METHODS: readonly (readonly [operation: string, request: string, response: string])[] = [
  ['AsymmetricSign', 'AsymmetricSignRequest', 'AsymmetricSignResponse'],
  ['GetPublicKey', 'GetPublicKeyRequest', 'PublicKey'],
  ['Encrypt', 'EncryptRequest', 'EncryptResponse'],
  ['Decrypt', 'DecryptRequest', 'DecryptResponse'],
  ['GetCryptoKey', 'GetCryptoKeyRequest', 'CryptoKey'],
  ['GetCryptoKeyVersion', 'GetCryptoKeyVersionRequest', 'CryptoKeyVersion'],
  ['ListCryptoKeyVersions', 'ListCryptoKeyVersionsRequest', 'ListCryptoKeyVersionsResponse'],
  ['CreateCryptoKey', 'CreateCryptoKeyRequest', 'CryptoKey'],
]

async function scriptedGrpc(script: GcpScript): Promise<ScriptedGcp> {
  const { seen, note, arrived } = recorder()
  const server = new Server()
  const definition: Record<string, object> = {}
  const handlers: Record<string, unknown> = {}
  const add = (
    path: string,
    operation: string,
    decode: (bytes: Buffer) => GcpMessage,
    encode: (message: GcpMessage) => Uint8Array,
  ): void => {
    definition[operation] = {
      path,
      requestStream: false,
      responseStream: false,
      requestDeserialize: decode,
      requestSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (message: GcpMessage) => Buffer.from(encode(message)),
    }
    handlers[operation] = (call: { request: GcpMessage; metadata: Metadata }, done: (...args: unknown[]) => void) => {
      const { request } = call
      const name = (request['name'] ?? request['parent'] ?? request['resource'] ?? '') as string
      const headers = new Map(Object.entries(call.metadata.getMap()).map(([key, value]) => [key, String(value)]))
      const reply = script(note({ operation, name, request, headers }))
      if (reply === 'hang') return
      if ('answer' in reply) return done(null, reply.answer)
      done({
        code: codes[reply.problem.status as keyof typeof codes],
        details: reply.problem.message ?? 'vendor text',
        metadata: trailers(reply.problem),
      })
    }
  }
  for (const [operation, request, response] of METHODS) {
    add(
      `${KMS}${operation}`,
      operation,
      bytes =>
        plain(type(request).toObject(type(request).decode(bytes), { bytes: String, longs: String, enums: String })),
      answer =>
        type(response)
          .encode(type(response).fromObject(wrapped(answer) as object))
          .finish(),
    )
  }
  add('/google.iam.v1.IAMPolicy/TestIamPermissions', 'TestIamPermissions', readIam, writeIam)
  server.addService(definition as never, handlers as never)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return {
    transport: 'grpc',
    url: `http://127.0.0.1:${port}`,
    seen,
    arrived,
    close: async () => server.forceShutdown(),
  }
}

function type(name: string): MessageType {
  const found = v1[name]
  if (found === undefined) throw new Error(`no message ${name}`)
  return found
}

const isObject = (value: unknown): value is GcpMessage =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isChecksum = (name: string) =>
  name === 'crc32cChecksum' || (name.endsWith('Crc32c') && !name.startsWith('verified'))

/** Int64Value is a bare string in JSON and a message in protobuf. */
function wrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wrapped)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isChecksum(name) ? { value: inner } : wrapped(inner)]),
  )
}

function plain(value: unknown): GcpMessage {
  const walk = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.map(walk)
    if (!isObject(each)) return each
    return Object.fromEntries(
      Object.entries(each).map(([name, inner]) => [
        name,
        isChecksum(name) ? String((inner as { value?: unknown }).value) : walk(inner),
      ]),
    )
  }
  return walk(value) as GcpMessage
}

/** google.iam.v1 is not among the client's messages: resource = 1, permissions = 2; in the answer permissions = 1. */
function readIam(bytes: Buffer): GcpMessage {
  const fields = fieldsOf(bytes)
  return {
    resource: fields.find(([number]) => number === 1)?.[1].toString('utf8'),
    permissions: fields.filter(([number]) => number === 2).map(([, value]) => value.toString('utf8')),
  }
}

const writeIam = (answer: GcpMessage): Uint8Array =>
  Buffer.concat(((answer['permissions'] ?? []) as string[]).map(text => field(1, Buffer.from(text))))

/** Length-delimited fields of up to 127 × 128 bytes; enough for a script. */
function fieldsOf(bytes: Buffer): (readonly [number, Buffer])[] {
  const found: (readonly [number, Buffer])[] = []
  for (let at = 0; at < bytes.length; ) {
    const number = (bytes[at++] ?? 0) >> 3
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    found.push([number, bytes.subarray(at, at + length)])
    at += length
  }
  return found
}

function field(number: number, value: Buffer): Buffer {
  const length = value.length < 0x80 ? [value.length] : [(value.length & 0x7f) | 0x80, value.length >> 7]
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), value])
}

/** google.rpc.Status with its details, as the service puts it into the trailers. */
function trailers({ status, message = 'vendor text', details = [], headers = {} }: GcpProblem): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  const code = codes[status as keyof typeof codes]
  const any = details.map(each => {
    const url = String(each['@type'])
    return field(3, Buffer.concat([field(1, Buffer.from(url)), field(2, detail(url, each))]))
  })
  const bytes = Buffer.concat([Buffer.from([0x08, code]), field(2, Buffer.from(message)), ...any])
  metadata.set('grpc-status-details-bin', bytes)
  return metadata
}

function detail(url: string, each: GcpMessage): Buffer {
  if (url.endsWith('ErrorInfo')) return field(1, Buffer.from(String(each['reason'])))
  if (url.endsWith('RetryInfo')) {
    const seconds = Number.parseInt(String(each['retryDelay']), 10)
    return field(1, Buffer.from([0x08, seconds]))
  }
  const violations = (each['violations'] ?? []) as GcpMessage[]
  return Buffer.concat(violations.map(violation => field(1, field(1, Buffer.from(String(violation['type']))))))
}
