import type { AccountState, Submission, TransactionStatus } from '../domain/stellar-network.ts'
import type { StellarCodec } from './codec.ts'
import { type Exchange, exchange, type Reply, unavailable } from './exchange.ts'
import { type Answer, malformed, meaningOf, reader } from './reading.ts'
import { rejection, sameHash, settled } from './rpc.ts'

/** A node that speaks Horizon. It cannot simulate. @see https://developers.stellar.org/docs/data/apis/horizon/api-reference */
export interface HorizonNode {
  passphrase(signal: AbortSignal): Promise<string>
  latestLedger(signal: AbortSignal): Promise<{ readonly sequence: number; readonly closedAt: number }>
  account(address: string, signal: AbortSignal): Promise<AccountState | undefined>
  submit(envelope: string, signal: AbortSignal): Promise<Submission>
  transaction(hash: string, signal: AbortSignal): Promise<TransactionStatus>
}

const TRY_AGAIN_MS = 1_500
/** What transactions_async answers with: taken, not well formed, known already, busy. */
const ASYNC_STATUSES = [200, 201, 400, 409, 503]

export function horizonNode(parts: Exchange, base: string, codec: StellarCodec): HorizonNode {
  const { network } = parts
  const get = (path: string, signal: AbortSignal): Promise<Reply> =>
    exchange(
      parts,
      { url: `${base}${path}`, method: 'GET', again: true, takes: status => status === 200 || status === 404 },
      signal,
    )
  const root = async (signal: AbortSignal): Promise<Answer> => {
    const { status, json } = await get('/', signal)
    if (status !== 200) throw malformed(network, `it answers with status ${status}`)
    return reader(network, json)
  }
  const latestLedger = async (signal: AbortSignal) => {
    const found = await root(signal)
    const closedAt = Date.parse(found.text('history_latest_ledger_closed_at'))
    if (!Number.isSafeInteger(closedAt)) throw malformed(network, 'the time of the latest ledger is none')
    return { sequence: found.whole('history_latest_ledger'), closedAt }
  }
  return {
    passphrase: async signal => (await root(signal)).text('network_passphrase'),
    latestLedger,

    async account(address, signal) {
      const { status, json } = await get(`/accounts/${address}`, signal)
      if (status === 404) return undefined
      return readAccount(network, address, reader(network, json))
    },

    async submit(envelope, signal) {
      const hash = codec.hashOf(envelope)
      const { status, json } = await exchange(
        parts,
        {
          url: `${base}/transactions_async`,
          method: 'POST',
          body: { type: 'application/x-www-form-urlencoded', text: `tx=${encodeURIComponent(envelope)}` },
          again: false,
          takes: status => ASYNC_STATUSES.includes(status),
        },
        signal,
      )
      const found = reader(network, json)
      if (found.maybe('tx_status') === undefined && found.maybe('type') !== undefined) {
        // A problem of Horizon itself. What it could not read it has refused; when it is behind or closed it has refused nothing.
        if (status === 503) throw unavailable(network, 'it answers with status 503')
        if (found.text('type').endsWith('transaction_malformed')) {
          return { kind: 'rejected', code: 'malformed', reason: meaningOf('txMalformed') }
        }
        throw malformed(network, `it answers with status ${status}`)
      }
      sameHash(network, found.text('hash'), hash)
      switch (found.text('tx_status')) {
        case 'PENDING':
        case 'DUPLICATE':
          return { kind: 'accepted', hash }
        case 'TRY_AGAIN_LATER':
          return { kind: 'try-again', afterMs: TRY_AGAIN_MS }
        case 'ERROR':
          return rejection(network, codec, found.base64('error_result_xdr'))
        default:
          throw malformed(network, 'the status of a submission is none that there is')
      }
    },

    async transaction(hash, signal) {
      const { status, json } = await get(`/transactions/${hash}`, signal)
      if (status === 404) return { kind: 'unknown', latestLedger: (await latestLedger(signal)).sequence }
      const found = reader(network, json)
      const success = (found.value as { readonly successful?: unknown }).successful
      if (typeof success !== 'boolean') throw malformed(network, 'successful in the answer is not true or false')
      return settled(network, codec, hash, {
        named: found.text('hash'),
        envelope: found.base64('envelope_xdr'),
        result: found.base64('result_xdr'),
        ...(found.maybe('result_meta_xdr') === undefined ? {} : { meta: found.base64('result_meta_xdr') }),
        success,
        ledger: found.whole('ledger'),
      })
    },
  }
}

function readAccount(network: string, address: string, found: Answer): AccountState {
  if (found.text('account_id') !== address) throw malformed(network, 'it answers with another account')
  const byte = (answer: Answer, name: string): number => {
    const value = answer.whole(name)
    if (value > 255) throw malformed(network, `${name} in the answer is not a weight`)
    return value
  }
  const thresholds = found.object('thresholds')
  return {
    address,
    sequence: found.bigint('sequence'),
    thresholds: {
      low: byte(thresholds, 'low_threshold'),
      medium: byte(thresholds, 'med_threshold'),
      high: byte(thresholds, 'high_threshold'),
    },
    signers: found
      .list('signers')
      .map(signer => ({ key: signer.text('key'), weight: byte(signer, 'weight') }))
      .filter(({ weight }) => weight > 0),
  }
}
