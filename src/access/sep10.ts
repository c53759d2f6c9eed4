/**
 * Login of a Stellar address by a challenge transaction (SEP-10, version 3.4.1): made here, signed by the server's key,
 * signed by the address, and read back under rules that are narrower than the SEP's.
 *
 * The SEP leaves room that administrators do not need; all of it is refused. A memo and a muxed account (M…) tell apart
 * users behind one account, but an administrator is one account. `client_domain` names a wallet, and further operations
 * are for the future. Nor are the account's signers and thresholds asked for: they live on the network, and who may log
 * in is a list of addresses, so the one signature that counts is that of the address's own key.
 *
 * A challenge has sequence number 0, which no network executes; the signing path refuses to sign any such transaction.
 */
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { equalBytes } from '../bytes/equal.ts'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { Digest32 } from '../domain/brands.ts'
import { SignerError } from '../domain/errors.ts'
import { signedByAccount } from './address-proof.ts'

export interface Sep10Rules {
  /** G… of the key that signs challenges: `SIGNING_KEY` of the home domain. */
  readonly serverAccount: string
  /** Host the login is for. */
  readonly homeDomain: string
  /** Host that serves the login. */
  readonly webAuthDomain: string
  readonly networkPassphrase: string
}

/** Ed25519 over 32 bytes: 64 bytes. Asynchronous, so that the key may live in a key service. */
export type Sep10Signer = (hash: Uint8Array) => Promise<Uint8Array>

/** Stable texts: programs may compare them, and none holds anything of the answer. */
export const SEP10_REASONS = {
  spelling: 'the transaction is not exact base64 of a transaction envelope in canonical form',
  envelope: 'the envelope is not a transaction (V1): neither a fee-bump nor a V0 envelope can answer a challenge',
  source: 'the source account of the transaction is not the server account',
  sequence: 'the sequence number is not 0',
  preconditions: 'the preconditions are not time bounds alone',
  endless: 'the time bounds have no end',
  life: 'the time bounds span more than 900 seconds, or none',
  early: 'the challenge is not valid yet',
  expired: 'the challenge has expired',
  memo: 'the transaction has a memo, which an administrator has no use for',
  extension: 'the transaction has an extension',
  operations: 'the operations are not the two that were issued',
  type: 'an operation is not manage_data',
  clientDomain: 'client_domain is not supported',
  client: 'the first operation has no source account of its own, or the server account',
  muxed: 'a muxed account cannot log in: use the G… address',
  homeDomain: 'the first operation does not name the home domain and auth',
  nonce: 'the value of the first operation is not 48 bytes in base64',
  webAuthSource: 'the source of web_auth_domain is not the server account',
  webAuthDomain: 'the second operation is not web_auth_domain with the domain of this server',
  count: 'the transaction does not hold two signatures, of the server and of the account',
  server: 'the signature of the server is missing or does not verify',
  signature: 'the signature of the account is missing or does not verify',
} as const
type Reason = keyof typeof SEP10_REASONS

export const SEP10_SECONDS_MAX = 900
/** How far the clock of the instance that issued a challenge may be ahead. */
const SKEW_SECONDS = 30
const CHARACTERS_MAX = 4096
const FEE_STROOPS = 200
const encoder = new TextEncoder()

