import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { equalBytes } from '../../bytes/equal.ts'
import { fromHex } from '../../bytes/hex.ts'
import type { InvocationView } from '../../domain/stellar.ts'
import type { CallValue } from '../../domain/transactions.ts'
import { exactly } from './account-entry.ts'
import { replaced } from './auth-credentials.ts'
import { muxedOf, oneOperation, unsignedEnvelope } from './one-operation.ts'
import { addressCredentialsOf, treeOf } from './soroban.ts'
import { strkeyOf } from './values.ts'

/** One call of one contract, with everything that a transaction around it needs. */
export interface CallPlan {
  /** G… of the source account. */
  readonly source: string
  /** Of the transaction: one more than the account's. */
  readonly sequence: bigint
  readonly contract: string
  readonly function: string
  readonly arguments: readonly CallValue[]
  /** Stroops for inclusion. */
  readonly fee: number
  /** Seconds since the epoch. */
  readonly maxTime: bigint
}

/** What a simulation adds. */
export interface CallResources {
  /** Base64 XDR of SorobanTransactionData; its resource fee is replaced by `resourceFee`. */
  readonly transactionData: string
  readonly resourceFee: bigint
  /** Base64 XDR; those of addresses get `expirationLedger`. */
  readonly authorizations: readonly string[]
  readonly expirationLedger: number
}

/** An authorization that a call asks for. */
export interface AskedAuthorization {
  /** Null: the source account of the transaction, by its signature on it. */
  readonly address: string | null
  /** Root first, depth first. */
  readonly invocations: readonly InvocationView[]
}

export const isAccountAddress = (text: string): boolean => StrKey.isValidEd25519PublicKey(text)
export const isContractAddress = (text: string): boolean => StrKey.isValidContract(text)

/** For the simulation: base64 XDR without resources, authorizations and signatures. */
export const buildCall = (plan: CallPlan): string => envelopeOf(plan, [], xdr.TransactionExt.v0(), BigInt(plan.fee))

/**
 * The same call with its resources, ready to be signed. Whatever the node said of fees, what is charged is what we write.
 * @throws Error when the node's XDR cannot be read
 */
export function completeCall(plan: CallPlan, resources: CallResources): string {
  const { resourceFee, expirationLedger } = resources
  const found = exactly(resources.transactionData, bytes => xdr.SorobanTransactionData.fromXdr(bytes))
  const data = new xdr.SorobanTransactionData({ ext: found.ext, resources: found.resources, resourceFee })
  const entries = resources.authorizations.map(text => expiring(readEntry(text), expirationLedger))
  return envelopeOf(plan, entries, xdr.TransactionExt.sorobanData(data), BigInt(plan.fee) + resourceFee)
}

const readEntry = (text: string): xdr.SorobanAuthorizationEntry =>
  exactly(text, bytes => xdr.SorobanAuthorizationEntry.fromXdr(bytes))

/** @throws Error when it cannot be read, carries a signature already, or is of a kind that no account gives */
export function readAuthorization(text: string): AskedAuthorization {
  const { credentials, rootInvocation } = readEntry(text)
  const invocations = treeOf(rootInvocation)
  if (credentials.type === 'sorobanCredentialsSourceAccount') return { address: null, invocations }
  const found = addressCredentialsOf(credentials)
  if (found === undefined || found.kind === 'address-with-delegates') {
    throw new Error('its credentials are of another kind')
  }
  const { held } = found
  if (held.signature.type !== 'scvVoid') throw new Error('it carries a signature already')
  return { address: strkeyOf(held.address), invocations }
}

const expiring = ({ credentials, rootInvocation }: xdr.SorobanAuthorizationEntry, ledger: number) =>
  new xdr.SorobanAuthorizationEntry({
    credentials: replaced(credentials, ledger, ({ signature }) => signature),
    rootInvocation,
  })

const unsigned = ({ credentials, rootInvocation }: xdr.SorobanAuthorizationEntry) =>
  new xdr.SorobanAuthorizationEntry({
    credentials: replaced(credentials, undefined, () => xdr.ScVal.scvVoid()),
    rootInvocation,
  })

function envelopeOf(
  plan: CallPlan,
  auth: xdr.SorobanAuthorizationEntry[],
  ext: xdr.TransactionExt,
  fee: bigint,
): string {
  const call = new xdr.InvokeContractArgs({
    contractAddress: scAddressOf(plan.contract),
    functionName: plan.function,
    args: plan.arguments.map(scValOf),
  })
  const hostFunction = xdr.HostFunction.hostFunctionTypeInvokeContract(call)
  const body = xdr.OperationBody.invokeHostFunction(new xdr.InvokeHostFunctionOp({ hostFunction, auth }))
  const { source, sequence, maxTime } = plan
  return oneOperation({ source, sequence, maxTime, fee: Number(fee), ext }, body)
}

function scAddressOf(address: string): xdr.ScAddress {
  return address.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(address)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(address)))
}

