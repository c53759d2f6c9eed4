import type { AccountState, StellarCodec } from '../domain/stellar-network.ts'
import { type Exchange, exchange, type Reply, unavailable } from './exchange.ts'
import { notWellFormed, settled, type StellarNode, submissionOf } from './outcome.ts'
import { type Answer, malformed, reader } from './reading.ts'

/** What transactions_async answers with: taken, not well formed, known already, busy. */
const ASYNC_STATUSES = [200, 201, 400, 409, 503]

/** A node that speaks Horizon. It cannot simulate. @see https://developers.stellar.org/docs/data/apis/horizon/api-reference */
export function horizonNode(parts: Exchange, base: string, codec: StellarCodec): StellarNode {
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
      const account = readAccount(network, json)
      if (account.address === address) return account
      throw malformed(network, 'it answers with another account')
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
        if (found.text('type').endsWith('transaction_malformed')) return notWellFormed()
        throw malformed(network, `it answers with status ${status}`)
      }
      return submissionOf(network, codec, hash, found, { status: 'tx_status', result: 'error_result_xdr' })
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

const SEQUENCE_MAX = 2n ** 63n - 1n

/** @param json  what Horizon answers to `/accounts/G…`. @throws `network/malformed` */
export function readAccount(network: string, json: unknown): AccountState {
  const found = reader(network, json)
  const byte = (answer: Answer, name: string): number => {
    const value = answer.whole(name)
    if (value > 255) throw malformed(network, `${name} in the answer is not a weight`)
    return value
  }
  const thresholds = found.object('thresholds')
  const sequence = found.bigint('sequence')
  if (sequence > SEQUENCE_MAX) throw malformed(network, 'sequence in the answer is not the number of a transaction')
  return {
    address: found.text('account_id'),
    sequence,
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
