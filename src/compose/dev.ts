import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Keypair } from '@stellar/stellar-sdk/base'
import type { LocalKms } from '../../local-kms/index.ts'
import { createDevIssuer, type DevIssuer } from '../access/dev-tokens.ts'
import { fromBase64 } from '../bytes/base64.ts'
import { fromHex, toHex } from '../bytes/hex.ts'
import type { DemoResult, DevOptions, DevRunning } from '../cli/context.ts'
import { httpClient } from '../client/http.ts'
import type { Signed } from '../client/types.ts'
import { ACTIONS } from '../domain/actions.ts'
import type { Clock, Logger } from '../domain/ports.ts'
import { Secret, SecretBytes } from '../domain/secret.ts'
import { demoEvmPolicy, demoPolicy } from '../policy/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { adopt, createNative, type RegisterDeps, wrapSeed } from '../service/register.ts'
import { viewOf } from '../service/keys.ts'
import { DEMO_KEYS, DEMO_KMS_SEED, DEMO_PASSPHRASE, type DemoKey, demoSeed, EXAMPLE_EVM, EXAMPLE_XDR } from './demo.ts'
import { registerDeps } from './keys.ts'
import { openLocalKms } from './local-kms.ts'
import { closeAll, running } from './running.ts'
import { type RunningService, startService } from './service.ts'

const TOKEN_SECONDS = 900
const RENEW_MS = 14 * 60 * 1000
const DRAIN_MS = 5000

/** local-kms, the signer and demo keys in one process on loopback. Without `data`, nothing is left behind. */
export async function startDev(options: DevOptions, runtime: Runtime, logger: Logger): Promise<DevRunning> {
  const world = runtime.world()
  const directory = options.data ?? (await mkdtemp(join(tmpdir(), 'countersign-dev-'))) // made 0700
  const removed = options.data === undefined ? removedAtExit(directory) : undefined
  let kms: LocalKms | undefined
  let service: RunningService | undefined
  const cleanUp = (): Promise<void> =>
    closeAll(
      () => service?.stop(DRAIN_MS),
      () => kms?.close(),
      () => removed?.now(),
    )
  try {
    options.say('starting local-kms …')
    kms = await openLocalKms({ seed: DEMO_KMS_SEED, latency: options.latency })
    options.say(`local-kms speaks AWS KMS at ${kms.aws}, Vault at ${kms.vault}, Google Cloud KMS at ${kms.gcpRest}`)
    const issuer = createDevIssuer({ clock: world.clock, random: world.random })
    service = await startService(settingsOf(options, directory, kms, issuer, world.clock), runtime, logger)
    options.say(`the signer listens at ${service.url}`)
    await registerDemoKeys(registerDeps(service.room, world, 'development'))
    const { room, url } = service
    const token = await newToken(issuer)
    const ready = {
      ready: true,
      dataUrl: url,
      localKms: {
        aws: kms.aws,
        vault: kms.vault,
        vaultToken: kms.vaultToken,
        gcpRest: kms.gcpRest,
        gcpGrpc: kms.gcpGrpc,
      },
      token,
      keys: (await room.store.keys.list()).map(resolved => {
        const { name, chain, network, address, provider, custody } = viewOf(resolved)
        return { name, chain, network, address, provider, custody }
      }),
    }
    const renewal = renewTokens(issuer, runtime)
    const example = options.xdr ?? EXAMPLE_XDR
    const up = running(ready, () => {
      renewal.abort()
      return cleanUp()
    })
    const command = runtime.selfExecutable()?.command ?? ['countersign']
    return { ...up, example, command, demo: () => demo(url, token, example, runtime) }
  } catch (error) {
    await cleanUp().catch(() => {}) // why it did not start says more
    throw error
  }
}

/** Removed when asked to, and at the latest when the process ends: a second Ctrl-C does not wait for the first. */
function removedAtExit(directory: string) {
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    now: () => {
      process.off('exit', remove)
      remove()
    },
  }
}

