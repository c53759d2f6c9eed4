/** What a caller asks to have signed, decoded by a chain module: what policy judges, a person reads and a key signs. */
import type { ExecutionApprovalView } from './execution-approval.ts'
import type { SlotClaim } from './claims.ts'
import type { DigestView, EvmSetCodeView, EvmTransactionView, MessageView, TypedDataView } from './evm.ts'
import type { Chain } from './key.ts'
import type { SignInput } from './provider.ts'
import type { ChallengeView, StellarAuthorizationView, StellarTransactionView } from './stellar.ts'

/** The version that would sign, as far as decoding needs it. Nothing of it comes from the caller. */
export interface Signatory {
  readonly key: string
  readonly version: number
  readonly chain: Chain
  readonly network: string
  /** G… or 0x…: whose signature it is. */
  readonly address: string
  /** The account it signs for; see `KeyVersion`. */
  readonly account: string
}

export type PayloadView =
  | StellarTransactionView
  | StellarAuthorizationView
  | ChallengeView
  | EvmTransactionView
  | EvmSetCodeView
  | TypedDataView
  | MessageView
  | DigestView
  | ExecutionApprovalView

/** What a caller gets besides the bare signature, in the encoding of its chain; which member there is says the payload type. */
export interface SignedPayload {
  /** `stellar-transaction`, `stellar-challenge`: the envelope with the signature attached, base64 XDR. */
  readonly signedXdr?: string
  /** `stellar-auth-entry`: the entry with the signature in its credentials, base64 XDR; only where an entry was sent. */
  readonly signedAuthEntry?: string
  /** `evm-transaction`: the raw transaction as it is sent to the network, 0x hex. Blobs travel as they came. */
  readonly signedTransaction?: string
  /** EVM payloads: r‖s‖v, 65 bytes, 0x hex; v is 27 or 28. */
  readonly evmSignature?: string
  /** `evm-authorization`: the signed tuple as JSON-RPC spells it. */
  readonly signedAuthorization?: Readonly<Record<string, string>>
  /** `approval`: compact JWS. */
  readonly jws?: string
}

/** The same payload for people. */
export interface HumanView {
  /** SEP-51 JSON, or what stands for it on another chain. JSON only, numbers that JavaScript cannot hold as text. */
  readonly json: unknown
  /** A plain sentence for each operation, call or part, in their order. */
  readonly sentences: readonly string[]
}

export interface Asked {
  /** The payload type, as callers write it. */
  readonly type: string
  readonly input: SignInput
  /** The digest callers know the payload by, hex without 0x; what the signature covers. */
  readonly hash: string
  /** One sentence, for the audit record and for refusals. */
  readonly sentence: string
  readonly view: PayloadView
  /** Class of every operation, as constraints of tokens name them. */
  readonly operations: readonly string[]
  /** The place on the chain that it takes, where it takes one. Encodes once more: for those who need it. */
  slot(): SlotClaim | undefined
  /** For `explain`. */
  describe(): HumanView
  /** @param signature  64 bytes, already verified under `publicKey`. */
  attach(publicKey: Uint8Array, signature: Uint8Array): SignedPayload
}

/**
 * Decodes one payload type. Pure; the same arguments give the same answer.
 * @param payload  one JSON object, `type` known, fields unchecked
 * @throws `payload/invalid` with field and reason, whatever the input
 */
export type PayloadParser = (payload: Readonly<Record<string, unknown>>, signatory: Signatory) => Asked
