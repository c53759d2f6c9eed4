/** Countersign for ethers 6: `countersign/ethers`. */
import {
  AbstractSigner,
  type Authorization,
  type AuthorizationRequest,
  assertArgument,
  copyRequest,
  getAddress,
  type Provider,
  resolveAddress,
  resolveProperties,
  Signature,
  Transaction,
  type TransactionRequest,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
} from 'ethers'
import type { EvmAccount } from './evm.ts'
import { type EvmTransaction, type Hex, TYPES } from './evm-transaction.ts'

/**
 * A signer for ethers 6 over an account of the client:
 *
 *   new CountersignSigner(await countersign.evm('deployer'), provider)
 *
 * ethers encodes the transaction itself and recovers who signed it, so what leaves here was checked on both sides. Throws
 * CountersignError, ApprovalPendingError, and what ethers throws for what it cannot encode.
 */
export class CountersignSigner extends AbstractSigner {
  readonly address: string
  readonly #account: EvmAccount
  constructor(account: EvmAccount, provider?: Provider | null) {
    super(provider)
    this.#account = account
    this.address = getAddress(account.address)
  }

  async getAddress(): Promise<string> {
    return this.address
  }

  connect(provider: Provider | null): CountersignSigner {
    return new CountersignSigner(this.#account, provider)
  }

  async signTransaction(request: TransactionRequest): Promise<string> {
    const { to, from, ...rest } = await resolveProperties(copyRequest(request))
    const named = {
      ...rest,
      ...(to === undefined || to === null ? {} : { to: await resolveAddress(to, this.provider) }),
    }
    if (from !== undefined && from !== null) {
      const sender = await resolveAddress(from, this.provider)
      assertArgument(getAddress(sender) === this.address, 'transaction from address mismatch', 'tx.from', sender)
    }
    const transaction = Transaction.from(named)
    const signed = Transaction.from(await this.#account.signTransaction(fieldsOf(transaction)))
    const same = signed.unsignedHash === transaction.unsignedHash && signed.from === this.address
    assertArgument(same, 'the service signed another transaction, or another key did', 'tx', signed.hash)
    transaction.signature = signed.signature
    return transaction.serialized // with the blobs, where it has some
  }

  async signMessage(message: string | Uint8Array): Promise<string> {
    return this.#account.signMessage({ message: typeof message === 'string' ? message : { raw: message } })
  }

  async signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
  ): Promise<string> {
    const populated = await TypedDataEncoder.resolveNames(domain, types, value, async name =>
      resolveAddress(name, this.provider),
    )
    return this.#account.signTypedData(TypedDataEncoder.getPayload(populated.domain, types, populated.value))
  }

  /** EIP-7702. */
  override async authorize(request: AuthorizationRequest): Promise<Authorization> {
    const { address, chainId, nonce } = await this.populateAuthorization(request)
    const tuple = {
      address: (await resolveAddress(address, this.provider)) as Hex,
      chainId: Number(chainId ?? 0),
      nonce: Number(nonce ?? 0),
    }
    const { r, s, yParity } = await this.#account.signAuthorization(tuple)
    const signature = Signature.from({ r, s, yParity: yParity === 1 ? 1 : 0 })
    return { address: getAddress(tuple.address), chainId: BigInt(tuple.chainId), nonce: BigInt(tuple.nonce), signature }
  }
}

/** What ethers knows of a transaction, in the account's fields; the blobs stay with ethers. */
function fieldsOf(transaction: Transaction): EvmTransaction {
  const { type, to, accessList, authorizationList, blobVersionedHashes, maxFeePerBlobGas } = transaction
  const legacy = type === 0 || type === 1
  return {
    type: TYPES[type ?? 2],
    chainId: Number(transaction.chainId),
    nonce: transaction.nonce,
    to: to as Hex | null,
    value: transaction.value,
    data: transaction.data as Hex,
    gas: transaction.gasLimit,
    ...(legacy ? given({ gasPrice: transaction.gasPrice }) : {}),
    ...(legacy ? {} : given({ maxFeePerGas: transaction.maxFeePerGas })),
    ...(legacy ? {} : given({ maxPriorityFeePerGas: transaction.maxPriorityFeePerGas })),
    ...(type === 0 || accessList === null
      ? {}
      : { accessList: accessList as NonNullable<EvmTransaction['accessList']> }),
    ...(type === 3 ? given({ maxFeePerBlobGas }) : {}),
    ...(type === 3 ? { blobVersionedHashes: (blobVersionedHashes ?? []) as Hex[] } : {}),
    ...(type === 4 ? { authorizationList: (authorizationList ?? []).map(tupleOf) } : {}),
  }
}

const tupleOf = ({ address, chainId, nonce, signature: { r, s, yParity } }: Authorization) => ({
  address: address as Hex,
  chainId: Number(chainId),
  nonce: Number(nonce),
  r: r as Hex,
  s: s as Hex,
  yParity,
})

const given = <T extends string>(member: Readonly<Record<T, bigint | null>>) =>
  Object.fromEntries(Object.entries<bigint | null>(member).filter(([, value]) => value !== null)) as {
    readonly [M in T]?: bigint
  }
