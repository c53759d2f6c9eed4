import { readAddressList } from '../../src/access/addresses.ts'
import { DAYS, readHours } from '../../src/access/hours.ts'
import type { GatewaySettings } from '../../src/compose/gateway-settings.ts'
import { closeAll } from '../../src/compose/running.ts'
import { demoPolicy, parsePolicy } from '../../src/policy/index.ts'
import { GATEWAY_WAYS, type Setup, SETUPS } from '../gateway/variants.ts'
import { WAYS } from '../matrix/cells.ts'
import { type OneService, type Parts, startOne } from './one.ts'

/** A token of one of the services of the section. */
export interface Grant {
  readonly setup: Setup
  readonly constrained: boolean
  /** Of the key that its caller makes proofs with; absent: whoever has it may use it. */
  readonly thumbprint?: string
}

export interface Place {
  readonly url: string
  /** Address by name of key. */
  readonly addresses: Readonly<Record<string, string>>
}

export interface GatewayServices {
  readonly places: Readonly<Record<Setup, Place>>
  token(grant: Grant): Promise<string>
  stop(): Promise<void>
}

/** What callers know the services by; proofs name it. Nothing is asked there. */
export const PUBLIC_URL = 'https://bench.invalid'

/** So high that nothing is turned away: what counting takes is measured, not what it stops. */
const MANY = { limit: 1_000_000, windowMs: 60_000 }
const ALWAYS = { windows: [{ zone: 'Europe/Vienna', days: [...DAYS], from: '00:00', to: '24:00' }] }
const OFFICES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '192.0.2.0/24', '2001:db8::/32', '127.0.0.0/8']

const CONSTRAINTS = {
  cidrs: OFFICES.toSorted(),
  limit: MANY.limit,
  maxValue: { native: '1000000000' },
  networks: ['testnet'],
  operations: ['createAccount', 'payment'],
  window: { windows: [{ days: [...DAYS], from: '00:00', to: '24:00', zone: 'Europe/Vienna' }] },
}

const DAY_SECONDS = 86_400
const PLENTY = '90000000000'
const POLICIES: Readonly<Record<Setup, () => { readonly text: string }>> = {
  plain: demoPolicy,
  gateway: demoPolicy,
  windows: () =>
    parsePolicy({
      ...JSON.parse(demoPolicy().text),
      windows: [
        { asset: 'native', seconds: DAY_SECONDS, max: PLENTY },
        { asset: 'native', destination: 'each', seconds: DAY_SECONDS, max: PLENTY },
        { asset: 'fee', seconds: DAY_SECONDS, max: PLENTY },
      ],
    }),
}

/** Address list, hours, every rate limit, a lane for each token; proofs where the token wants them. */
function gatewayOn(): GatewaySettings {
  const door = { host: '127.0.0.1', port: 0, baseUrls: [PUBLIC_URL] }
  const data = {
    allow: readAddressList(OFFICES, 'admission.data.allow').list,
    hours: readHours(ALWAYS, 'admission.data.hours').hours,
  }
  return {
    plane: 'data',
    data: door,
    control: door,
    admission: {
      data,
      control: {},
      limits: { address: MANY, subject: MANY, token: MANY, key: MANY, global: MANY },
      concurrency: { token: 256 },
    },
    senderConstraint: 'optional',
    proofSeconds: 15,
    issuer: { name: 'countersign', audience: 'countersign', tokenSeconds: 900 },
    approvals: { environment: 'development', loosening: 2, tightening: 1, coolDownMs: 0, expiryMs: 86_400_000 },
    unguarded: new Set(),
  }
}

/** One service for each setup in this process, with a data directory and the keys of the section each. */
export async function startGatewayServices(parts: Parts): Promise<GatewayServices> {
  const ways = WAYS.filter(way =>
    GATEWAY_WAYS.some(({ provider, transport }) => provider === way.provider && transport === way.transport),
  ).map(way => ({ ...way, custodies: ['native'] as const }))
  const started = new Map<Setup, OneService>()
  const stop = () => closeAll(...[...started.values()].map(each => () => each.stop()))
  try {
    for (const setup of SETUPS) {
      const gateway = setup === 'plain' ? {} : { gateway: gatewayOn() }
      started.set(setup, await startOne({ ...parts, ways, policy: POLICIES[setup]().text, ...gateway }))
    }
  } catch (error) {
    await stop()
    throw error
  }
  const of = (setup: Setup): OneService => {
    const service = started.get(setup)
    if (service === undefined) throw new Error(`No service is set up as ${setup}`)
    return service
  }
  const placeOf = (setup: Setup): Place => ({ url: of(setup).url, addresses: of(setup).addresses })
  return {
    places: { plain: placeOf('plain'), gateway: placeOf('gateway'), windows: placeOf('windows') },
    token: ({ setup, constrained, thumbprint }) =>
      of(setup).issue({
        ...(constrained ? { constraints: CONSTRAINTS } : {}),
        ...(thumbprint === undefined ? {} : { confirmation: { jkt: thumbprint } }),
      }),
    stop,
  }
}
