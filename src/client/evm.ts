import { fromBase64 } from './bytes.ts'
import { clientError, without } from './errors.ts'
import { blobsOf, withSidecars } from './evm-sidecars.ts'
import {
  type EvmTransaction,
  type EvmTuple,
  type Hex,
  hexOf,
  transactionFields,
  tupleAddress,
  unsignedTuple,
} from './evm-transaction.ts'
import type { Payload, Signed } from './types.ts'

interface EvmSignature {
  readonly r: Hex
  readonly s: Hex
  readonly v: bigint
  readonly yParity: number
}

/** What signs with an account: text as UTF-8, or bytes. */
export type EvmMessage = string | { readonly raw: Hex | Uint8Array }

/** EIP-712, as viem and ethers have it. Types are checked by the service. */
export interface EvmTypedData {
  readonly domain?: unknown
  readonly types?: unknown
  readonly primaryType?: unknown
  readonly message?: unknown
}

/**
 * One key on one chain: a `LocalAccount` of viem (`createWalletClient({ account })`), without a need for viem here. Every
 * member is an own property. All methods throw CountersignError, or ApprovalPendingError.
 */
export interface EvmAccount {
  readonly address: Hex
  /** Uncompressed, 65 bytes. */
  readonly publicKey: Hex
  readonly source: 'countersign'
  readonly type: 'local'
  /** Name of the key. */
  readonly keyId: string
  /** Bare 32 bytes: refused unless the policy of the key allows `raw-digest`. */
  readonly sign: (parameters: { hash: Hex }) => Promise<Hex>
  /** EIP-7702: hands the account over to code, so it takes a permission of its own. */
  readonly signAuthorization: (tuple: EvmTuple) => Promise<EvmAuthorization>
  /** EIP-191. */
  readonly signMessage: (parameters: { message: EvmMessage }) => Promise<Hex>
  /**
   * @param options.serializer of a chain. It must give the standard encoding of what was signed: what a chain adds to a
   *                           transaction is refused, since nobody has judged it.
   */
  readonly signTransaction: (
    transaction: EvmTransaction,
    options?: { serializer?: ((transaction: never, signature?: never) => unknown) | undefined },
  ) => Promise<Hex>
  /** EIP-712. */
  readonly signTypedData: (definition: EvmTypedData) => Promise<Hex>
}

export type EvmAuthorization = {
  address: Hex
  chainId: number
  nonce: number
  r: Hex
  s: Hex
  v: bigint
  yParity: number
}

export interface EvmAccountParts {
  readonly key: string
  readonly address: string
  /** Base64. */
  readonly publicKey: string
  /** @throws CountersignError, ApprovalPendingError */
  sign(payload: Payload): Promise<Signed>
}

export function createEvmAccount({ key, address, publicKey, sign }: EvmAccountParts): EvmAccount {
  const signature = async (payload: Payload): Promise<Hex> => hexMember(await sign(payload), 'evmSignature')

  return Object.freeze<EvmAccount>({
    address: address as Hex,
    publicKey: hexOf(fromBase64(publicKey)),
    source: 'countersign',
    type: 'local',
    keyId: key,
    sign: async ({ hash }) => signature({ type: 'raw-digest', digest: hash.slice(2).toLowerCase() }),
    signAuthorization: async tuple => {
      const { chainId, nonce } = tuple
      const made = parts(await signature({ type: 'evm-authorization', authorization: unsignedTuple(tuple) }))
      return { address: tupleAddress(tuple), chainId, nonce, ...made }
    },
    signMessage: async ({ message }) => {
      if (typeof message === 'string') return signature({ type: 'evm-message', message })
      const { raw } = message
      return signature({ type: 'evm-message', hex: typeof raw === 'string' ? raw : hexOf(raw) })
    },
    signTransaction: async (transaction, { serializer } = {}) => {
      const { sidecars, hashes } = await blobsOf(transaction)
      const answer = await sign({ type: 'evm-transaction', transaction: transactionFields(transaction, hashes) })
      const signed = hexMember(answer, 'signedTransaction')
      if (serializer !== undefined) {
        // Legacy transactions need v, all others yParity.
        const made = parts(hexMember(answer, 'evmSignature'))
        const { blobs: _, kzg: __, ...rest } = transaction
        const plain = { ...rest, ...(hashes === undefined ? {} : { blobVersionedHashes: hashes }) }
        const bare = sidecars === undefined ? plain : { ...plain, sidecars: false }
        if ((await serializer(bare as never, made as never)) !== signed) {
          throw clientError(
            'client/options',
            'The serializer of the chain makes another transaction than the one that was signed',
          )
        }
      }
      return sidecars === undefined ? signed : withSidecars(signed, sidecars)
    },
    signTypedData: async ({ domain = {}, types, primaryType, message }) =>
      signature({ type: 'evm-typed-data', typedData: plainJson({ domain, types, primaryType, message }) }),
  })
}

/** JSON has no bigint and no bytes: integers as decimal text, bytes as 0x hex, both of which EIP-712 takes. */
function plainJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return hexOf(value)
  if (Array.isArray(value)) return value.map(plainJson)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, inside]) => inside !== undefined)
  return Object.fromEntries(members.map(([name, inside]) => [name, plainJson(inside)]))
}

/** r‖s‖v, 65 bytes. */
function parts(signature: Hex): EvmSignature {
  const v = BigInt(`0x${signature.slice(130)}`)
  return { r: signature.slice(0, 66) as Hex, s: `0x${signature.slice(66, 130)}`, v, yParity: v === 28n ? 1 : 0 }
}

function hexMember(answer: Signed, member: 'evmSignature' | 'signedTransaction'): Hex {
  const value = answer[member]
  const form = member === 'evmSignature' ? /^0x[0-9a-f]{128}1[bc]$/ : /^0x(?:[0-9a-f]{2})+$/
  if (typeof value === 'string' && form.test(value)) return value as Hex
  throw without(member)
}
