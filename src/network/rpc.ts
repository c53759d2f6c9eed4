import type { AccountState, Simulation, Submission, TransactionStatus } from '../domain/stellar-network.ts'
import { SignerError } from '../domain/errors.ts'
import type { StellarCodec } from './codec.ts'
import { type Exchange, exchange, unavailable } from './exchange.ts'
import { type Answer, malformed, meaningOf, reader, shown } from './reading.ts'

/** A node that speaks Soroban RPC: JSON-RPC 2.0 over HTTP. @see https://developers.stellar.org/docs/data/apis/rpc/api-reference */
export interface RpcNode {
  passphrase(signal: AbortSignal): Promise<string>
  latestLedger(signal: AbortSignal): Promise<{ readonly sequence: number; readonly closedAt: number }>
  account(address: string, signal: AbortSignal): Promise<AccountState | undefined>
  simulate(envelope: string, signal: AbortSignal): Promise<Simulation>
  submit(envelope: string, signal: AbortSignal): Promise<Submission>
  transaction(hash: string, signal: AbortSignal): Promise<TransactionStatus>
}

/** A transaction may be sent again so much later: about a ledger. */
const TRY_AGAIN_MS = 1_500
/** No transaction has it; its status tells when the latest ledger closed, which older nodes say nowhere else. */
const NO_HASH = '0'.repeat(64)

type Params = Readonly<Record<string, unknown>>
/** @returns an error of the node as its code */
type Call = (
  method: string,
  params: Params,
  signal: AbortSignal,
  again?: boolean,
) => Promise<{ readonly result: Answer } | { readonly error: number }>

export function rpcNode(parts: Exchange, url: string, codec: StellarCodec): RpcNode {
  const { network } = parts
  const call = caller(parts, url)
  const ask = async (method: string, params: Params, signal: AbortSignal): Promise<Answer> => {
    const found = await call(method, params, signal)
    if ('result' in found) return found.result
    throw unavailable(network, `it answers ${method} with error ${found.error}`)
  }
  return {
    passphrase: async signal => (await ask('getNetwork', {}, signal)).text('passphrase'),

    async latestLedger(signal) {
      const latest = await ask('getTransaction', { hash: NO_HASH }, signal)
      const sequence = latest.whole('latestLedger')
      return { sequence, closedAt: Number(latest.bigint('latestLedgerCloseTime')) * 1000 }
    },

    async account(address, signal) {
      const key = codec.accountKey(address)
      const found = await ask('getLedgerEntries', { keys: [key] }, signal)
      const [entry, ...more] = found.maybe('entries') === undefined ? [] : found.list('entries')
      if (entry === undefined) return undefined
      if (more.length > 0 || entry.text('key') !== key) throw malformed(network, 'it answers with another ledger entry')
      const account = decoded(network, 'the account', () => codec.account(entry.base64('xdr')))
      if (account.address !== address) throw malformed(network, 'it answers with another account')
      return account
    },

    async simulate(envelope, signal) {
      return readSimulation(network, await ask('simulateTransaction', { transaction: envelope }, signal))
    },

    async submit(envelope, signal) {
      const hash = codec.hashOf(envelope)
      const found = await call('sendTransaction', { transaction: envelope }, signal, false)
      if ('error' in found) {
        if (found.error === -32602) return { kind: 'rejected', code: 'malformed', reason: meaningOf('txMalformed') }
        throw unavailable(network, `it answers sendTransaction with error ${found.error}`)
      }
      const { result } = found
      sameHash(network, result.text('hash'), hash)
      const status = result.text('status')
      switch (status) {
        case 'PENDING':
        case 'DUPLICATE':
          return { kind: 'accepted', hash }
        case 'TRY_AGAIN_LATER':
          return { kind: 'try-again', afterMs: TRY_AGAIN_MS }
        case 'ERROR':
          return rejection(network, codec, result.base64('errorResultXdr'))
        default:
          throw malformed(network, 'the status of a submission is none that there is')
      }
    },

    async transaction(hash, signal) {
      const found = await ask('getTransaction', { hash }, signal)
      const latestLedger = found.whole('latestLedger')
      const status = found.text('status')
      const named = found.maybe('txHash') === undefined ? undefined : found.text('txHash')
      if (status === 'NOT_FOUND') {
        if (named !== undefined) sameHash(network, named, hash)
        return { kind: 'unknown', latestLedger }
      }
      if (status !== 'SUCCESS' && status !== 'FAILED') {
        throw malformed(network, 'the status of a transaction is none that there is')
      }
      return settled(network, codec, hash, {
        ...(named === undefined ? {} : { named }),
        envelope: found.base64('envelopeXdr'),
        result: found.base64('resultXdr'),
        ...(found.maybe('resultMetaXdr') === undefined ? {} : { meta: found.base64('resultMetaXdr') }),
        success: status === 'SUCCESS',
        ledger: found.whole('ledger'),
      })
    },
  }
}

