import { fromBase64, toBase64, toHex } from './bytes.ts'
import { CountersignError, clientError } from './errors.ts'
import { sameButSigned } from './stellar-envelope.ts'
import { networkOf, passphraseOf } from './stellar-networks.ts'
import type { Payload, Signed } from './types.ts'

/** SEP-43. */
export type WalletError = { message: string; code: number; ext?: string[] }
type Opts = { networkPassphrase?: string; address?: string }
type Reply<T> = Promise<T & { signerAddress: string; error?: WalletError }>
/** HashIdPreimage of stellar-sdk 17, or of 14 to 16. */
export type Preimage = { toXdr(): Uint8Array } | { toXDR(): Uint8Array }
/** A transaction or fee bump of stellar-sdk 14 to 17. */
export type SignableTransaction = {
  hash(): Uint8Array
  addSignature(publicKey?: string, signature?: string): void
} & ({ toXdr(): string } | { toXDR(): string })

/**
 * One key on one network, in the shapes of stellar-sdk 14 to 17 and of SEP-43 wallets. Every member is an own property, so
 * that it can be spread into the options of `contract.Client`.
 *
 * The first four methods answer as SEP-43 has it: what is refused comes back in `error` (-1 internal, -2 key service not
 * available, -3 bad request, -4 refused by token or policy; `ext` holds the code of the service and the request id), and they
 * throw only when nobody answered, or `ApprovalPendingError`. `authorize` and `sign` throw CountersignError.
 */
export interface StellarSigner {
  /** The account that it signs for, which stays when the key changes; so does `publicKey`, as stellar-sdk calls the source. */
  readonly address: string
  readonly publicKey: string
  readonly networkPassphrase: string
  readonly signTransaction: (
    xdr: string,
    opts?: Opts & { submit?: boolean; submitUrl?: string },
  ) => Reply<{ signedTxXdr: string }>
  /** @returns the base64 of the 64-byte signature, which is what stellar-sdk puts into the entry */
  readonly signAuthEntry: (preimageXdr: string, opts?: Opts) => Reply<{ signedAuthEntry: string }>
  /** SEP-53. Base64 as Freighter and stellar-cli have it, unless `encoding` says hex. */
  readonly signMessage: (
    message: string,
    opts?: Opts & { encoding?: 'base64' | 'hex' },
  ) => Reply<{ signedMessage: string }>
  readonly getAddress: () => Promise<{ address: string; error?: WalletError }>
  readonly getNetwork: () => Promise<{ network: string; networkPassphrase: string; error?: WalletError }>
  /** For `authorizeEntry` and `authorizeInvocation`. `publicKey` is that of the key, which may be another than the account. */
  readonly authorize: (
    preimage: Preimage,
    payload?: Uint8Array,
  ) => Promise<{ signature: Uint8Array; publicKey: string }>
  /** Adds the signature to the transaction. */
  readonly sign: <T extends SignableTransaction>(transaction: T) => Promise<T>
}

export interface StellarSignerParts {
  readonly account: string
  /** Our name of the network, as the key is bound to it. */
  readonly network: string
  /** @throws CountersignError, ApprovalPendingError */
  sign(payload: Payload): Promise<Signed>
}

export function createStellarSigner({ account: address, network, sign }: StellarSignerParts): StellarSigner {
  const networkPassphrase = passphraseOf(network)

  /** The network and the account come from the key; who names others meant another key. */
  const fit = ({ networkPassphrase: passphrase, address: wanted }: Opts): void => {
    if (passphrase !== undefined && passphrase !== networkPassphrase) {
      throw clientError('client/options', `This key signs for "${networkPassphrase}", not for "${passphrase}"`)
    }
    if (wanted !== undefined && wanted !== address) {
      throw clientError('client/options', `This key signs as ${address}, not as ${wanted}`)
    }
  }
  /** Who signed is the key, whose public key verifiers take from there; it may be another than that of the account. */
  const reply = async <T extends object>(nothing: T, body: () => Promise<readonly [Signed, T]>): Reply<T> => {
    try {
      const [signed, answer] = await body()
      return { ...answer, signerAddress: signed.address }
    } catch (error) {
      return { ...nothing, signerAddress: address, error: walletError(error) }
    }
  }
  const signAuthorization = (preimage: string) => sign({ type: 'stellar-auth-entry', preimage })

  return Object.freeze<StellarSigner>({
    address,
    publicKey: address,
    networkPassphrase,
    signTransaction: (xdr, opts = {}) =>
      reply({ signedTxXdr: '' }, async () => {
        fit(opts)
        if (opts.submit === true || opts.submitUrl !== undefined) {
          throw clientError('client/options', 'This signer does not submit: send the signed envelope to your RPC')
        }
        const signed = await sign({ type: 'stellar-transaction', xdr })
        return [signed, { signedTxXdr: sameButSigned(xdr, signed.signedXdr) }]
      }),
    signAuthEntry: (preimage, opts = {}) =>
      reply({ signedAuthEntry: '' }, async () => {
        fit(opts)
        const signed = await signAuthorization(preimage)
        return [signed, { signedAuthEntry: signed.signature }]
      }),
    signMessage: (message, opts = {}) =>
      reply({ signedMessage: '' }, async () => {
        fit(opts)
        const signed = await sign({ type: 'stellar-message', message })
        const { signature } = signed
        return [signed, { signedMessage: opts.encoding === 'hex' ? toHex(fromBase64(signature)) : signature }]
      }),
    getAddress: async () => ({ address }),
    getNetwork: async () => ({ network: networkOf(network), networkPassphrase }),
    authorize: async (preimage, payload) => {
      const bytes = 'toXdr' in preimage ? preimage.toXdr() : preimage.toXDR()
      const { signature, hash, address: publicKey } = await signAuthorization(toBase64(bytes))
      if (payload !== undefined) same(hash, payload)
      return { signature: fromBase64(signature), publicKey }
    },
    sign: async transaction => {
      fit(passphraseIn(transaction))
      const xdr = 'toXdr' in transaction ? transaction.toXdr() : transaction.toXDR()
      const { signature, hash, address: publicKey } = await sign({ type: 'stellar-transaction', xdr })
      same(hash, transaction.hash()) // also says that both mean the same network
      transaction.addSignature(publicKey, signature)
      return transaction
    },
  })
}

/** What stellar-sdk's transactions know of their network. */
function passphraseIn(transaction: object): Opts {
  const { networkPassphrase } = transaction as { networkPassphrase?: unknown }
  return typeof networkPassphrase === 'string' ? { networkPassphrase } : {}
}

function same(hash: string, wanted: Uint8Array): void {
  if (hash === toHex(wanted)) return
  throw clientError('client/options', 'What was signed is not what was given: is it built for the network of the key?')
}

const STATUS: Readonly<Record<number, number>> = { 400: -3, 422: -3, 401: -4, 403: -4, 502: -2, 503: -2, 504: -2 }

/** @throws what SEP-43 has no code for: that nobody answered, and that people must approve first */
function walletError(error: unknown): WalletError {
  if (!(error instanceof CountersignError)) throw error
  const { code, status, requestId, message } = error
  if (code === 'service/unreachable' && status === 0) throw error
  const ext = [code, ...(requestId === '' ? [] : [requestId])]
  if (code.startsWith('client/')) return { message, code: code === 'client/options' ? -3 : -1, ext }
  return { message, code: STATUS[status] ?? -1, ext }
}
