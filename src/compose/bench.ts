import { spawn, spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { createInterface } from 'node:readline'
import { Keypair } from '@stellar/stellar-sdk/base'
import { LONG, type Rig, runBench, SHORT } from '../../bench/main.ts'
import { fromHex } from '../bytes/hex.ts'
import type { Services } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { Random } from '../domain/ports.ts'
import { build, type Runtime } from '../runtime/index.ts'
import { parseFor } from '../service/payloads.ts'
import { DEMO_KMS_KEY_ID, EXAMPLE_XDR } from './demo.ts'

const START_MS = 20_000

interface Ready {
  readonly dataUrl: string
  readonly token: string
  readonly localKms: { readonly aws: string }
  readonly keys: readonly { readonly name: string; readonly chain: string; readonly address: string }[]
}

/** Runs `dev` as a process of its own, so that client and service do not share one event loop, and measures against it. */
export const bench = async (
  options: Parameters<Services['bench']>[0],
  runtime: Runtime,
  version: string,
): ReturnType<Services['bench']> => {
  const { signal, onProgress } = options
  const rig = await openRig(runtime, version, signal)
  try {
    const shuffle = <T>(list: readonly T[]) => shuffled(list, runtime.world().random)
    return await runBench(rig, options.short ? SHORT : LONG, { shuffle, onProgress })
  } catch (error) {
    if (!signal.aborted) throw error
    throw new SignerError(
      'service/stopping',
      { reason: 'stopped before the measurements were complete' },
      { cause: error },
    )
  } finally {
    await rig.stop()
  }
}

async function openRig(runtime: Runtime, version: string, signal: AbortSignal): Promise<Rig> {
  const [command, ...first] = runtime.selfExecutable()?.command ?? []
  if (command === undefined) {
    throw new SignerError('start/refused', {
      reason: 'this runtime cannot start itself again',
      fix: 'run the bench with Bun or Node',
    })
  }
  const child = spawn(command, [...first, 'dev', '--json'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve()) // it could not even be started
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  try {
    const ready = await firstLine(child.stdout, ended)
    const { fetch } = runtime.world()
    const get = async <T>(url: string): Promise<T> => (await (await fetch(url, {})).json()) as T
    const payload = { type: 'stellar-transaction', xdr: EXAMPLE_XDR }
    const who = { key: 'bench', version: 1, chain: 'stellar', network: 'testnet', address: '', account: '' } as const
    const asked = parseFor(payload, who)
    const keys = new Map(
      ready.keys
        .filter(({ chain }) => chain === 'stellar')
        .map(({ name, address }) => [name, Keypair.fromPublicKey(address)]),
    )
    const hash = fromHex(asked.hash) ?? new Uint8Array()
    return {
      kms: ready.localKms.aws,
      calls: () => get(`${ready.localKms.aws}/_local-kms/calls`),
      service: ready.dataUrl,
      token: ready.token,
      keyId: DEMO_KMS_KEY_ID,
      hash,
      xdr: EXAMPLE_XDR,
      verify: (key, signature) => keys.get(key)?.verify(hash, signature) === true,
      facts: factsOf(runtime, version),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The ready line of a child, or an error that says it never came. */
async function firstLine(stdout: NodeJS.ReadableStream, ended: Promise<void>): Promise<Ready> {
  const lines = createInterface({ input: stdout })
  const never = ended.then(() => {
    throw new SignerError('start/refused', {
      reason: '`countersign dev` ended before it was ready',
      fix: 'run it by hand and read what it says',
    })
  })
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new SignerError('start/refused', {
            reason: `not ready within ${START_MS} ms`,
            fix: 'try again on a quieter machine',
          }),
        ),
      START_MS,
    )
    timer.unref()
  })
  const line = new Promise<string>(resolve => lines.once('line', resolve))
  return JSON.parse(await Promise.race([line, never, late])) as Ready
}

/** Fisher–Yates with the runtime's randomness. */
function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const j = (random.bytes(1)[0] ?? 0) % (i + 1)
    ;[out[i], out[j]] = [out[j] as T, out[i] as T]
  }
  return out
}

function factsOf(runtime: Runtime, version: string): Readonly<Record<string, string | number>> {
  const all = cpus()
  return {
    commit: build.commit === 'source' ? checkedOut() : build.commit,
    version,
    runtime: `${runtime.runtime} ${runtime.version()}`,
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    provider: 'AWS KMS emulated by local-kms, latency none',
    more: 'every provider, latency profile and concurrency, and libraries for comparison (not in the binary): `bun run bench` from source',
  }
}

/** A run from source is a run of what is checked out in the working directory; local changes are not seen. */
function checkedOut(): string {
  const asked = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
  return asked.status === 0 ? asked.stdout.trim() : 'unknown'
}