/** Structs as the contract SDK has them: a map from symbols, in the order of their bytes, which the host insists on. */
function scValOf(value: CallValue): xdr.ScVal {
  switch (value.kind) {
    case 'bool':
      return xdr.ScVal.scvBool(value.value)
    case 'integer':
      return integerOf(value.type, value.value)
    case 'symbol':
      return xdr.ScVal.scvSymbol(value.text)
    case 'string':
      return xdr.ScVal.scvString(value.text)
    case 'bytes':
      return xdr.ScVal.scvBytes(fromHex(value.hex) ?? new Uint8Array())
    case 'address':
      return xdr.ScVal.scvAddress(scAddressOf(value.address))
    case 'vec':
      return xdr.ScVal.scvVec(value.items.map(scValOf))
    case 'struct':
      return xdr.ScVal.scvMap(
        value.fields
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
          .map(field => new xdr.ScMapEntry({ key: xdr.ScVal.scvSymbol(field.name), val: scValOf(field.value) })),
      )
  }
}

const LOW_64 = 0xffff_ffff_ffff_ffffn

function integerOf(type: Extract<CallValue, { kind: 'integer' }>['type'], value: bigint): xdr.ScVal {
  const part = (at: bigint): bigint => (value >> (64n * at)) & LOW_64
  switch (type) {
    case 'u32':
      return xdr.ScVal.scvU32(Number(value))
    case 'i32':
      return xdr.ScVal.scvI32(Number(value))
    case 'u64':
      return xdr.ScVal.scvU64(value)
    case 'i64':
      return xdr.ScVal.scvI64(value)
    case 'timepoint':
      return xdr.ScVal.scvTimepoint(value)
    case 'duration':
      return xdr.ScVal.scvDuration(value)
    case 'u128':
      return xdr.ScVal.scvU128(new xdr.Uint128Parts({ hi: part(1n), lo: part(0n) }))
    case 'i128':
      return xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: value >> 64n, lo: part(0n) }))
    case 'u256':
      return xdr.ScVal.scvU256(new xdr.Uint256Parts({ hiHi: part(3n), hiLo: part(2n), loHi: part(1n), loLo: part(0n) }))
    case 'i256':
      return xdr.ScVal.scvI256(
        new xdr.Int256Parts({ hiHi: value >> 192n, hiLo: part(2n), loHi: part(1n), loLo: part(0n) }),
      )
  }
}

/** The single contract call of a V1 envelope. @throws Error for every other envelope */
function callIn(envelope: string): { tx: xdr.Transaction; op: xdr.InvokeHostFunctionOp; operation: xdr.Operation } {
  const decoded = exactly(envelope, bytes => xdr.TransactionEnvelope.fromXdr(bytes))
  if (decoded.type !== 'envelopeTypeTx') throw new Error('it is no plain transaction')
  const { tx, signatures } = decoded.v1
  const [operation, ...more] = tx.operations
  if (operation === undefined || more.length > 0 || operation.body.type !== 'invokeHostFunction') {
    throw new Error('it is not one contract call')
  }
  if (signatures.length > 0) throw new Error('it is signed already')
  return { tx, op: operation.body.invokeHostFunctionOp, operation }
}

/** Base64 XDR of an authorization entry of the call in this envelope. */
export function authorizationAt(envelope: string, at: number): string {
  const entry = callIn(envelope).op.auth[at]
  if (entry === undefined) throw new RangeError(`the call has no authorization ${at}`)
  return entry.toXdr('base64')
}

/**
 * The envelope with signed authorization entries in their places.
 * @throws Error unless each is the entry that stood there, but for its signature
 */
export function withAuthorizations(
  envelope: string,
  signed: readonly { readonly at: number; readonly entry: string }[],
): string {
  const { tx, op, operation } = callIn(envelope)
  const auth = [...op.auth]
  for (const { at, entry: text } of signed) {
    const [before, entry] = [auth[at], readEntry(text)]
    if (before === undefined || !equalBytes(unsigned(before).toXdr(), unsigned(entry).toXdr())) {
      throw new Error('a signed authorization is not the one that was asked for')
    }
    auth[at] = entry
  }
  const body = xdr.OperationBody.invokeHostFunction(
    new xdr.InvokeHostFunctionOp({ hostFunction: op.hostFunction, auth }),
  )
  const { sourceAccount, fee, seqNum, cond, memo, ext } = tx
  const operations = [new xdr.Operation({ sourceAccount: operation.sourceAccount, body })]
  return unsignedEnvelope(new xdr.Transaction({ sourceAccount, fee, seqNum, cond, memo, operations, ext }))
}

/** A fee bump around a signed V1 envelope, without signatures of its own. @param fee stroops in all */
export function feeBumpOf(envelope: string, feeSource: string, fee: bigint): string {
  const decoded = exactly(envelope, bytes => xdr.TransactionEnvelope.fromXdr(bytes))
  if (decoded.type !== 'envelopeTypeTx') throw new Error('it is no plain transaction')
  const innerTx = xdr.FeeBumpTransactionInnerTx.envelopeTypeTx(decoded.v1)
  const ext = xdr.FeeBumpTransactionExt.v0()
  const tx = new xdr.FeeBumpTransaction({ feeSource: muxedOf(feeSource), fee, innerTx, ext })
  return xdr.TransactionEnvelope.envelopeTypeTxFeeBump(
    new xdr.FeeBumpTransactionEnvelope({ tx, signatures: [] }),
  ).toXdr('base64')
}

/** What a contract returned (SEP-51). @throws Error when it is no SCVal */
export const returnedJson = (value: string): unknown => exactly(value, bytes => xdr.ScVal.fromXdr(bytes)).toJson()
