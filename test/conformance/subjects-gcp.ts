/** Google Cloud KMS for the conformance suite, over REST and over gRPC, against the emulator that was written apart from it. */
import { once } from 'node:events'
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { openAdmin } from '../../providers/admin.ts'
import type { GcpKmsConfig, Transport } from '../../providers/gcp-kms/config.ts'
import { openProvider } from '../../providers/index.ts'
import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { CIPHERTEXT, crc, publicKeyAnswer, RING, WRAPPING } from '../support/gcp-answers.ts'
import { makeKeyRing } from '../support/key-services.ts'
import { call, providerWorld } from '../support/provider-world.ts'
import { type GcpReply, type GcpSeen, scriptedGcp } from '../support/scripted-gcp.ts'
import { type Reply, type Seen, scriptedServer } from '../support/scripted-server.ts'
import type { Fault, Faulty, Subject } from './provider.ts'

export const gcpRestSubject = (): Promise<Subject> => gcpSubject('rest')
export const gcpGrpcSubject = (): Promise<Subject> => gcpSubject('grpc')

const PLACE = { project: 'conformance', location: 'europe-west3', keyRing: 'signing' } as const
const PARENT = `projects/${PLACE.project}/locations/${PLACE.location}`

async function gcpSubject(transport: Transport): Promise<Subject> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const kms = await startLocalKms({ faces: ['gcp'] })
  const endpoint = transport === 'grpc' ? `http://${kms.gcpGrpc}` : kms.gcpRest
  await makeKeyRing(kms.gcpRest, PLACE)
  const config: GcpKmsConfig = { kind: 'gcp-kms', transport, endpoint, ...PLACE }
  const world = providerWorld()
  const admin = await openAdmin(config, world)
  const ed25519 = await admin.create({ scheme: 'ed25519', label: 'conformance' }, call())
  const secp256k1 = await admin.create({ scheme: 'ecdsa-secp256k1', label: 'conformance' }, call())
  const nobody = `${PARENT}/keyRings/${PLACE.keyRing}/cryptoKeys/nobody`
  return {
    provider: await openProvider(config, world),
    admin,
    keys: { ed25519: ed25519.reference, 'ecdsa-secp256k1': secp256k1.reference },
    wrapping: [
      await admin.createWrappingKey({ label: 'one' }, call()),
      await admin.createWrappingKey({ label: 'two' }, call()),
    ],
    unknown: [nobody, `${nobody}/cryptoKeyVersions/1`, 'nobody', '', `${nobody}/cryptoKeyVersions/0`],
    canaries: [],
    faulty: fault => gcpFaulty(transport, fault),
    close: () => kms.close(),
  }
}

const KEY = `${RING}/cryptoKeys/treasury`
const VERSION = `${KEY}/cryptoKeyVersions/1`

export async function gcpFaulty(transport: Transport, fault: Fault): Promise<Faulty> {
  const server = await (fault === 'lie'
    ? scriptedGcp(transport, lie)
    : transport === 'grpc'
      ? badHttp2(fault)
      : scriptedServer(BAD_HTTP[fault]))
  const config: GcpKmsConfig = { kind: 'gcp-kms', transport, endpoint: server.url }
  const provider = (await openProvider(config, providerWorld())) as EnvelopeProvider
  return {
    provider,
    keys: { ed25519: VERSION, 'ecdsa-secp256k1': VERSION },
    wrapping: WRAPPING,
    // DecryptResponse names no key: the lie it can tell is other bytes, and those do not fit their checksum.
    lieOnUnwrap: 'provider/corrupt',
    arrived: () => server.arrived(),
    close: async () => server.close(),
  }
}

/** A good answer in every respect but one: it is about another key. */
function lie({ operation }: GcpSeen): GcpReply {
  const other = `${KEY}/cryptoKeyVersions/2`
  const bytes = new Uint8Array(64).fill(1)
  const signature = Buffer.from(bytes).toString('base64')
  switch (operation) {
    case 'AsymmetricSign':
      return {
        answer: {
          name: other,
          signature,
          signatureCrc32c: crc(bytes),
          verifiedDataCrc32c: true,
          verifiedDigestCrc32c: true,
          protectionLevel: 'HSM',
        },
      }
    case 'GetPublicKey':
      return { answer: publicKeyAnswer('ed25519', other) }
    case 'Decrypt':
      return { answer: { plaintext: signature, plaintextCrc32c: '1', usedPrimary: true, protectionLevel: 'SOFTWARE' } }
    default:
      return {
        answer: {
          name: other,
          ciphertext: Buffer.from(CIPHERTEXT).toString('base64'),
          ciphertextCrc32c: crc(CIPHERTEXT),
          verifiedPlaintextCrc32c: true,
          verifiedAdditionalAuthenticatedDataCrc32c: true,
          protectionLevel: 'SOFTWARE',
        },
      }
  }
}

type Bad = Exclude<Fault, 'lie'>

const BAD_HTTP: Readonly<Record<Bad, (seen: Seen) => Reply>> = {
  hang: () => () => {},
  drip: () => socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{')
  },
  flood: () => socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n{"name":"')
    const chunk = Buffer.alloc(65_536, 0x41)
    let left = 1_600
    const more = (): void => {
      while (left-- > 0 && !socket.destroyed) if (!socket.write(chunk)) return
    }
    socket.on('drain', more)
    more()
  },
}

/** What a gRPC server library would not do: half a message, or one of 100 MB. */
async function badHttp2(fault: Bad) {
  const waiting: ((value: unknown) => void)[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', session => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => {
      waiting.shift()?.(undefined)
      if (fault === 'hang') return
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      // A message of 500 bytes of which one comes; or one that announces 100 MB and goes on and on.
      stream.write(fault === 'drip' ? Uint8Array.of(0, 0, 0, 1, 0xf4, 10) : Uint8Array.of(0, 6, 0x40, 0, 0))
      if (fault === 'flood') stream.write(Buffer.alloc(65_536, 0x41))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    arrived: () => new Promise<unknown>(resolve => waiting.push(resolve)),
    close: async () => {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}
