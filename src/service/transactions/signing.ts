import { authorizationAt, feeBumpOf, withAuthorizations } from '../../chains/stellar/index.ts'
import type { IdempotencyEntry } from '../../domain/ports.ts'
import type { PreparedTransaction, SignedBy, SignedTransaction } from '../../domain/transactions.ts'
import { resolveKey } from '../keys.ts'
import { insideOf } from '../release.ts'
import { sign } from '../sign.ts'
import type { Asking, CallerLike, SignAnswer } from '../types.ts'
import type { TransactionParts } from './types.ts'

/** Characters that `signAll` puts behind an Idempotency-Key. */
export const SUFFIX_CHARACTERS = '/'.length + 32 + '/99'.length

/**
 * Every signature that a prepared transaction needs, each on the path of signatures: judged by the policy of its key, recorded,
 * and kept under an idempotency key of its own, so that the same is signed again when the request is. Authorizations first,
 * since the transaction holds them; then the source; then whoever pays.
 *
 * They are put together here and told to nobody; before they are sent it is asked once more whether they may go.
 *
 * @param signed  told before each signature after the first: from then on one exists
 * @throws what `sign` throws
 */
export async function signAll<C extends CallerLike>(
  parts: TransactionParts<C>,
  caller: C,
  asking: Asking,
  entry: Pick<IdempotencyEntry, 'key'>,
  prepared: PreparedTransaction,
  signed: () => void,
): Promise<SignedTransaction> {
  const deps = { ...parts.room.deps, authenticate: async () => caller }
  const by: SignedBy[] = []
  const one = async (key: string, payload: object): Promise<SignAnswer> => {
    const body = new TextEncoder().encode(JSON.stringify(payload))
    const idempotencyKey = `${entry.key}/${prepared.hash.slice(0, 32)}/${by.length + 1}`
    const answer = insideOf(await sign(deps, { ...asking, key, body, idempotencyKey }))
    by.push({ key, version: answer.keyVersion })
    signed()
    return answer
  }
  const entries: { at: number; entry: string }[] = []
  for (const { entry: at, key } of prepared.authorizers) {
    const answer = await one(key, { type: 'stellar-auth-entry', entry: authorizationAt(prepared.envelope, at) })
    entries.push({ at, entry: present(answer.signedAuthEntry) })
  }
  let envelope = entries.length === 0 ? prepared.envelope : withAuthorizations(prepared.envelope, entries)
  let hash = prepared.hash
  const envelopeBy = async (key: string): Promise<void> => {
    const answer = await one(key, { type: 'stellar-transaction', xdr: envelope })
    envelope = present(answer.signedXdr)
    hash = answer.hash
  }
  for (const key of prepared.signers) await envelopeBy(key)
  if (prepared.feeSource !== null && prepared.feeBump !== null) {
    const payer = await resolveKey(deps.catalogue, prepared.feeSource)
    envelope = feeBumpOf(envelope, payer.version.account, BigInt(prepared.feeBump))
    await envelopeBy(prepared.feeSource)
  }
  return { hash, envelope, by }
}

function present(text: string | undefined): string {
  if (text === undefined) throw new TypeError('a signature came without its payload')
  return text
}
