/** gRPC over HTTP/2 without TLS. Loaded only when a client connects. */
import type { Socket } from 'node:net'
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { SocketTaker } from '../core/lazy-port.ts'
import { errorOf, grpcErrorOfHttp, refuseOverGrpc, writeGrpc } from './damage.ts'
import { loadSchema, type Method, type Schema } from './descriptors.ts'
import type { CallOut, Engine } from './engine.ts'
import { GcpError, invalidArgument } from './errors.ts'
import { decodeMessage, encodeMessage, ProtoError } from './proto.ts'

type Unary = ServerUnaryCall<Uint8Array, Uint8Array>
type Answer = sendUnaryData<Uint8Array>

export interface GrpcOptions {
  readonly engine: Engine
  /** Resolves once what changed is on file. */
  readonly saved: () => Promise<void>
}

/** A server for sockets that a port of ours accepted, so that faults can reach the connection below the protocol. */
export async function createGrpcServer({ engine, saved }: GrpcOptions): Promise<SocketTaker> {
  const schema = await loadSchema()
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 })
  const sockets = new Map<string, { readonly socket: Socket; fresh: boolean }>()
  let hanging: (() => void)[] = []

  const play = async (method: Method, call: Unary, answer: Answer): Promise<void> => {
    const peer = sockets.get(call.getPeer())
    const freshConnection = peer?.fresh === true
    if (peer !== undefined) peer.fresh = false
    const header = (name: string): string | undefined => call.metadata.get(name)[0]?.toString()
    const out = await engine({
      method,
      read: () => read(method, call.request),
      authorization: header('authorization'),
      userAgent: header('user-agent') ?? '',
      remoteAddress: peer?.socket.remoteAddress ?? '',
      freshConnection,
      check: refuseOverGrpc,
    })
    await saved()
    if (out.broken?.kind === 'hang') {
      // Until the client gives up or the server closes
      await new Promise<void>(resolve => {
        hanging.push(resolve)
        call.on('cancelled', resolve)
      })
      return
    }
    // Half a stream is noticed by HTTP/2 itself: to the client it is a connection that broke
    const cut = out.output !== undefined && out.faults.some(fault => fault.kind === 'truncate')
    if (out.broken?.kind === 'reset' || cut) return reset(peer?.socket)
    send(schema, method, out, answer)
  }

  for (const methods of Map.groupBy(schema.methods, method => method.service).values()) {
    const definition = Object.fromEntries(methods.map(method => [method.name, definitionOf(method)]))
    const handlers: UntypedServiceImplementation = Object.fromEntries(
      methods.map(method => [
        method.name,
        (call: Unary, answer: Answer) => {
          play(method, call, answer).catch(() =>
            fail(schema, new GcpError('INTERNAL', 'Internal error encountered.'), answer),
          )
        },
      ]),
    )
    server.addService(definition, handlers)
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())

  return {
    take(socket) {
      const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`
      sockets.set(peer, { socket, fresh: true })
      socket.once('close', () => sockets.delete(peer))
      injector.injectConnection(socket)
      socket.resume() // whoever accepted it may have left the first bytes in the kernel
    },
    close() {
      for (const release of hanging) release()
      hanging = []
      injector.destroy()
      server.forceShutdown()
      for (const { socket } of sockets.values()) socket.destroy()
    },
  }
}

const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Bytes in, bytes out: messages are read and written by our own coder, so that what is wrong with them is answered in words. */
const definitionOf = ({ path }: Method) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: (bytes: Buffer): Uint8Array => new Uint8Array(bytes),
  responseSerialize: same,
  responseDeserialize: (bytes: Buffer): Uint8Array => new Uint8Array(bytes),
})

function read(method: Method, bytes: Uint8Array) {
  try {
    return decodeMessage(method.request, bytes)
  } catch (problem) {
    if (problem instanceof ProtoError) throw invalidArgument(`Request message cannot be read: ${problem.message}.`)
    throw problem
  }
}

function send(schema: Schema, method: Method, out: CallOut, answer: Answer): void {
  const { broken, output, faults } = out
  let { error } = out
  if (broken?.kind === 'error') error = errorOf(broken)
  if (broken?.kind === 'status') error = grpcErrorOfHttp(broken.status, broken.body)
  if (error !== undefined || output === undefined) {
    fail(schema, error ?? new GcpError('INTERNAL', 'Internal error encountered.'), answer)
    return
  }
  answer(null, writeGrpc(schema, method, output, faults))
}

/** The status in the trailers, and google.rpc.Status with the details in `grpc-status-details-bin`. */
function fail(schema: Schema, error: GcpError, answer: Answer): void {
  const metadata = new Metadata()
  const code = status[error.status]
  if (error.details.length > 0) {
    const whole = { code, message: error.message, details: error.details }
    metadata.set('grpc-status-details-bin', same(encodeMessage(schema, schema.message('google.rpc.Status'), whole)))
  }
  answer({ code, details: error.message, metadata })
}

function reset(socket: Socket | undefined): void {
  if (socket === undefined) return
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