export interface Sep10Challenge {
  /** The envelope, base64. */
  readonly transaction: string
  /** Hash of the transaction, hex: the same with and without signatures. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * @param options.nonce    48 random bytes.
 * @param options.seconds  life, 1 to 900.
 * @throws `signature/unverified` when the signer's answer is not a signature of the server account; what the signer throws
 */
export async function makeSep10Challenge(
  rules: Sep10Rules,
  client: string,
  options: { readonly now: number; readonly seconds: number; readonly nonce: Uint8Array; readonly sign: Sep10Signer },
): Promise<Sep10Challenge> {
  const { now, seconds, nonce, sign } = options
  const server = StrKey.decodeEd25519PublicKey(rules.serverAccount)
  const minTime = Math.floor(now / 1000)
  const tx = new xdr.Transaction({
    sourceAccount: xdr.MuxedAccount.keyTypeEd25519(server),
    fee: FEE_STROOPS,
    seqNum: 0n,
    cond: xdr.Preconditions.precondTime(
      new xdr.TimeBounds({ minTime: BigInt(minTime), maxTime: BigInt(minTime + seconds) }),
    ),
    memo: xdr.Memo.memoNone(),
    operations: [
      manageData(StrKey.decodeEd25519PublicKey(client), `${rules.homeDomain} auth`, toBase64(nonce)),
      manageData(server, 'web_auth_domain', rules.webAuthDomain),
    ],
    ext: xdr.TransactionExt.v0(),
  })
  const hash = hashOf(tx, rules)
  const signature = await sign(hash.slice())
  if (!(await signedByAccount(rules.serverAccount, hash, signature))) {
    throw new SignerError('signature/unverified', { reason: 'The signature of the login challenge does not verify' })
  }
  const signed = new xdr.DecoratedSignature({ hint: server.slice(-4), signature })
  const envelope = new xdr.TransactionV1Envelope({ tx, signatures: [signed] })
  const transaction = toBase64(xdr.TransactionEnvelope.envelopeTypeTx(envelope).toXdr())
  return { transaction, id: toHex(hash), expiresAt: (minTime + seconds) * 1000 }
}

function manageData(source: Uint8Array, name: string, value: string): xdr.Operation {
  const body = new xdr.ManageDataOp({ dataName: name, dataValue: encoder.encode(value) })
  return new xdr.Operation({
    sourceAccount: xdr.MuxedAccount.keyTypeEd25519(source),
    body: xdr.OperationBody.manageData(body),
  })
}

/** SHA-256 of network id, envelope type and transaction. */
export function hashOf(tx: xdr.Transaction, rules: Sep10Rules): Digest32 {
  const taggedTransaction = xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTx(tx)
  const networkId = sha256(encoder.encode(rules.networkPassphrase))
  return sha256(new xdr.TransactionSignaturePayload({ networkId, taggedTransaction }).toXdr())
}

/**
 * Who has signed this challenge. That it was issued and is used for the first time is for the caller to ask of its store.
 * @returns account G… and the id that `makeSep10Challenge` gave it.
 * @throws `login/refused` and nothing else, with one of `SEP10_REASONS`
 */
export async function readSep10Answer(
  rules: Sep10Rules,
  transaction: string,
  now: number,
): Promise<{ readonly account: string; readonly id: string }> {
  const { tx, signatures } = decode(transaction)
  checkFrame(tx, rules)
  checkTime(tx.cond, Math.floor(now / 1000))
  const client = checkOperations(tx.operations, rules)
  const account = StrKey.encodeEd25519PublicKey(client)
  const hash = hashOf(tx, rules)
  await checkSignatures(signatures, hash, rules.serverAccount, account)
  return { account, id: toHex(hash) }
}

export function decode(text: string): xdr.TransactionV1Envelope {
  const bytes = text.length > CHARACTERS_MAX ? undefined : fromBase64(text)
  if (bytes === undefined) throw refused('spelling')
  let envelope: xdr.TransactionEnvelope
  try {
    envelope = xdr.TransactionEnvelope.fromXdrObject(xdr.TransactionEnvelope.schema.decode(bytes, { maxDepth: 100 }))
  } catch (error) {
    // The SDK throws several kinds of errors on bad input; all of it is the input's fault.
    throw refused('spelling', error)
  }
  if (!equalBytes(envelope.toXdr(), bytes)) throw refused('spelling')
  if (envelope.type !== 'envelopeTypeTx') throw refused('envelope')
  return envelope.v1
}

export function checkFrame(tx: xdr.Transaction, { serverAccount }: Sep10Rules): void {
  if (!isAccount(tx.sourceAccount, StrKey.decodeEd25519PublicKey(serverAccount))) throw refused('source')
  if (tx.seqNum !== 0n) throw refused('sequence')
  if (tx.memo.type !== 'memoNone') throw refused('memo')
  if (tx.ext.type !== 'v0') throw refused('extension')
}

export function checkTime(cond: xdr.Preconditions, now: number): void {
  if (cond.type !== 'precondTime') throw refused('preconditions')
  const { minTime, maxTime } = cond.timeBounds
  if (maxTime === 0n) throw refused('endless')
  if (maxTime <= minTime || maxTime - minTime > BigInt(SEP10_SECONDS_MAX)) throw refused('life')
  if (BigInt(now + SKEW_SECONDS) < minTime) throw refused('early')
  if (BigInt(now) >= maxTime) throw refused('expired')
}

/** @returns the key of the account that logs in. */
export function checkOperations(operations: readonly xdr.Operation[], rules: Sep10Rules): Uint8Array {
  const server = StrKey.decodeEd25519PublicKey(rules.serverAccount)
  const data = operations.map(({ sourceAccount, body }) => {
    if (body.type !== 'manageData') throw refused('type')
    return { source: sourceAccount, name: body.manageDataOp.dataName.bytes, value: body.manageDataOp.dataValue }
  })
  if (data.some(({ name }) => isText(name, 'client_domain'))) throw refused('clientDomain')
  const [first, second] = data
  if (data.length !== 2 || first === undefined || second === undefined) throw refused('operations')
  if (first.source?.type === 'keyTypeMuxedEd25519') throw refused('muxed')
  if (first.source === null || isAccount(first.source, server)) throw refused('client')
  if (!isText(first.name, `${rules.homeDomain} auth`)) throw refused('homeDomain')
  if (first.value === null || !isNonce(first.value.toBytes())) throw refused('nonce')
  if (second.source === null || !isAccount(second.source, server)) throw refused('webAuthSource')
  const domain = isText(second.name, 'web_auth_domain') ? second.value?.toBytes() : undefined
  if (domain === undefined || !isText(domain, rules.webAuthDomain)) throw refused('webAuthDomain')
  return first.source.ed25519.toBytes()
}

/** One of the server, one of the account, in any order: wallets append, and some build the list anew. */
async function checkSignatures(
  signatures: readonly xdr.DecoratedSignature[],
  hash: Digest32,
  server: string,
  account: string,
): Promise<void> {
  const [first, second] = signatures
  if (first === undefined || second === undefined || signatures.length !== 2) throw refused('count')
  const isFirst = await madeBy(server, first, hash)
  if (!isFirst && !(await madeBy(server, second, hash))) throw refused('server')
  if (!(await madeBy(account, isFirst ? second : first, hash))) throw refused('signature')
}

export async function madeBy(
  account: string,
  { hint, signature }: xdr.DecoratedSignature,
  hash: Digest32,
): Promise<boolean> {
  const expected = StrKey.decodeEd25519PublicKey(account).slice(-4)
  return equalBytes(hint.toBytes(), expected) && (await signedByAccount(account, hash, signature.toBytes()))
}

const isAccount = (account: xdr.MuxedAccount, key: Uint8Array): boolean =>
  account.type === 'keyTypeEd25519' && equalBytes(account.ed25519.toBytes(), key)

const isText = (bytes: Uint8Array, text: string): boolean => equalBytes(bytes, encoder.encode(text))

function isNonce(value: Uint8Array): boolean {
  return value.length === 64 && fromBase64(String.fromCharCode(...value))?.length === 48
}

export const refused = (reason: Reason, cause?: unknown) =>
  new SignerError('login/refused', { reason: SEP10_REASONS[reason] }, cause === undefined ? {} : { cause })
