import { SignerError } from '../domain/errors.ts'
import type { Clock, Fetch } from '../domain/ports.ts'
import type { StellarCodec, StellarNetwork } from '../domain/stellar-network.ts'
import { type Exchange, type NetworkLimits, unavailable } from './exchange.ts'
import { horizonNode } from './horizon.ts'
import { malformed } from './reading.ts'
import { rpcNode } from './rpc.ts'

export type { NetworkLimits } from './exchange.ts'

export interface NetworkOptions {
  /** Our name of it. */
  readonly name: string
  /** The endpoint must say that it is on this network before anything else is believed. */
  readonly passphrase: string
  readonly rpcUrl?: string
  readonly horizonUrl?: string
  readonly codec: StellarCodec
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'sleep'>
  readonly limits?: Partial<NetworkLimits>
}

export const NETWORK_LIMITS: NetworkLimits = { deadlineMs: 10_000, bodyBytesMax: 4 * 1024 * 1024, tries: 3 }

/**
 * A Stellar network through Soroban RPC, through Horizon, or both: RPC answers what it can. Whichever is used is asked for
 * its passphrase first, once.
 * @throws `config/invalid` unless at least one endpoint is there
 */
export function openStellarNetwork(options: NetworkOptions): StellarNetwork {
  const { name, passphrase, rpcUrl, horizonUrl, codec, fetch, clock } = options
  const parts: Exchange = { network: name, fetch, clock, limits: { ...NETWORK_LIMITS, ...options.limits } }
  const rpc = rpcUrl === undefined ? undefined : rpcNode(parts, rpcUrl, codec)
  const horizon = horizonUrl === undefined ? undefined : horizonNode(parts, withoutSlash(horizonUrl), codec)
  const node = rpc ?? horizon
  if (node === undefined) {
    const fix = 'Give rpc, horizon, or both'
    throw new SignerError('config/invalid', {
      problems: [{ path: `networks.${name}`, problem: 'names no endpoint', fix }],
    })
  }
  let known = false
  const checked = async (signal: AbortSignal): Promise<void> => {
    if (known) return
    if ((await node.passphrase(signal)) !== passphrase) throw malformed(name, 'its endpoint is on another network')
    known = true
  }
  return {
    name,
    latestLedger: async signal => {
      await checked(signal)
      return node.latestLedger(signal)
    },
    account: async (address, signal) => {
      await checked(signal)
      return node.account(address, signal)
    },
    simulate: async (envelope, signal) => {
      await checked(signal)
      if (rpc === undefined) {
        throw unavailable(name, 'no Soroban RPC is configured for it, and nothing else simulates')
      }
      return rpc.simulate(envelope, signal)
    },
    reached: checked,
    submit: async (envelope, signal) => {
      await checked(signal)
      return node.submit(envelope, signal)
    },
    transaction: async (hash, signal) => {
      await checked(signal)
      return node.transaction(hash, signal)
    },
  }
}

const withoutSlash = (url: string): string => (url.endsWith('/') ? url.slice(0, -1) : url)
