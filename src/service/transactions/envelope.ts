import { SignerError } from '../../domain/errors.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import type { StellarTransactionView } from '../../domain/stellar.ts'
import type { PreparedTransaction } from '../../domain/transactions.ts'
import { parsePayload } from '../payloads.ts'
import type { CallerLike } from '../types.ts'
import type { EnvelopeWish } from './input.ts'
import type { TransactionParts } from './types.ts'

/**
 * A transaction that a caller built, with the keys that are to sign it: all of one network, and the account of one of them
 * pays. Its authorization entries stay as they are.
 * @throws `request/malformed`, `payload/invalid`, `key/*`, `access/denied`
 */
export async function prepareEnvelope<C extends CallerLike>(
  parts: TransactionParts<C>,
  caller: C,
  wish: EnvelopeWish,
): Promise<PreparedTransaction> {
  const { deps } = parts.room
  const held: ResolvedKey[] = []
  for (const key of wish.keys) {
    deps.authorize(caller, 'sign', key)
    held.push(await stellarKey(parts, key))
  }
  const [first] = held
  const network = first?.key.network ?? ''
  const stranger = held.find(({ key }) => key.network !== network)
  if (first === undefined || stranger !== undefined) {
    const reason = `the keys of one transaction are of one network, and ${first?.key.name} is on ${network}`
    throw new SignerError('key/unsupported', { key: stranger?.key.name ?? '', wanted: network, reason })
  }
  const payload = { type: 'stellar-transaction', xdr: wish.xdr }
  const asked = parsePayload(payload, first)
  const view = asked.view as StellarTransactionView
  const payer = payerAmong(view, held)
  return {
    network,
    template: null,
    envelope: wish.xdr,
    hash: asked.hash,
    authorizers: [],
    signers: wish.keys,
    source: payer.key.name,
    feeSource: null,
    feeBump: null,
    expiresAt: endOf(view),
  }
}

/** @throws `key/unknown`, `key/unsupported` */
export async function stellarKey<C extends CallerLike>(
  { room: { deps } }: Pick<TransactionParts<C>, 'room'>,
  name: string,
): Promise<ResolvedKey> {
  const held = await deps.catalogue.resolve(name)
  if (held === undefined) throw new SignerError('key/unknown', { key: name })
  if (held.key.chain === 'stellar') return held
  const reason = 'only transactions of Stellar are sent from here'
  throw new SignerError('key/unsupported', { key: name, wanted: 'stellar', reason })
}

/** The key whose account is the source, or pays the fee: its owner says whether it is sent. */
export function payerAmong(view: StellarTransactionView, held: readonly ResolvedKey[]): ResolvedKey {
  const payers = view.kind === 'fee-bump' ? [view.feeSource.address, view.inner.source.address] : [view.source.address]
  const payer = payers
    .map(address => held.find(({ version }) => version.address === address))
    .find(found => found !== undefined)
  if (payer !== undefined) return payer
  const reason = 'neither its source nor whoever pays its fee is the account of one of these keys'
  throw new SignerError('payload/invalid', { field: 'xdr', reason })
}

/** Later than a clock can tell is no end. */
const SECONDS_MAX = 8_640_000_000_000n

/** Milliseconds since the epoch. */
export function endOf(view: StellarTransactionView): number | null {
  const { preconditions } = view.kind === 'fee-bump' ? view.inner : view
  const maxTime = preconditions.timeBounds?.maxTime ?? 0n
  return maxTime === 0n || maxTime > SECONDS_MAX ? null : Number(maxTime) * 1000
}
