import { SignerError } from '../domain/errors.ts'
import type { DatedVersion } from '../domain/key.ts'
import type { AccountState } from '../domain/stellar-network.ts'

/**
 * The state of an account on a network; undefined: there is no such account. @throws `network/*` when nobody says
 */
export type AskAccount = (address: string) => Promise<AccountState | undefined>

/** What a chain says of a key whose end is near. */
export interface SignerLook {
  /** Accounts that it still has a say in. */
  readonly remains: readonly string[]
  /** What nobody has looked at. */
  readonly notes: readonly string[]
}

/**
 * Whether accounts still count on a version: the one it signs for, and the one whose master key it is. A weight that nobody can
 * sign with any more may leave an account below its own thresholds for ever.
 *
 * @param ask  absent: no endpoint is configured for its network
 * @throws `network/unavailable`, `network/malformed`
 */
export async function lookForSigner({ key, version }: DatedVersion, ask: AskAccount | undefined): Promise<SignerLook> {
  const { address, account } = version
  if (key.chain !== 'stellar') {
    return { remains: [], notes: [`Nobody looked at what ${address} holds, or has leave to do, on ${key.network}.`] }
  }
  if (ask === undefined) {
    const note = `Nobody looked whether ${address} is still a signer of an account: networks.${key.network} has no endpoint.`
    return { remains: [], notes: [note] }
  }
  const accounts = await Promise.all([...new Set([account, address])].map(ask))
  const remains = accounts.flatMap(state => {
    const weight = state?.signers.find(signer => signer.key === address)?.weight ?? 0
    return state === undefined || weight === 0 ? [] : [`${state.address} (weight ${weight})`]
  })
  return { remains, notes: [] }
}

/** @throws `key/unsupported` */
export function refuseSigner(key: string, version: number, { remains }: SignerLook): void {
  if (remains.length === 0) return
  const reason = `version ${version} is still a signer of ${remains.join(' and ')}: drop it there first, or say that it may remain (signer-remains)`
  throw new SignerError('key/unsupported', { key, wanted: 'destroy', reason })
}
