import { parseStrictJson } from '../bytes/json.ts'
import { networkCodec } from '../chains/stellar/index.ts'
import { SignerError } from '../domain/errors.ts'
import type { AccountState } from '../domain/stellar-network.ts'

export interface ReadAccount {
  readonly account: AccountState
  /** Stroops above the reserve; absent where the file does not say. */
  readonly free?: bigint
}

const RESERVE = 5_000_000n

/**
 * An account as a file says it is: the answer of Horizon to `/accounts/G…`, or the base64 XDR of LedgerEntryData that
 * Soroban RPC answers with. For hosts that reach no network; nothing but the file vouches for it.
 * @throws `request/malformed`
 */
export function readAccountFile(text: string, network: string): ReadAccount {
  if (!text.startsWith('{')) return { account: attempt(() => networkCodec(network).account(text)) }
  const answer = parseStrictJson(new TextEncoder().encode(text))
  return attempt(() => ofHorizon(answer))
}

function ofHorizon(json: unknown): ReadAccount {
  const answer = record(json)
  const thresholds = record(answer['thresholds'])
  const list = answer['signers']
  if (!Array.isArray(list)) throw new Error('signers is no list')
  const signers = list.map(record).map(signer => ({ key: text(signer, 'key'), weight: whole(signer, 'weight') }))
  const account: AccountState = {
    address: text(answer, 'account_id'),
    sequence: digits(answer, 'sequence'),
    thresholds: {
      low: whole(thresholds, 'low_threshold'),
      medium: whole(thresholds, 'med_threshold'),
      high: whole(thresholds, 'high_threshold'),
    },
    signers: signers.filter(({ weight }) => weight > 0),
  }
  return { account, free: freeOf(answer) }
}

/** @see https://developers.stellar.org/docs/learn/fundamentals/lumens#minimum-balance */
function freeOf(answer: Fields): bigint {
  const balances = answer['balances']
  const native = (Array.isArray(balances) ? balances : []).map(record).find(each => each['asset_type'] === 'native')
  if (native === undefined) throw new Error('it has no native balance')
  const entries = 2 + whole(answer, 'subentry_count') + whole(answer, 'num_sponsoring') - whole(answer, 'num_sponsored')
  const free = stroops(native, 'balance') - stroops(native, 'selling_liabilities') - BigInt(entries) * RESERVE
  return free < 0n ? 0n : free
}

type Fields = Readonly<Record<string, unknown>>

function record(value: unknown): Fields {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('it is no account')
  return value as Fields
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new Error(`${name} is no text`)
}

function whole(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${name} is no whole number`)
}

function digits(fields: Fields, name: string): bigint {
  const value = text(fields, name)
  if (/^\d{1,19}$/.test(value)) return BigInt(value)
  throw new Error(`${name} is no number`)
}

function stroops(fields: Fields, name: string): bigint {
  const [, whole = '', part = ''] = /^(\d{1,12})\.(\d{7})$/.exec(text(fields, name)) ?? []
  if (whole === '') throw new Error(`${name} is no amount`)
  return BigInt(whole) * 10_000_000n + BigInt(part)
}

function attempt<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read'
    const reason = `holds no account: ${why.slice(0, 120)}`
    const fix = 'give the answer of Horizon to /accounts/G…, or the XDR of its ledger entry in base64'
    throw new SignerError('request/malformed', { field: '--account-state', reason, fix }, { cause })
  }
}