const settingsOf = (options: DevOptions, directory: string, kms: LocalKms, issuer: DevIssuer, clock: Clock) => ({
  environment: 'development' as const,
  dataDirectory: directory,
  instance: 'dev',
  providers: {
    'aws-kms': { kind: 'aws-kms' as const, region: kms.region, endpoint: kms.aws },
    'vault-transit': {
      kind: 'vault-transit' as const,
      address: kms.vault,
      auth: 'token' as const,
      token: new Secret(kms.vaultToken, 'token of the emulated Vault'),
    },
    'gcp-kms': { kind: 'gcp-kms' as const, endpoint: kms.gcpRest },
    passphrase: {
      kind: 'passphrase' as const,
      passphrases: { demo: new Secret(DEMO_PASSPHRASE, 'demo passphrase') },
    },
    mock: { kind: 'mock' as const },
  },
  server: { host: '127.0.0.1', port: options.port },
  limits: {
    bodyBytes: 65_536,
    concurrency: 256,
    deadlineMs: 5000,
    tries: 3,
    breakerFailures: 5,
    breakerResetMs: 1000,
  },
  tokens: { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock },
})

/** Those that are not there yet: with --data, a second start finds them. Side by side, for most of it is waiting. */
async function registerDemoKeys(deps: RegisterDeps): Promise<void> {
  await Promise.all(DEMO_KEYS.map(key => registerDemoKey(deps, key)))
}

async function registerDemoKey(
  deps: RegisterDeps,
  { name, chain = 'stellar', provider, custody, reference }: DemoKey,
): Promise<void> {
  if ((await deps.registry.resolve(name)) !== undefined) return
  const place =
    chain === 'evm'
      ? { chain, network: 'sepolia', policy: demoEvmPolicy().text }
      : { chain, network: 'testnet', policy: demoPolicy().text }
  const key = { name, provider, ...place }
  if (custody === 'native') {
    await (reference === undefined ? createNative(deps, key) : adopt(deps, key, reference))
  } else {
    const seed = new SecretBytes(demoSeed(name), `demo seed of ${name}`)
    await wrapSeed(deps, key, { seed, ...(reference === undefined ? {} : { wrappingKey: reference }) })
  }
}

const newToken = (issuer: DevIssuer) =>
  issuer.issue({ subject: 'dev', scopes: ACTIONS.map(action => `${action}:*`), seconds: TOKEN_SECONDS })

/** Tokens live at most 15 minutes, also here; a fresh one goes to stderr before the last one ends. */
function renewTokens(issuer: DevIssuer, runtime: Runtime): AbortController {
  const stop = new AbortController()
  const { clock } = runtime.world()
  const loop = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(RENEW_MS, stop.signal)
      await runtime.write('stderr', `export COUNTERSIGN_TOKEN=${await newToken(issuer)}\n`)
    }
  }
  loop().catch(() => stop.abort())
  return stop
}

/** Signs an example natively and by decrypt over HTTP, on both chains, and has another library verify each. */
async function demo(url: string, token: string, xdr: string, runtime: Runtime): Promise<readonly DemoResult[]> {
  const { fetch, clock, random } = runtime.world()
  const client = httpClient({ url, token: () => token, fetch })
  const results: DemoResult[] = []
  for (const { name, chain } of DEMO_KEYS.filter(key => key.provider !== 'mock')) {
    const started = clock.monotonic()
    const idempotencyKey = `demo-${toHex(random.bytes(16))}`
    const evm = chain === 'evm'
    const payload = evm ? EXAMPLE_EVM : { type: 'stellar-transaction', xdr }
    const reply = await client.sign(name, payload, idempotencyKey)
    const milliseconds = clock.monotonic() - started
    const { hash, signature, address, provider, custody, auditId } = reply
    const verified = evm ? await verifiedByViem(reply) : verifiedByStellarSdk(reply)
    const by = evm ? 'viem' : 'stellar-sdk'
    results.push({ key: name, custody, provider, address, hash, signature, verified, by, auditId, milliseconds })
  }
  return results
}

const verifiedByStellarSdk = ({ address, hash, signature }: Signed): boolean =>
  Keypair.fromPublicKey(address).verify(bytesOf(fromHex(hash)), bytesOf(fromBase64(signature)))

async function verifiedByViem({ address, hash, evmSignature }: Signed): Promise<boolean> {
  const { recoverAddress } = await import('viem/utils')
  return (await recoverAddress({ hash: `0x${hash}`, signature: evmSignature as `0x${string}` })) === address
}

const bytesOf = (bytes: Uint8Array | undefined): Uint8Array => bytes ?? new Uint8Array()
