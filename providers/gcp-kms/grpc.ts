import { KeyManagementServiceClient } from '@google-cloud/kms'
import { type Client, connectivityState, credentials } from '@grpc/grpc-js'
import { secretCopy } from '../../src/bytes/secret-room.ts'
import type { Call } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { isLoopback } from '../endpoint.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import { type GrpcFailure, vendorErrorOf } from './grpc-errors.ts'
import { PUBLIC_ENDPOINT, type WireOptions } from './rest.ts'
import { FormError, toSignerError, VendorError } from './translate.ts'
import {
  type Attempted,
  BYTES_FIELDS,
  checksumOf,
  isChecksumField,
  type Message,
  type Operation,
  type OperationName,
  type Wire,
  type WireFields,
  type WireRequest,
} from './wire.ts'

/** As over REST. */
const ANSWER_BYTES_MAX = 256 * 1024
/** The caller's signal is the deadline; this one only bounds a call whose caller forgot it. */
const DEADLINE_MS = 10 * 60_000

/** The library's method, the member that names the resource, and where the method lives. */
const ROWS: Readonly<Record<OperationName, { method: string; names: string; iam?: true; list?: true; update?: true }>> =
  {
    AsymmetricSign: { method: 'asymmetricSign', names: 'name' },
    GetPublicKey: { method: 'getPublicKey', names: 'name' },
    Encrypt: { method: 'encrypt', names: 'name' },
    Decrypt: { method: 'decrypt', names: 'name' },
    GetCryptoKey: { method: 'getCryptoKey', names: 'name' },
    GetCryptoKeyVersion: { method: 'getCryptoKeyVersion', names: 'name' },
    ListCryptoKeyVersions: { method: 'listCryptoKeyVersions', names: 'parent', list: true },
    CreateCryptoKey: { method: 'createCryptoKey', names: 'parent' },
    CreateImportJob: { method: 'createImportJob', names: 'parent' },
    GetImportJob: { method: 'getImportJob', names: 'name' },
    ImportCryptoKeyVersion: { method: 'importCryptoKeyVersion', names: 'parent' },
    UpdateCryptoKeyVersion: { method: 'updateCryptoKeyVersion', names: 'crypto_key_version.name', update: true },
    DestroyCryptoKeyVersion: { method: 'destroyCryptoKeyVersion', names: 'name' },
    TestIamPermissions: { method: 'testIamPermissions', names: 'resource', iam: true },
  }

type Inner = (request: object, options: object) => Promise<unknown[]> & { cancel(): void }

/** Google's own client over gRPC, loaded with this module and not before. */
export function openGrpc({ provider, endpoint = PUBLIC_ENDPOINT, auth }: WireOptions): Wire {
  const url = new URL(endpoint)
  const local = isLoopback(url.hostname)
  let client = new KeyManagementServiceClient(clientOptions(url))
  let closed = false

  /**
   * A call that got no answer says nothing good about its connection, and gRPC would keep it: a silent one until the kernel
   * gives up, one that never opened for 20 seconds. The next call has a new one, as over REST.
   */
  function leave(left: KeyManagementServiceClient): void {
    if (closed || client !== left) return
    client = new KeyManagementServiceClient(clientOptions(url))
    close(left)
  }

  async function attempt(operation: Operation, request: WireRequest, call: Call): Promise<Attempted> {
    const record = { sent: false }
    let dialled: KeyManagementServiceClient | undefined
    try {
      if (closed || call.signal.aborted) throw new TransportError('not-sent')
      const headers = await auth.headers(call.signal)
      const { iam } = ROWS[operation.name]
      const mine = client
      const stub = await orAborted(iam ? mine.iamClient.initialize() : mine.initialize(), call.signal)
      dialled = mine
      await connected(stub as unknown as Client, call.signal)
      record.sent = true
      return await exchange(mine, operation, request, call, headers)
    } catch (caught) {
      const error = causeOf(caught, record.sent, call.signal)
      if (dialled !== undefined && error instanceof TransportError && error.kind !== 'oversized') leave(dialled)
      if (error instanceof VendorError && error.status === 'UNAUTHENTICATED') auth.forget()
      throw toSignerError({ provider, operation, ...record, error })
    }
  }

  async function exchange(
    { iamClient, innerApiCalls }: KeyManagementServiceClient,
    operation: Operation,
    request: WireRequest,
    call: Call,
    headers: Readonly<Record<string, string>>,
  ): Promise<Attempted> {
    const { method, names, iam, list, update } = ROWS[operation.name]
    // Not the public methods of the client: those hand every request and answer, opened keys too, to a logger that an
    // environment variable turns on, and read the whole API description again for every error.
    const inner = (iam ? iamClient.innerApiCalls : innerApiCalls)[method] as unknown as Inner
    const message = update ? changed(request) : { [names]: request.name, ...grpcFields(request) }
    const going = inner(message, {
      timeout: DEADLINE_MS,
      retry: null,
      autoPaginate: false,
      otherArgs: {
        headers: {
          ...headers,
          'x-goog-request-params': `${names}=${encodeURIComponent(request.name)}`,
          'x-goog-request-reason': call.requestId,
        },
      },
    })
    try {
      const answer = await orAborted(going, call.signal)
      return accept(operation, list ? answer[2] : answer[0])
    } catch (error) {
      // Lets the stream go; an opened key that still arrives is overwritten unread.
      going.cancel()
      going.then(
        late => wipePlaintext(late[0]),
        () => {},
      )
      throw error
    }
  }

  return {
    local,
    attempt,
    identity: call => auth.identity(call.signal),
    close: () => {
      if (closed) return
      closed = true
      close(client)
    },
  }
}

