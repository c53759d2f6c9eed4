import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProviderConfig } from '../../providers/index.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { DEMO_PASSPHRASE, demoSeed } from '../../src/compose/demo.ts'
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
import { createWatch, type Meters, thisProcess, type Usage } from './usage.ts'

/** The service as it is, with the parts of production on: token, policy, durable audit log, verification. */
export interface BenchService {
  readonly url: string
  /** Address by name of key. */
  readonly addresses: Readonly<Record<string, string>>
  token(): Promise<string>
  begin(): void
  end(): Usage
  /** From now on every request keeps the processor busy for so long: what the gate must see. */
  slow(ms: number): void
  stop(): Promise<void>
}

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

export async function startBenchService(
  emulator: Emulator,
  runtime: Runtime,
  logger: Logger,
  meters: Meters = thisProcess,
): Promise<BenchService> {
  const world = runtime.world()
  const dataDirectory = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
  const remove = () => rm(dataDirectory, { recursive: true, force: true })
  const { keyOpened, ...watch } = createWatch(meters)
  const issuer = createDevIssuer({ clock: world.clock, random: world.random })
  let busyMs = 0
  const serve: Runtime['serve'] = options =>
    runtime.serve({
      ...options,
      fetch: (request, info) => {
        for (const end = meters.now() + busyMs; meters.now() < end; );
        return options.fetch(request, info)
      },
    })
  try {
    const settings = {
      environment: 'development' as const,
      dataDirectory,
      instance: 'bench',
      keyOpened,
      limits: LIMITS,
      providers: providersOf(emulator),
      server: {
        host: '127.0.0.1',
        port: 0,
      },
      tokens: {
        jwks: issuer.jwks,
        issuer: issuer.issuer,
        audience: issuer.audience,
        clock: world.clock,
      },
    }
    const service = await startService(settings, { ...runtime, serve }, logger)
    const stop = () => closeAll(() => service.stop(1000), remove)
    try {
      const deps = registerDeps(service.room, world, 'development')
      for (const way of WAYS) for (const custody of way.custodies) await register(deps, way, custody)
      const keys = await service.room.store.keys.list()
      return {
        url: service.url,
        addresses: Object.fromEntries(keys.map(({ key, version }) => [key.name, version.address])),
        token: () => issuer.issue({ subject: 'bench', scopes: ['sign:*', 'read:*'], seconds: TOKEN_SECONDS }),
        begin: watch.begin,
        end: watch.end,
        slow: ms => {
          busyMs = ms
        },
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

async function register(deps: ReturnType<typeof registerDeps>, way: Way, custody: Custody): Promise<void> {
  const name = keyName(way, custody)
  const provider = nameOf(way)
  const key = { name, chain: 'stellar' as const, network: 'testnet', provider, policy: demoPolicy().text }
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