/** Every question has an id of its own, and an answer with another one is an answer to another question. */
function caller(parts: Exchange, url: string): Call {
  const { network } = parts
  let count = 0
  return async (method, params, signal, again = true) => {
    const id = ++count
    const text = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const { json } = await exchange(
      parts,
      { url, method: 'POST', body: { type: 'application/json', text }, again, takes: status => status === 200 },
      signal,
    )
    const reply = reader(network, json)
    if (reply.text('jsonrpc') !== '2.0' || reply.whole('id') !== id) {
      throw malformed(network, `the answer to ${method} has another id`)
    }
    const error = reply.maybe('error')
    if (error === undefined) return { result: reply.object('result') }
    if (reply.maybe('result') !== undefined) throw malformed(network, 'the answer is a result and an error at once')
    const code = (error.value as { readonly code?: unknown }).code
    if (typeof code !== 'number' || !Number.isSafeInteger(code)) throw malformed(network, 'an error has no code')
    return { error: code }
  }
}

function readSimulation(network: string, found: Answer): Simulation {
  const latestLedger = found.whole('latestLedger')
  if (found.maybe('error') !== undefined) {
    const reason = shown(found.text('error'))
    throw new SignerError('transaction/rejected', { network, code: 'simulation-failed', reason })
  }
  const [result, ...more] = found.list('results')
  if (result === undefined || more.length > 0) throw malformed(network, 'a simulation has not exactly one result')
  const preamble = found.maybe('restorePreamble')
  return {
    transactionData: found.base64('transactionData'),
    minResourceFee: found.bigint('minResourceFee'),
    authorizations: result.maybe('auth') === undefined ? [] : result.list('auth').map(entry => xdrOf(network, entry)),
    ...(result.maybe('xdr') === undefined ? {} : { result: result.base64('xdr') }),
    latestLedger,
    ...(preamble === undefined
      ? {}
      : {
          restore: {
            transactionData: preamble.base64('transactionData'),
            minResourceFee: preamble.bigint('minResourceFee'),
          },
        }),
  }
}

const xdrOf = (network: string, { value }: Answer): string => reader(network, { entry: value }, 'auth').base64('entry')

export function sameHash(network: string, found: string, hash: string): void {
  if (found !== hash) throw malformed(network, 'it answers with the hash of another transaction')
}

export function rejection(network: string, codec: StellarCodec, result: string): Submission {
  const { code } = decoded(network, 'the result', () => codec.resultCode(result))
  return { kind: 'rejected', code, reason: meaningOf(code) }
}

interface Settled {
  /** The hash that the answer gives it, where it does. */
  readonly named?: string
  readonly envelope: string
  readonly result: string
  readonly meta?: string
  readonly success: boolean
  readonly ledger: number
}

/**
 * A transaction in a ledger: the envelope must be the one that was asked for, and its result must say what the status says.
 * Anybody may have put it into a fee bump; then nodes answer with that one.
 */
export function settled(network: string, codec: StellarCodec, hash: string, found: Settled): TransactionStatus {
  const outer = decoded(network, 'the envelope', () => codec.hashOf(found.envelope))
  const bumped = outer !== hash
  if (bumped)
    sameHash(network, decoded(network, 'the envelope', () => codec.innerHashOf(found.envelope)) ?? outer, hash)
  if (found.named !== undefined && found.named !== outer) sameHash(network, found.named, hash)
  const { code, success } = decoded(network, 'the result', () => codec.resultCode(found.result))
  if (success !== found.success) throw malformed(network, 'the result of a transaction contradicts its status')
  const { ledger, meta } = found
  if (ledger === 0) throw malformed(network, 'the ledger of a transaction is missing')
  if (!success) {
    // A fee bump of somebody else that failed by itself says nothing of the transaction in it, which may run without it.
    const byItself = bumped && !code.startsWith('txFeeBumpInnerFailed: txFailed')
    return byItself ? { kind: 'unknown', latestLedger: ledger } : { kind: 'failed', ledger, code }
  }
  const result = meta === undefined ? undefined : decoded(network, 'the meta data', () => codec.returned(meta))
  return { kind: 'success', ledger, ...(result === undefined ? {} : { result }) }
}

/** What the decoder throws is the fault of whoever answered. */
export function decoded<T>(network: string, what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw malformed(network, `${what} cannot be decoded`, cause)
  }
}
