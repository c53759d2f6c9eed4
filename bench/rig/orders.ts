import { createInterface } from 'node:readline'
import type { GatewayServices, Grant } from './gateway.ts'
import type { BenchService } from './service.ts'
import type { Usage } from './usage.ts'

/** What the process of the service is told over its standard input, one JSON list a line, answered one a line. */
type Told = ['token' | 'begin' | 'end' | 'gateway'] | ['slow', number] | ['grant', Grant]

export interface RemoteService {
  readonly url: string
  readonly addresses: Readonly<Record<string, string>>
  token(): Promise<string>
  begin(): Promise<void>
  end(): Promise<Usage>
  slow(ms: number): Promise<void>
  /** Where the services of the section `gateway` are; the first call starts them. */
  gateway(): Promise<GatewayServices['places']>
  grant(grant: Grant): Promise<string>
  stop(): Promise<void>
}

interface Ready {
  readonly url: string
  readonly addresses: Readonly<Record<string, string>>
}

/** The side of the service: answers orders until it is told to stop or its input ends. */
export async function obey(
  service: BenchService,
  lines: AsyncIterable<string>,
  say: (line: string) => Promise<void>,
): Promise<void> {
  try {
    await say(JSON.stringify({ url: service.url, addresses: service.addresses } satisfies Ready))
    for await (const line of lines) {
      const told = JSON.parse(line) as Told | ['stop']
      if (told[0] === 'stop') break
      await say(JSON.stringify((await answer(service, told)) ?? null))
    }
  } finally {
    await service.stop()
  }
}

async function answer(service: BenchService, told: Told): Promise<unknown> {
  switch (told[0]) {
    case 'token':
      return service.token()
    case 'begin':
      return service.begin()
    case 'end':
      return service.end()
    case 'slow':
      return service.slow(told[1])
    case 'gateway':
      return (await service.gateway()).places
    case 'grant':
      return (await service.gateway()).token(told[1])
    default:
      told satisfies never
      throw new TypeError(`Unknown order ${JSON.stringify(told)}`)
  }
}

/** The side of the bench. Orders go one after another. */
export async function command(
  input: { write(text: string): unknown; end(): unknown },
  output: NodeJS.ReadableStream,
  ended: Promise<void>,
): Promise<RemoteService> {
  const lines = createInterface({ input: output })[Symbol.asyncIterator]()
  const gone = ended.then((): never => {
    throw new Error('The process of the service ended before it answered')
  })
  gone.catch(() => {})
  const hear = async (): Promise<unknown> => {
    const next = await Promise.race([lines.next(), gone])
    if (next.done === true) throw new Error('The process of the service closed its output')
    return JSON.parse(next.value)
  }
  const { url, addresses } = (await hear()) as Ready
  const ask = async <T>(...told: Told): Promise<T> => {
    input.write(`${JSON.stringify(told)}\n`)
    return (await hear()) as T
  }
  return {
    url,
    addresses,
    token: () => ask('token'),
    begin: () => ask('begin'),
    end: () => ask('end'),
    slow: ms => ask('slow', ms),
    gateway: () => ask('gateway'),
    grant: grant => ask('grant', grant),
    stop: async () => {
      input.write(`${JSON.stringify(['stop'])}\n`)
      input.end()
      await ended
    },
  }
}
