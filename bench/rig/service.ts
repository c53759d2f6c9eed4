import { closeAll } from '../../src/compose/running.ts'
import type { Logger } from '../../src/domain/ports.ts'
import type { Runtime } from '../../src/runtime/index.ts'
import type { Emulator } from './emulator.ts'
import { type GatewayServices, startGatewayServices } from './gateway.ts'
import { type Parts, startOne } from './one.ts'
import { createWatch, type Meters, thisProcess, type Usage } from './usage.ts'

export { keyName } from './one.ts'

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
  /** The services of the section `gateway`, started at the first call. */
  gateway(): Promise<GatewayServices>
  stop(): Promise<void>
}

export async function startBenchService(
  emulator: Emulator,
  runtime: Runtime,
  logger: Logger,
  meters: Meters = thisProcess,
): Promise<BenchService> {
  const { keyOpened, ...watch } = createWatch(meters)
  let busyMs = 0
  const serve: Runtime['serve'] = options =>
    runtime.serve({
      ...options,
      fetch: (request, info) => {
        for (const end = meters.now() + busyMs; meters.now() < end; );
        return options.fetch(request, info)
      },
    })
  const parts: Parts = { emulator, runtime: { ...runtime, serve }, logger }
  const { url, addresses, issue, stop } = await startOne({ ...parts, keyOpened })
  let section: Promise<GatewayServices> | undefined
  return {
    url,
    addresses,
    token: () => issue(),
    begin: watch.begin,
    end: watch.end,
    slow: ms => {
      busyMs = ms
    },
    gateway: () => (section ??= startGatewayServices(parts)),
    stop: () => closeAll(async () => (await section)?.stop(), stop),
  }
}
