/** Countersign in a program: `countersign/client`. Needs nothing but fetch and WebCrypto; SDKs are for those who have them. */
import { type Approvals, createApprovals } from './approvals.ts'
import { createAsker } from './asker.ts'
import { clientError, without } from './errors.ts'
import { createEvmAccount, type EvmAccount } from './evm.ts'
import { sameButSigned } from './stellar-envelope.ts'
import { createStellarSigner, type StellarSigner } from './stellar.ts'
import { createTransactions, type Transactions } from './transactions.ts'
import { createTransport, type TransportOptions } from './transport.ts'
import type { Approval, CallOptions, KeyFacts, OneOfSeveral, Payload, Signed } from './types.ts'

export { ApprovalPendingError, CountersignError, type ProblemDocument } from './errors.ts'
export type { Approvals, Proposed, WaitOptions } from './approvals.ts'
export type { BlobSidecar, EvmTransaction, EvmTuple, Hex, Kzg } from './evm-transaction.ts'
export type { EvmAccount, EvmAuthorization, EvmMessage, EvmTypedData } from './evm.ts'
export type { ProofKeyPair } from './proof.ts'
export type { Preimage, SignableTransaction, StellarSigner, WalletError } from './stellar.ts'
export type { Arguments, Transactions } from './transactions.ts'
export type { TokenAsk, TokenSource } from './transport.ts'
export type {
  Approval,
  CallOptions,
  Executed,
  KeyFacts,
  OneOfSeveral,
  Payload,
  Prepared,
  Proposal,
  Signed,
} from './types.ts'

export type CountersignOptions = TransportOptions

export interface KnownKey {
  readonly address: string
  /** What it signs for; absent: its address. */
  readonly account?: string | undefined
  readonly network: string
}

export interface Countersign extends Transactions {
  /**
   * A signer for stellar-sdk 14 to 17 and SEP-43. Asks the service once what the key is, and keeps that; with `known` it asks
   * nothing.
   * @throws CountersignError
   */
  stellar(key: string, known?: KnownKey): Promise<StellarSigner>
  /** An account for viem. @throws CountersignError */
  evm(key: string): Promise<EvmAccount>
  key(name: string, options?: Pick<CallOptions, 'signal'>): Promise<KeyFacts>
  /** Any payload type. @throws CountersignError, ApprovalPendingError */
  sign(key: string, payload: Payload, options?: CallOptions): Promise<Signed>
  /**
   * Several payloads of one network: judged together, then signed one after the other. A batch that is sent again with its
   * Idempotency-Key signs what is missing.
   * @throws CountersignError; `batch/refused`, with `problem.findings`, when one may not be signed: then none was
   */
  signBatch(
    requests: readonly { readonly key: string; readonly payload: Payload }[],
    options?: CallOptions,
  ): Promise<readonly OneOfSeveral[]>
  /** Several Stellar keys on one envelope: judged together; `signedXdr` holds every signature that was made. @throws as `signBatch` */
  cosign(
    keys: readonly string[],
    xdr: string,
    options?: CallOptions,
  ): Promise<{
    readonly signedXdr: string
    readonly hash: string
    readonly results: readonly (OneOfSeveral & { readonly key: string })[]
  }>
  /** An execution approval as compact JWS. @throws CountersignError, ApprovalPendingError */
  approve(key: string, approval: Approval, options?: CallOptions): Promise<string>
  readonly approvals: Approvals
  /** RFC 7638 with SHA-256, of the key this client makes proofs with: for `cnf.jkt` of a token. */
  thumbprint(): Promise<string>
}

export function createCountersign(options: CountersignOptions): Countersign {
  const transport = createTransport(options)
  const asker = createAsker(transport)
  const { get, post, change } = asker
  const known = new Map<string, Promise<KeyFacts>>()

  const key: Countersign['key'] = (name, more) => get<KeyFacts>(pathOf(name), KEY, more)
  const facts = (name: string): Promise<KeyFacts> => {
    const kept = known.get(name)
    if (kept !== undefined) return kept
    const asked = key(name).catch(error => {
      known.delete(name)
      throw error
    })
    known.set(name, asked)
    return asked
  }
  const sign: Countersign['sign'] = (name, payload, more) => post<Signed>(`${pathOf(name)}/sign`, payload, SIGNED, more)
  /**
   * A signer stands for one account: a signature for another one is not given to who counts on this one. Of a Stellar key
   * whose account stays, another version may have signed.
   */
  const signAs = (name: string, account: string) => async (payload: Payload) => {
    const signed = await sign(name, payload)
    if ((signed.account ?? signed.address) === account) return signed
    known.delete(name)
    throw clientError(
      'client/key-changed',
      `The key ${name} is ${signed.address} now and no longer ${account}: ask for a fresh signer`,
    )
  }

  return {
    stellar: async (name, given) => {
      const { address, account = address, network } = given ?? of('stellar', await facts(name))
      return createStellarSigner({ account, network, sign: signAs(name, account) })
    },
    evm: async name => {
      const { address, publicKey } = of('evm', await facts(name))
      return createEvmAccount({ key: name, address, publicKey, sign: signAs(name, address) })
    },
    key,
    sign,
    signBatch: async (requests, more) => {
      const { results } = await change<Several>('/v1/sign-batch', { requests }, [], more)
      if (Array.isArray(results)) return results
      throw without('results')
    },
    cosign: async (keys, xdr, more) => {
      const body = { keys, payload: { type: 'stellar-transaction', xdr } }
      const answer = await change<Cosigned>('/v1/cosign', body, ['signedXdr', 'hash'], more)
      sameButSigned(xdr, answer.signedXdr)
      return answer
    },
    approve: async (name, approval, more) => {
      // Every try of this call is the same request, so the time stands still for it.
      const issuedAt = Math.floor(transport.serviceNow() / 1000)
      const { jws } = await sign(name, { type: 'approval', approval: { issuedAt, ...approval } }, more)
      if (typeof jws === 'string') return jws
      throw without('jws')
    },
    ...createTransactions(asker),
    approvals: createApprovals(asker, transport),
    thumbprint: () => transport.prover.thumbprint(),
  }
}

const KEY = ['name', 'chain', 'network', 'address', 'publicKey']
const SIGNED = ['signature', 'publicKey', 'address', 'hash', 'requestId']
type Cosigned = Awaited<ReturnType<Countersign['cosign']>>
interface Several {
  readonly results?: OneOfSeveral[]
}

const pathOf = (key: string): string => `/v1/keys/${encodeURIComponent(key)}`

function of(chain: KeyFacts['chain'], facts: KeyFacts): KeyFacts {
  if (facts.chain === chain) return facts
  throw clientError('client/options', `The key ${facts.name} is for ${facts.chain}, not for ${chain}`)
}
