/** Vault Transit for the conformance suite: through `node-vault` and directly, against a server that speaks Vault's HTTP API. */
import { openAdmin } from '../../providers/admin.ts'
import { openProvider } from '../../providers/index.ts'
import { create as createDirect } from '../../providers/vault-transit/edge.ts'
import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import { mountTransit } from '../support/key-services.ts'
import { call, providerWorld } from '../support/provider-world.ts'
import { type Answer, type Reply, type Seen, scriptedServer } from '../support/scripted-server.ts'
import type { Fault, Faulty, Subject } from './provider.ts'

export type VaultTransport = 'node-vault' | 'direct'

export interface VaultServer {
  readonly address: string
  /** A token that may do everything in the mount `transit`, and make it. */
  readonly token: string
  close(): Promise<void>
}

export async function vaultSubjectOn(server: VaultServer, transport: VaultTransport = 'node-vault'): Promise<Subject> {
  const config = {
    kind: 'vault-transit' as const,
    address: server.address,
    token: new Secret(server.token, 'token'),
  }
  const world = providerWorld()
  await mountTransit(server.address, server.token)
  const admin = await openAdmin(config, world)
  const ed25519 = await admin.create({ scheme: 'ed25519', label: 'conformance' }, call())
  const provider = (
    transport === 'direct' ? await createDirect(config, world) : await openProvider(config, world)
  ) as EnvelopeProvider
  return {
    provider,
    admin,
    keys: { ed25519: ed25519.reference, 'ecdsa-secp256k1': 'transit/no-such-thing@1' },
    wrapping: [
      await admin.createWrappingKey({ label: 'one' }, call()),
      await admin.createWrappingKey({ label: 'two' }, call()),
    ],
    unknown: ['transit/nobody', 'transit/nobody@1', 'nobody', 'other/nobody@1', 'transit/../sys/seal@1', ''],
    canaries: [server.token],
    faulty: fault => vaultFaulty(fault, transport),
    close: () => server.close(),
  }
}

/** Our own emulator, which was written apart from the provider. */
const localVault = async (transport: VaultTransport): Promise<Subject> => {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const kms = await startLocalKms({ faces: ['vault'] })
  return vaultSubjectOn({ address: kms.vault, token: kms.vaultToken, close: () => kms.close() }, transport)
}
export const vaultSubject = (): Promise<Subject> => localVault('node-vault')
export const vaultDirectSubject = (): Promise<Subject> => localVault('direct')

const JSON_TYPE = { 'content-type': 'application/json' }
const FAULTY: Readonly<Record<Fault, (seen: Seen) => Reply>> = {
  hang: () => () => {},
  drip: () => socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{')
  },
  flood: () => socket => {
    socket.write(
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n{"request_id":"',
    )
    const chunk = Buffer.alloc(65_536, 0x41)
    let left = 1_600
    const more = (): void => {
      while (left-- > 0 && !socket.destroyed) if (!socket.write(chunk)) return
    }
    socket.on('drain', more)
    more()
  },
  lie: seen => lie(seen),
}

/** A good answer in every respect but one: it is about another key or another version. */
function lie({ head }: Seen): Answer {
  const path = head.split(' ')[1] ?? ''
  const bytes = (length: number) => Buffer.alloc(length, 1).toString('base64')
  const data = path.includes('/sign/')
    ? { signature: `vault:v2:${bytes(64)}`, key_version: 2 }
    : path.includes('/encrypt/')
      ? { ciphertext: `vault:v1:${bytes(60)}`, key_version: 2 }
      : path.includes('/decrypt/')
        ? { plaintext: bytes(32), key_version: 2 } // Vault names no version here; a server that does must mean the row's
        : {
            name: 'another',
            type: 'ed25519',
            derived: false,
            latest_version: 1,
            keys: { '1': { public_key: bytes(32) } },
          }
  return { headers: JSON_TYPE, body: JSON.stringify({ request_id: crypto.randomUUID(), data }) }
}

async function vaultFaulty(fault: Fault, transport: VaultTransport): Promise<Faulty> {
  const server = await scriptedServer(FAULTY[fault])
  const config = { kind: 'vault-transit' as const, address: server.url, token: new Secret('faulty-token', 'token') }
  const world = providerWorld()
  const sealed = new TextEncoder().encode(`vault:v1:${Buffer.alloc(60, 7).toString('base64')}`)
  const provider =
    transport === 'direct'
      ? await createDirect(config, world)
      : ((await openProvider(config, world)) as EnvelopeProvider)
  return {
    // The suite opens a row of its own making; this service tells its rows by their form before it sends anything.
    provider: {
      ...provider,
      unwrap: (
        key: string,
        _row: Uint8Array,
        context: Record<string, string>,
        c: Parameters<EnvelopeProvider['unwrap']>[3],
      ) => provider.unwrap(key, sealed, context, c),
    } as EnvelopeProvider,
    keys: { ed25519: 'transit/faulty@1', 'ecdsa-secp256k1': 'transit/faulty@1' },
    wrapping: 'transit/faulty',
    arrived: () => server.arrived(),
    close: () => server.close(),
  }
}
