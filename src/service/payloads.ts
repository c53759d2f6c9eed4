import { slotOf, stellar } from '../chains/stellar/index.ts'
import type { SlotClaim } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'
import type { Chain } from '../domain/key.ts'
import type { SignInput } from '../domain/provider.ts'
import type { StellarTransactionView } from '../domain/stellar.ts'

/** What a caller asks to have signed, decoded by the chain module: what policy judges, a human reads and the key signs. */
export interface Asked {
  readonly type: string
  readonly input: SignInput
  /** Hex. */
  readonly hash: string
  readonly sentence: string
  readonly view: StellarTransactionView
  /** Class of every operation, as constraints of tokens name them. */
  readonly operations: readonly string[]
  /** The place on the chain that it takes, where it takes one. Encodes once more: for those who need it. */
  slot(): SlotClaim | undefined
  attach(publicKey: Uint8Array, signature: Uint8Array): string
}

/**
 * The payload types of each chain, one arm each.
 * @throws `payload/unsupported` for a type the chain does not have, `payload/invalid` for one it cannot accept.
 */
export function parsePayload(chain: Chain, payload: { readonly type: string }, network: string): Asked {
  if (chain !== 'stellar' || payload.type !== 'stellar-transaction') {
    throw new SignerError('payload/unsupported', { payloadType: payload.type.slice(0, 64), chain })
  }
  const parsed = stellar.parse(payload, network)
  const { view } = parsed
  const { operations } = view.kind === 'transaction' ? view : view.inner
  return {
    type: payload.type,
    input: stellar.toSign(parsed),
    hash: stellar.hash(parsed),
    sentence: stellar.describe(parsed).sentence,
    view,
    operations: [...(view.kind === 'fee-bump' ? ['feeBump'] : []), ...operations.map(({ type }) => type)],
    slot: () => slotOf(parsed),
    attach: (publicKey, signature) => stellar.attach(parsed, publicKey, signature),
  }
}

/** The address callers know a public key by, on its chain. */
export function addressOf(chain: Chain, publicKey: Uint8Array): string {
  if (chain !== 'stellar') throw new SignerError('payload/unsupported', { payloadType: 'address', chain })
  return stellar.address(publicKey)
}
