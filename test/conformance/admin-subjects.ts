/** How the administration of each provider is opened for its suite, and what is seen behind its back. */
import { openAdmin } from '../../providers/admin.ts'
import type { ProviderConfig } from '../../providers/configs.ts'
import { openProvider } from '../../providers/index.ts'
import type { ProviderWorld } from '../../providers/world.ts'
import type { LocalKms } from '../../local-kms/index.ts'
import type { EnvelopeProvider, ImportWrap, KeyAdmin, Scheme } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import { makeKeyRing, mountTransit } from '../support/key-services.ts'
import { providerWorld } from '../support/provider-world.ts'

export interface AdminSubject {
  readonly admin: KeyAdmin
  readonly provider: EnvelopeProvider
  readonly imports: readonly Scheme[]
  readonly wraps: readonly ImportWrap[]
  /** Days before destruction that the service grants, and days that it does not. */
  readonly days: { readonly granted: number; readonly refused: readonly number[] }
  /** A pinned reference of no key, and what giving it up says. Absent: any reference has its key. */
  readonly forgotten?: { readonly reference: string; readonly told: 'absent' | 'refused' }
  /** What must not show in any error. */
  readonly canaries: readonly string[]
  /** References of imported keys that would sign, as the service itself sees them. Absent: there is no service. */
  readonly usable?: () => readonly string[] | Promise<readonly string[]>
  /** The same service, asked through `fetch`. Absent: nothing goes through it. */
  readonly through?: (fetch: Fetch) => Promise<KeyAdmin>
  close(): Promise<void>
}

/** Time passes at once, unless somebody waits for a deadline. */
export function restlessWorld(fetch?: Fetch): ProviderWorld {
  const world = providerWorld('development', fetch)
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    ms < 5_000 ? new Promise(resolve => setTimeout(resolve, 1)) : world.clock.sleep(ms, signal)
  return { ...world, clock: { ...world.clock, sleep } }
}

export async function mockAdmin(): Promise<AdminSubject> {
  const world = restlessWorld()
  return {
    admin: await openAdmin({ kind: 'mock' }, world),
    provider: (await openProvider({ kind: 'mock' }, world)) as EnvelopeProvider,
    imports: ['ed25519', 'ecdsa-secp256k1'],
    wraps: ['rsa-aes', 'rsa-oaep'],
    days: { granted: 7, refused: [31, -1, 1.5] },
    canaries: [],
    close: async () => {},
  }
}

interface Service {
  readonly config: ProviderConfig
  readonly rest: Pick<AdminSubject, 'imports' | 'wraps' | 'days' | 'forgotten' | 'canaries'>
  usable(kms: LocalKms): readonly string[]
}

const served = async <Kms extends { close(): Promise<void> }>(
  kms: Kms,
  { config, rest, usable }: Omit<Service, 'usable'> & { usable(kms: Kms): readonly string[] },
): Promise<AdminSubject> => ({
  ...rest,
  admin: await openAdmin(config, restlessWorld()),
  provider: (await openProvider(config, restlessWorld())) as EnvelopeProvider,
  usable: () => usable(kms),
  through: fetch => openAdmin(config, restlessWorld(fetch)),
  close: () => kms.close(),
})

const AWS_SECRET = 'admin/secret+access=key'
export async function awsAdmin(): Promise<AdminSubject> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const credentials = [{ accessKeyId: 'AKIAADMIN', secretAccessKey: AWS_SECRET }]
  const kms = await startLocalKms({ faces: ['aws'], region: 'eu-central-1', sigv4: 'strict', credentials })
  const config = {
    kind: 'aws-kms' as const,
    region: 'eu-central-1',
    endpoint: kms.aws,
    accessKeyId: new Secret('AKIAADMIN', 'id'),
    secretAccessKey: new Secret(AWS_SECRET, 'secret'),
  }
  return served(kms, {
    config,
    rest: {
      imports: ['ed25519', 'ecdsa-secp256k1'],
      wraps: ['rsa-aes', 'rsa-oaep'],
      days: { granted: 7, refused: [31, -1, 1.5, Number.NaN] },
      forgotten: {
        reference: 'arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000000',
        told: 'absent',
      },
      canaries: [AWS_SECRET],
    },
    usable: ({ inspect }) =>
      (inspect() as unknown as { keys: { metadata: { Arn: string; Origin: string; KeyState: string } }[] }).keys
        .filter(({ metadata: { Origin, KeyState } }) => Origin === 'EXTERNAL' && KeyState === 'Enabled')
        .map(({ metadata: { Arn } }) => Arn),
  })
}

