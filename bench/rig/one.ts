import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProviderConfig } from '../../providers/index.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { DEMO_PASSPHRASE, demoSeed } from '../../src/compose/demo.ts'
import type { GatewaySettings } from '../../src/compose/gateway-settings.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { closeAll } from '../../src/compose/running.ts'
import { startService } from '../../src/compose/service.ts'
import type { Logger } from '../../src/domain/ports.ts'
import { Secret, SecretBytes } from '../../src/domain/secret.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import type { Runtime } from '../../src/runtime/index.ts'
import { adopt, createNative, wrapSeed } from '../../src/service/register.ts'
import { type Custody, nameOf, type Way, WAYS } from '../matrix/cells.ts'
import { type Emulator, REFERENCES } from './emulator.ts'

export const keyName = (way: Pick<Way, 'provider' | 'transport'>, custody: Custody): string =>
  `${nameOf(way)}-${custody}`

const LIMITS = {
  bodyBytes: 65536,
  concurrency: 256,
  deadlineMs: 1e4,
  tries: 3,
  breakerFailures: 20,
  breakerResetMs: 1e3,
}
const TOKEN_SECONDS = 900

/** What a service of the bench is started from. */
export interface Parts {
  readonly emulator: Emulator
  readonly runtime: Runtime
  readonly logger: Logger
}

export interface OneService {
  readonly url: string
  readonly addresses: Readonly<Record<string, string>>
  issue(bounds?: { readonly constraints?: object; readonly confirmation?: object }): Promise<string>
  stop(): Promise<void>
}

/** One service with a data directory of its own, and a key for every way and custody. */
export async function startOne({
  emulator,
  runtime,
  logger,
  ways = WAYS,
  policy = demoPolicy().text,
  ...more
}: Parts & {
  readonly ways?: readonly Way[]
  readonly policy?: string
  readonly gateway?: GatewaySettings
  readonly keyOpened?: () => () => void
}): Promise<OneService> {
  const world = runtime.world()
  const dataDirectory = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
  const remove = () => rm(dataDirectory, { recursive: true, force: true })
  try {
    const { issue, jwks, issuer, audience } = createDevIssuer({ clock: world.clock, random: world.random })
    const settings = {
      ...more,
      environment: 'development' as const,
      dataDirectory,
      instance: 'bench',
      limits: LIMITS,
      providers: providersOf(emulator),
      server: { host: '127.0.0.1', port: 0 },
      tokens: { jwks, issuer, audience, clock: world.clock },
    }
    const service = await startService(settings, runtime, logger)
    const stop = () => closeAll(() => service.stop(1000), remove)
    try {
      const deps = registerDeps(service.room, world, 'development')
      for (const way of ways) for (const custody of way.custodies) await register(deps, way, custody, policy)
      const keys = await service.room.store.keys.list()
      return {
        url: service.url,
        addresses: Object.fromEntries(keys.map(({ key, version }) => [key.name, version.address])),
        issue: bounds => issue({ subject: 'bench', scopes: ['sign:*', 'read:*'], seconds: TOKEN_SECONDS, ...bounds }),
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  } catch (error) {
    await remove()
    throw error
  }
}

async function register(
  deps: ReturnType<typeof registerDeps>,
  way: Way,
  custody: Custody,
  policy: string,
): Promise<void> {
  const name = keyName(way, custody)
  const provider = nameOf(way)
  // The ways are compared over the same keys.
  const key = { name, chain: 'stellar' as const, network: 'testnet', provider, policy, shared: true }
  const there = way.face === undefined ? undefined : REFERENCES[way.face]
  if (custody === 'native') {
    await (there === undefined ? createNative(deps, key) : adopt(deps, key, there.native))
    return
  }
  const wrappingKey = way.provider === 'passphrase' ? 'passphrase/demo' : there?.wrapping
  const seed = new SecretBytes(demoSeed(name), `seed of ${name}`)
  await wrapSeed(deps, key, { seed, ...(wrappingKey === undefined ? {} : { wrappingKey }) })
}

/** One configured provider a way, under the way's name. */
function providersOf(emulator: Emulator): Readonly<Record<string, ProviderConfig>> {
  const aws = { kind: 'aws-kms' as const, region: 'us-east-1', endpoint: emulator.aws }
  const credentials = { accessKeyId: new Secret('test', 'bench'), secretAccessKey: new Secret('test', 'bench') }
  const gcp = { kind: 'gcp-kms' as const }
  return {
    'aws-kms-sdk': { ...aws, ...credentials, name: 'aws-kms-sdk', transport: 'sdk' },
    'aws-kms-lean': { ...aws, ...credentials, name: 'aws-kms-lean', transport: 'lean' },
    'vault-transit-http': {
      kind: 'vault-transit' as const,
      address: emulator.vault,
      auth: 'token' as const,
      name: 'vault-transit-http',
      token: new Secret(emulator.vaultToken, 'token of the emulated Vault'),
    },
    'gcp-kms-grpc': { ...gcp, name: 'gcp-kms-grpc', transport: 'grpc', endpoint: `http://${emulator.gcpGrpc}` },
    'gcp-kms-rest': { ...gcp, name: 'gcp-kms-rest', transport: 'rest', endpoint: emulator.gcpRest },
    passphrase: { kind: 'passphrase', passphrases: { demo: new Secret(DEMO_PASSPHRASE, 'demo passphrase') } },
    mock: { kind: 'mock' },
  }
}