/** Calls under way on it still end. */
function close(client: KeyManagementServiceClient): void {
  // Closing a client that was never used would connect it first.
  client.keyManagementServiceStub?.then(() => client.close()).catch(() => {})
  client.iamClient.iamPolicyStub?.then(() => client.iamClient.close()).catch(() => {})
}

function clientOptions(url: URL): ConstructorParameters<typeof KeyManagementServiceClient>[0] {
  const plain = url.protocol === 'http:'
  return {
    apiEndpoint: url.hostname,
    port: url.port === '' ? (plain ? 80 : 443) : Number(url.port),
    fallback: false,
    universeDomain: 'googleapis.com',
    // Tokens travel with each call, from the same source as over REST: the library is given nothing to look for.
    sslCreds: plain ? credentials.createInsecure() : credentials.createSsl(),
    auth: NO_AUTH,
    enableTelemetryTracing: false,
    enableTelemetryLogging: false,
    'grpc.enable_retries': 0,
    // Else a new client would find the connection of the one that was left.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
  } as unknown as NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>
}

/**
 * A watch with an end has a timer, which keeps a process alive that waits for nothing else: the sockets of grpc-js do not.
 * It says nothing about deadlines; the watch is simply set again.
 */
const WATCH_MS = 1_000

/** What the library asks of an `auth` object when it is given channel credentials. */
const NO_AUTH = { getUniverseDomain: async () => 'googleapis.com' }

/**
 * Until there is a connection no byte of the request has left, and that is worth knowing apart: what fails here is
 * `unreachable`, what fails later may have arrived.
 */
async function connected(client: Client, signal: AbortSignal): Promise<void> {
  const channel = client.getChannel()
  for (;;) {
    if (signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
    const state = channel.getConnectivityState(true)
    if (state === connectivityState.READY) return
    if (state === connectivityState.SHUTDOWN) throw new TransportError('not-sent')
    if (state === connectivityState.TRANSIENT_FAILURE) throw new TransportError('unreachable')
    const changed = new Promise<void>(resolve => {
      channel.watchConnectivityState(state, new Date(Date.now() + WATCH_MS), () => resolve())
    })
    await orAborted(changed, signal).catch(() => {})
  }
}

function causeOf(caught: unknown, sent: boolean, signal: AbortSignal): unknown {
  if (caught instanceof TransportError || caught instanceof FormError) return caught
  if (signal.aborted) return new TransportError(sent ? 'aborted' : 'not-sent', { cause: signal.reason })
  return typeof (caught as GrpcFailure | undefined)?.code === 'number' ? vendorErrorOf(caught as GrpcFailure) : caught
}

/** Checksums are messages of their own in protobuf. */
function grpcFields({ name: _, fields = {}, ...beside }: WireRequest): Record<string, unknown> {
  return { ...wrapped(fields), ...beside }
}

const changed = ({ name, fields = {} }: WireRequest) => ({
  cryptoKeyVersion: { name, ...fields },
  updateMask: { paths: Object.keys(fields) },
})

const wrapped = (fields: WireFields): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (isChecksumField(name)) return [name, { value }]
      const nested = typeof value === 'object' && !(value instanceof Uint8Array) && !Array.isArray(value)
      return [name, nested ? wrapped(value as WireFields) : value]
    }),
  )

function accept(operation: Operation, answer: unknown): Attempted {
  if (typeof answer !== 'object' || answer === null) throw new FormError('no message')
  if (operation.name !== 'Decrypt') return { message: typed('', answer) as Message }
  try {
    const { plaintext: wire, ...rest } = answer as Record<string, unknown>
    if (!(wire instanceof Uint8Array) || wire.length === 0) throw new FormError('no plaintext')
    const message = typed('', rest) as Message
    return { message, plaintext: new SecretBytes(secretCopy(wire), 'plaintext of Decrypt') }
  } finally {
    wipePlaintext(answer)
  }
}

/** The decoder hands out a view of the frame it received, so this overwrites the frame. */
function wipePlaintext(answer: unknown): void {
  const { plaintext } = (answer ?? {}) as { plaintext?: unknown }
  if (plaintext instanceof Uint8Array) plaintext.fill(0)
}

/** As the JSON form: checksums as numbers, bytes as arrays of ours, absent instead of empty. */
function typed(name: string, value: unknown): unknown {
  if (value === null || value === undefined) return undefined
  if (BYTES_FIELDS.has(name)) return value instanceof Uint8Array ? Uint8Array.from(value) : undefined
  if (isChecksumField(name)) {
    const checksum = checksumOf((value as { value?: unknown }).value)
    if (checksum === undefined) throw new FormError('a checksum is not an integer of 32 bits')
    return checksum
  }
  if (Array.isArray(value)) return value.map(each => typed('', each))
  if (typeof value !== 'object' || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, typed(member, inner)]))
}
