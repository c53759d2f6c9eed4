import type { EngineCapability } from '../../../src/custody/index.ts'
import type { World } from '../../../src/domain/ports.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { call } from '../world.ts'
import type { KeyName, Manner, Service } from './places.ts'
import { referenceOf } from './places.ts'

/** One service as one runtime reaches it. */
export interface Subject {
  readonly service: Service
  readonly capability: EngineCapability
  readonly world: World
  /** @param fetch instead of the world's. */
  open(manner?: Manner, fetch?: Fetch): Promise<EnvelopeProvider>
}

export const ref = ({ service }: Subject, name: KeyName): string => referenceOf(service, name)

/** Opens the provider for one case and closes it after. */
export async function withProvider<T>(
  subject: Subject,
  body: (provider: EnvelopeProvider) => Promise<T>,
  manner?: Manner,
): Promise<T> {
  const provider = await subject.open(manner)
  try {
    return await body(provider)
  } finally {
    await provider.close()
  }
}

/** A call that ends in the moment its request is handed to the network, long before an answer can be there. */
export function interrupted(world: World) {
  let armed: AbortController | undefined
  const fetch: Fetch = (input, init) => {
    const sending = world.fetch(input, init)
    armed?.abort(new Error('deadline'))
    armed = undefined
    return sending
  }
  const next = () => {
    armed = new AbortController()
    return { ...call(), signal: armed.signal }
  }
  return { fetch, next }
}
