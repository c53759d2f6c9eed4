import { createInterface } from 'node:readline'
import type { BenchService } from './service.ts'
import type { Usage } from './usage.ts'

/** What the process of the service is told over its standard input, one JSON object a line, answered one a line. */
export type Order = 'token' | 'begin' | 'end' | 'slow' | 'stop'

export interface RemoteService {
  readonly url: string
  readonly addresses: Readonly<Record<string, string>>
  token(): Promise<string>
  begin(): Promise<void>
  end(): Promise<Usage>
  slow(ms: number): Promise<void>
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
      const [order, value] = JSON.parse(line) as [Order, number?]
      if (order === 'stop') break
      await say(JSON.stringify((await answer(service, order, value ?? 0)) ?? null))
    }
  } finally {
    await service.stop()
  }
}

async function answer(service: BenchService, order: Exclude<Order, 'stop'>, value: number): Promise<unknown> {
  switch (order) {
    case 'token':
      return service.token()
    case 'begin':
      return service.begin()
    case 'end':
      return service.end()
    case 'slow':
      return service.slow(value)
    default:
      order satisfies never
      throw new TypeError(`Unknown order ${String(order)}`)
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
  const ask = async <T>(order: Order, value?: number): Promise<T> => {
    input.write(`${JSON.stringify([order, value])}\n`)
    return (await hear()) as T
  }
  return {
    url,
    addresses,
    token: () => ask('token'),
    begin: () => ask('begin'),
    end: () => ask('end'),
    slow: ms => ask('slow', ms),
    stop: async () => {
      input.write(`${JSON.stringify(['stop'])}\n`)
      input.end()
      await ended
    },
  }
}
