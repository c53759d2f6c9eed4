import { endOf } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import type { Asked } from '../../domain/payload.ts'
import type { StellarTransactionView } from '../../domain/stellar.ts'
import type { PreparedTransaction } from '../../domain/transactions.ts'
import { resolveKey } from '../keys.ts'
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
  return readEnvelope(wish.xdr, [first, ...held.slice(1)]).prepared
}

/**
 * An envelope as it was brought, for keys of one network that sign it or have signed it: nothing is added to it.
 * @throws `payload/invalid`
 */
export function readEnvelope(
  xdr: string,
  held: readonly [ResolvedKey, ...ResolvedKey[]],
): { readonly asked: Asked; readonly prepared: PreparedTransaction } {
  const payload = { type: 'stellar-transaction', xdr }
  const asked = parsePayload(payload, held[0])
  const view = asked.view as StellarTransactionView
  const prepared = {
    network: held[0].key.network,
    template: null,
    envelope: xdr,
    hash: asked.hash,
    authorizers: [],
    signers: held.map(({ key }) => key.name),
    source: payerAmong(view, held).key.name,
    feeSource: null,
    feeBump: null,
    expiresAt: endOf(view) ?? null,
  }
  return { asked, prepared }
}

/** @throws `key/unknown`, `key/unsupported` */
export async function stellarKey<C extends CallerLike>(
  { room: { deps } }: Pick<TransactionParts<C>, 'room'>,
  name: string,
): Promise<ResolvedKey> {
  const held = await resolveKey(deps.catalogue, name)
  if (held.key.chain === 'stellar') return held
  const reason = 'only transactions of Stellar are sent from here'
  throw new SignerError('key/unsupported', { key: name, wanted: 'stellar', reason })
}

/** The key whose account is the source, or pays the fee: its owner says whether it is sent. */
function payerAmong(view: StellarTransactionView, held: readonly ResolvedKey[]): ResolvedKey {
  const payers = view.kind === 'fee-bump' ? [view.feeSource.address, view.inner.source.address] : [view.source.address]
  const payer = payers
    .map(address => held.find(({ version }) => version.account === address))
    .find(found => found !== undefined)
  if (payer !== undefined) return payer
  const reason = 'neither its source nor whoever pays its fee is the account of one of these keys'
  throw new SignerError('payload/invalid', { field: 'xdr', reason })
}
