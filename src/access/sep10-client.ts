/** The other side of a login by SEP-10: what a wallet looks at before it signs a challenge, and the signature. */
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../bytes/base64.ts'
import { SignerError } from '../domain/errors.ts'
import { signedByAccount } from './address-proof.ts'
import {
  checkFrame,
  checkOperations,
  checkTime,
  decode,
  hashOf,
  madeBy,
  refused,
  type Sep10Rules,
  type Sep10Signer,
} from './sep10.ts'

/** What the person who logs in knows beforehand, and no server can tell them. */
export interface ExpectedChallenge extends Omit<Sep10Rules, 'serverAccount'> {
  /** Absent: whoever made it, known by nothing but the connection. */
  readonly serverAccount?: string
}

/** Beside `SEP10_REASONS`. */
export const ANOTHER_ACCOUNT = 'it is for another account than the one that logs in'

/**
 * Adds the signature of `account` to a challenge, and to nothing else: sequence number 0, time bounds alone, the two data
 * entries of this home domain and of this account, the server's one good signature. So what is signed can be executed on
 * no network, and is of use at no other server.
 *
 * @returns the envelope, base64. @throws `login/refused`; `signature/unverified` when `sign` gives something else
 */
export async function signSep10Challenge(
  expected: ExpectedChallenge,
  transaction: string,
  options: { readonly account: string; readonly now: number; readonly sign: Sep10Signer },
): Promise<string> {
  const { account, now, sign } = options
  const { tx, signatures } = decode(transaction)
  const rules = { ...expected, serverAccount: expected.serverAccount ?? sourceOf(tx) }
  checkFrame(tx, rules)
  checkTime(tx.cond, Math.floor(now / 1000))
  const client = checkOperations(tx.operations, rules)
  if (StrKey.encodeEd25519PublicKey(client) !== account)
    throw new SignerError('login/refused', { reason: ANOTHER_ACCOUNT })
  const hash = hashOf(tx, rules)
  const [made] = signatures
  if (made === undefined || signatures.length !== 1 || !(await madeBy(rules.serverAccount, made, hash)))
    throw refused('server')
  const signature = await sign(hash.slice())
  if (!(await signedByAccount(account, hash, signature)))
    throw new SignerError('signature/unverified', { reason: 'The signature of the login does not verify' })
  const own = new xdr.DecoratedSignature({ hint: client.slice(-4), signature })
  const envelope = new xdr.TransactionV1Envelope({ tx, signatures: [made, own] })
  return toBase64(xdr.TransactionEnvelope.envelopeTypeTx(envelope).toXdr())
}

function sourceOf({ sourceAccount }: xdr.Transaction): string {
  if (sourceAccount.type !== 'keyTypeEd25519') throw refused('source')
  return StrKey.encodeEd25519PublicKey(sourceAccount.ed25519.toBytes())
}
