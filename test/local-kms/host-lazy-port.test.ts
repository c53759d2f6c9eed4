import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import grpc from '@grpc/grpc-js'
import { listenLazily, type SocketTaker } from '../../local-kms/core/lazy-port.ts'

const same = (bytes: Buffer): Buffer => bytes
const METHOD = {
  path: '/test.Echo/Say',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const

/** A gRPC server that is made at the first connection and gets the sockets others accepted. */
function echo(): { open: () => Promise<SocketTaker>; opened: () => number } {
  let opened = 0
  const open = async (): Promise<SocketTaker> => {
    opened += 1
    await new Promise(resolve => setTimeout(resolve, 60)) // loading takes its time; the client's first bytes wait
    const server = new grpc.Server()
    server.addService(
      { Say: METHOD },
      {
        Say: (call: { request: Buffer }, reply: (error: null, answer: Buffer) => void) =>
          reply(null, Buffer.concat([Buffer.from('heard '), call.request])),
      },
    )
    const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure())
    return {
      take: socket => injector.injectConnection(socket),
      close: () => {
        injector.destroy()
        server.forceShutdown()
      },
    }
  }
  return { open, opened: () => opened }
}

function say(client: grpc.Client, text: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(METHOD.path, same, same, text, { deadline: Date.now() + 5000 }, (error, answer) =>
      error === null ? resolve(answer!) : reject(error),
    )
  })
}

test('local-kms lazy port: known at once, the server behind it is made once, by the first connection', async () => {
  const { open, opened } = echo()
  const port = await listenLazily({ host: '127.0.0.1', port: 0, open })
  assert.match(port.address, /^127\.0\.0\.1:\d+$/)
  assert.equal(opened(), 0)
  const clients = [1, 2, 3].map(
    n => new grpc.Client(port.address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': n }),
  )
  after(() => clients.forEach(client => client.close()))
  const answers = await Promise.all(clients.map(client => say(client, Buffer.from('hello'))))
  assert.deepEqual(answers.map(String), ['heard hello', 'heard hello', 'heard hello'])
  assert.equal(opened(), 1)
  const big = Buffer.alloc(300_000, 'x')
  assert.equal((await say(clients[0]!, big)).length, 300_006)
  for (const client of clients) client.close()
  await port.close()
  await assert.rejects(
    new Promise((resolve, reject) => connect(port.port, '127.0.0.1', () => resolve(1)).on('error', reject)),
    /ECONNREFUSED/,
  )
})

test('local-kms lazy port: closes while clients are connected, and when nobody ever was', async () => {
  const { open } = echo()
  const idle = await listenLazily({ host: '127.0.0.1', port: 0, open })
  await idle.close()
  const busy = await listenLazily({ host: '127.0.0.1', port: 0, open })
  const client = new grpc.Client(busy.address, grpc.credentials.createInsecure())
  await say(client, Buffer.from('x'))
  await busy.close()
  client.close()
})

const hangUp = (port: number): Promise<string> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve('closed'))
  })

test('local-kms lazy port: a server that cannot be made ends that connection; the next one tries again', async () => {
  let attempts = 0
  const taken: Socket[] = []
  const open = async (): Promise<SocketTaker> => {
    attempts += 1
    if (attempts === 1) throw new Error('not this time')
    return { take: socket => void taken.push(socket.end()), close: () => {} }
  }
  const port = await listenLazily({ host: '127.0.0.1', port: 0, open })
  assert.equal(await hangUp(port.port), 'closed')
  await Promise.race([hangUp(port.port), new Promise(resolve => setTimeout(resolve, 200))])
  assert.deepEqual([attempts, taken.length], [2, 1])
  await port.close()
})

test('local-kms lazy port: loopback addresses only, unless told in so many words', async () => {
  const { open } = echo()
  await assert.rejects(listenLazily({ host: '0.0.0.0', port: 0, open }), /takes loopback addresses only/)
  const wide = await listenLazily({ host: '0.0.0.0', port: 0, allowNonLoopback: true, open })
  await wide.close()
})
