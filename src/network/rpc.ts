import type { Simulation, StellarCodec } from '../domain/stellar-network.ts'
import { SignerError } from '../domain/errors.ts'
import { type Exchange, unavailable } from './exchange.ts'
import { jsonRpc } from './json-rpc.ts'
import { decoded, notWellFormed, sameHash, settled, type StellarNode, submissionOf } from './outcome.ts'
import { type Answer, malformed, reader, shown } from './reading.ts'

/** A node that speaks Soroban RPC: JSON-RPC 2.0 over HTTP. @see https://developers.stellar.org/docs/data/apis/rpc/api-reference */
export interface RpcNode extends StellarNode {
  simulate(envelope: string, signal: AbortSignal): Promise<Simulation>
}

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
        if (found.error === -32602) return notWellFormed()
        throw unavailable(network, `it answers sendTransaction with error ${found.error}`)
      }
      return submissionOf(network, codec, hash, found.result, { status: 'status', result: 'errorResultXdr' })
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

/** Results are objects here. */
function caller(parts: Exchange, url: string): Call {
  const call = jsonRpc(parts, url)
  return async (method, params, signal, again) => {
    const found = await call(method, params, signal, again)
    return found.kind === 'error' ? { error: found.code } : { result: found.reply.object('result') }
  }
}

function readSimulation(network: string, found: Answer): Simulation {
  const latestLedger = found.whole('latestLedger')
  if (found.maybe('error') !== undefined) {
    const reason = shown(found.text('error'))
    throw new SignerError('transaction/rejected', { network, resultCode: 'simulation-failed', reason })
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
