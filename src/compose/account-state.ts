import { parseStrictJson } from '../bytes/json.ts'
import { networkCodec } from '../chains/stellar/index.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { AccountState } from '../domain/stellar-network.ts'
import { readAccount } from '../network/horizon.ts'
import { type Answer, reader } from '../network/reading.ts'

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
  return attempt(() => ({ account: readAccount(network, answer), free: freeOf(reader(network, answer)) }))
}

/** @see https://developers.stellar.org/docs/learn/fundamentals/lumens#minimum-balance */
function freeOf(answer: Answer): bigint {
  const native = answer.list('balances').find(balance => balance.text('asset_type') === 'native')
  if (native === undefined) throw new Error('it has no native balance')
  const entries = 2 + answer.whole('subentry_count') + answer.whole('num_sponsoring') - answer.whole('num_sponsored')
  const free = stroops(native, 'balance') - stroops(native, 'selling_liabilities') - BigInt(entries) * RESERVE
  return free < 0n ? 0n : free
}

function stroops(balance: Answer, name: string): bigint {
  const [, whole = '', part = ''] = /^(\d{1,12})\.(\d{7})$/.exec(balance.text(name)) ?? []
  if (whole === '') throw new Error(`${name} is no amount`)
  return BigInt(whole) * 10_000_000n + BigInt(part)
}

function attempt<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const why = reasonOf(cause)
    const reason = `holds no account: ${why.slice(0, 120)}`
    const fix = 'give the answer of Horizon to /accounts/G…, or the XDR of its ledger entry in base64'
    throw new SignerError('request/malformed', { field: '--account-state', reason, fix }, { cause })
  }
}

/** What a node would be told off for, the file is told. */
function reasonOf(cause: unknown): string {
  if (isSignerError(cause) && cause.code === 'network/malformed') return cause.detail.reason
  return cause instanceof Error ? cause.message : 'it cannot be read'
}
