/** A Stellar network in memory that looks at every signature as validators do, and nothing else of a transaction. */
import { FeeBumpTransaction, Keypair, Networks, TransactionBuilder, type Transaction } from '@stellar/stellar-sdk'
import { toHex } from '../../src/bytes/hex.ts'
import type { AccountState, StellarNetwork, Submission, TransactionStatus } from '../../src/domain/stellar-network.ts'

type Level = 'low' | 'medium' | 'high'

export interface Ledger extends StellarNetwork {
  /** Every envelope that was submitted, accepted or not. */
  readonly submitted: readonly { readonly hash: string; readonly envelope: string; readonly accepted: boolean }[]
  readonly accounts: Map<string, AccountState>
  /** Asked before a submission is looked at; what it throws is what the caller gets, what it returns is the answer. */
  before?: (hash: string) => Promise<Submission | undefined> | Submission | undefined
  /** How many questions for a status come back unknown before the ledger has it. */
  delay: number
  sequence: number
  closedAt: number
}

export const account = (
  address: string,
  signers: Readonly<Record<string, number>>,
  thresholds: Partial<AccountState['thresholds']> = {},
): AccountState => ({
  address,
  sequence: 1n,
  thresholds: { low: 0, medium: 0, high: 0, ...thresholds },
  signers: Object.entries(signers).map(([key, weight]) => ({ key, weight })),
})

/** @param looks false: signatures are not looked at, which takes most of the time of a campaign */
export function openLedger(accounts: readonly AccountState[] = [], looks = true): Ledger {
  const known = new Map(accounts.map(each => [each.address, each]))
  const submitted: { hash: string; envelope: string; accepted: boolean }[] = []
  const applied = new Map<string, { asked: number }>()
  const ledger: Ledger = {
    name: 'testnet',
    submitted,
    accounts: known,
    delay: 0,
    sequence: 100,
    closedAt: 0,
    async latestLedger() {
      return { sequence: ledger.sequence, closedAt: ledger.closedAt }
    },
    async account(address) {
      return known.get(address)
    },
    simulate: () => Promise.reject(new Error('nothing is simulated here')),
    async reached() {},
    async submit(envelope) {
      const tx = TransactionBuilder.fromXDR(envelope, Networks.TESTNET)
      const hash = toHex(tx.hash())
      const told = await ledger.before?.(hash)
      if (told !== undefined) return told
      if (applied.has(hash)) return { kind: 'accepted', hash }
      const fault = looks ? faultOf(tx, known) : undefined
      submitted.push({ hash, envelope, accepted: fault === undefined })
      if (fault !== undefined) return { kind: 'rejected', code: fault, reason: 'signatures' }
      applied.set(hash, { asked: 0 })
      return { kind: 'accepted', hash }
    },
    async transaction(hash): Promise<TransactionStatus> {
      ledger.sequence++
      const there = applied.get(hash)
      if (there === undefined || there.asked++ < ledger.delay) return { kind: 'unknown', latestLedger: ledger.sequence }
      return { kind: 'success', ledger: 42 }
    },
  }
  return ledger
}

function faultOf(tx: Transaction | FeeBumpTransaction, known: ReadonlyMap<string, AccountState>): string | undefined {
  const held = tx.signatures.map(({ signature }) => signature.toBytes())
  const used = new Set<number>()
  const agrees = (address: string, level: Level): boolean => {
    const state = known.get(address) ?? account(address, { [address]: 1 })
    const left = new Map(state.signers.map(({ key, weight }) => [key, weight]))
    let weight = 0
    for (const [at, signature] of held.entries()) {
      for (const [key, counts] of left) {
        if (!Keypair.fromPublicKey(key).verify(tx.hash(), signature)) continue
        used.add(at)
        weight += counts
        left.delete(key)
        if (weight >= state.thresholds[level]) return true
        break
      }
    }
    return false
  }
  const asked: [string, Level][] =
    tx instanceof FeeBumpTransaction
      ? [[tx.feeSource, 'low']]
      : [
          [tx.source, 'low'],
          ...tx.operations.map((operation): [string, Level] => [operation.source ?? tx.source, levelOf(operation)]),
        ]
  if (!asked.every(([address, level]) => agrees(address, level))) return 'txBadAuth'
  return used.size === held.length ? undefined : 'txBadAuthExtra'
}

function levelOf(operation: Transaction['operations'][number]): Level {
  if (operation.type === 'accountMerge') return 'high'
  return operation.type === 'bumpSequence' ? 'low' : 'medium'
}
