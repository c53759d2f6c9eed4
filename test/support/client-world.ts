/** The client of `countersign/client` in front of a data plane in memory. */
import { createHours } from '../../src/access/hours.ts'
import { createMemoryRates } from '../../src/access/rate.ts'
import { type Countersign, type CountersignOptions, createCountersign } from '../../src/client/index.ts'
import { dataGateway } from '../../src/compose/gateway.ts'
import { gatewaySettings } from '../../src/compose/gateway-settings.ts'
import { load } from '../unit/config/samples.ts'
import { openRig, type Rig, type RigOptions } from './rig.ts'

export const URL_OF_RIG = 'http://127.0.0.1:8420'

/** What went over the line, newest last. */
export interface Sent {
  readonly url: string
  readonly init: RequestInit
  readonly headers: Headers
  readonly body: string
}

export interface ClientWorld {
  readonly rig: Rig
  readonly countersign: Countersign
  readonly sent: Sent[]
  /** Another client of the same data plane. */
  client(options?: Partial<CountersignOptions>): Countersign
}

export async function openClientWorld(
  options: RigOptions = {},
  scopes: readonly string[] = ['sign:*', 'read:*', 'explain:*'],
): Promise<ClientWorld> {
  const rig = await openRig({ log: 'memory', ...options })
  const sent: Sent[] = []
  const token = await rig.token(scopes)
  const client: ClientWorld['client'] = (more = {}) =>
    createCountersign({
      url: URL_OF_RIG,
      token,
      fetch: (url, init) => {
        const body = typeof init.body === 'string' ? init.body : ''
        sent.push({ url, init, headers: new Headers(init.headers), body })
        return rig.http(url.slice(URL_OF_RIG.length), init)
      },
      ...more,
    })
  return { rig, countersign: client(), sent, client }
}

const MANY = { count: 100_000 }

/**
 * The door as production has it: who may sign proves to hold the key of the token, over method, URL, body and
 * Idempotency-Key. @param publicUrls  what callers must put into their proofs; read when the door is opened
 */
export async function boundDoor(publicUrls: readonly string[]): Promise<NonNullable<RigOptions['door']>> {
  const limits = { perAddress: MANY, perToken: MANY, failures: MANY }
  const flags = Object.fromEntries(
    Object.entries(limits).map(([name, { count }]) => [`admission.limits.${name}.count`, count]),
  )
  const settings = gatewaySettings(await load({ flags }))
  return ({ issuer, store, world }) => {
    const { clock } = world
    const tokens = { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock }
    const office = createHours({ clock, lastRecordAt: () => undefined })
    return dataGateway(settings, tokens, publicUrls, {
      world,
      rates: createMemoryRates(),
      ledger: store.tokens,
      office,
    })
  }
}