const PLACE = { project: 'administration', location: 'europe-west3', keyRing: 'signing' } as const
export const gcpRestAdmin = (): Promise<AdminSubject> => gcpAdmin('rest')
export const gcpGrpcAdmin = (): Promise<AdminSubject> => gcpAdmin('grpc')
async function gcpAdmin(transport: 'rest' | 'grpc'): Promise<AdminSubject> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const kms = await startLocalKms({ faces: ['gcp'] })
  await makeKeyRing(kms.gcpRest, PLACE)
  const endpoint = transport === 'grpc' ? `http://${kms.gcpGrpc}` : kms.gcpRest
  type Key = { importOnly?: boolean; versions: { name: string; state: string }[] }
  const subject = await served(kms, {
    config: { kind: 'gcp-kms', transport, endpoint, ...PLACE },
    rest: {
      imports: ['ed25519', 'ecdsa-secp256k1'],
      wraps: ['rsa-aes', 'rsa-oaep'],
      days: { granted: 30, refused: [31, 121, -1] },
      forgotten: {
        reference: `projects/${PLACE.project}/locations/${PLACE.location}/keyRings/${PLACE.keyRing}/cryptoKeys/none/cryptoKeyVersions/1`,
        told: 'refused', // versions stay there for ever, as destroyed
      },
      canaries: [],
    },
    usable: ({ inspect }) =>
      (inspect() as unknown as { gcp: { cryptoKeys: Key[] } }).gcp.cryptoKeys
        .filter(key => key.importOnly === true)
        .flatMap(key => key.versions)
        .filter(({ state }) => ['ENABLED', 'PENDING_IMPORT'].includes(state))
        .map(({ name }) => name),
  })
  if (transport === 'rest') return subject
  const { through: _, ...rest } = subject
  return rest
}

const vault = (address: string, token: string): Pick<Service, 'config' | 'rest'> => ({
  config: { kind: 'vault-transit', address, token: new Secret(token, 'token') },
  rest: {
    imports: ['ed25519'],
    wraps: ['rsa-aes'],
    days: { granted: 0, refused: [1, 7, -1] },
    forgotten: { reference: 'transit/nobody@1', told: 'absent' },
    canaries: [token],
  },
})

/** On a server that is there. Takes `close` along. */
export async function vaultAdminOn(address: string, token: string, close: () => Promise<void>): Promise<AdminSubject> {
  await mountTransit(address, token)
  type Key = { name: string; imported_key?: boolean; min_encryption_version: number }
  const ask = async <T>(path: string, method = 'GET'): Promise<T | undefined> => {
    const answer = await fetch(`${address}/v1/transit/keys${path}`, { method, headers: { 'x-vault-token': token } })
    return answer.ok ? ((await answer.json()) as { data: T }).data : undefined
  }
  const usable = async (): Promise<readonly string[]> => {
    const names = (await ask<{ keys: readonly string[] }>('?list=true'))?.keys ?? []
    const keys = await Promise.all(names.map(name => ask<Key>(`/${name}`)))
    return keys.flatMap(key => (key?.imported_key === true && key.min_encryption_version <= 1 ? [key.name] : []))
  }
  const { usable: _, ...subject } = await served({ close }, { ...vault(address, token), usable: () => [] })
  return { ...subject, usable }
}

export async function vaultAdmin(): Promise<AdminSubject> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const kms = await startLocalKms({ faces: ['vault'] })
  await mountTransit(kms.vault, kms.vaultToken)
  type Key = { name: string; imported_key?: boolean; min_encryption_version: number; latest_version: number }
  type State = { vault: { namespaces: Record<string, { mounts: Record<string, { keys?: Key[] }> }> } }
  return served(kms, {
    ...vault(kms.vault, kms.vaultToken),
    usable: ({ inspect }) =>
      ((inspect() as unknown as State).vault.namespaces['']?.mounts['transit/']?.keys ?? [])
        .filter(key => key.imported_key === true && key.min_encryption_version <= 1)
        .map(({ name }) => name),
  })
}
