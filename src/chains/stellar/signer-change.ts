import { StrKey } from '@stellar/stellar-sdk/base'
import type { AccountState } from '../../domain/stellar-network.ts'
import { describe } from './describe.ts'
import { parse } from './parse.ts'
import { type OptionsFrame, setOptionsEnvelope, type SignerOptions } from './set-options.ts'
import { WEIGHT_MAX } from './weights.ts'

/**
 * What an account must be told when the key that signs for it changes: one transaction that adds the new signer beside the
 * old one, and one that drops the old one. Both are refused when somebody would be locked out. Pure.
 */

export interface SignerChange {
  /** As the network says it now; undefined: there is no such account. */
  readonly account: AccountState | undefined
  /** Public key that signs for it now, G…: its master key or one of its signers. */
  readonly from: string
  /** Public key that takes its place, G…. */
  readonly to: string
  /** Of the new signer; absent: the weight that the old one has. */
  readonly weight?: number
  /** Stroops above the reserve; absent: not known. */
  readonly free?: bigint
}

export type SignerRefusal =
  | 'no-account'
  | 'malformed'
  | 'fee'
  | 'old-not-key'
  | 'new-not-key'
  | 'same-key'
  | 'new-is-master'
  | 'sequence-used'
  | 'master-off'
  | 'not-a-signer'
  | 'unreachable'
  | 'weight-range'
  | 'other-weight'
  | 'too-many-signers'
  | 'below-low'
  | 'below-medium'
  | 'below-high'
  | 'locks-out'
  | 'reserve'
  | 'successor-missing'

/** The rules that allow this one transaction and no other change of the account. Times in seconds, fee in stroops. */
export interface SignerGrant {
  readonly version: 1
  readonly network: string
  /** The account; a key that signs for it needs no such rule. */
  readonly sources?: readonly string[]
  readonly fee: { readonly maxStroops: string }
  readonly timeBounds: { readonly maxLifetimeSeconds: number }
  readonly setOptions:
    | { readonly signers: readonly { readonly key: string; readonly minWeight: number; readonly maxWeight: number }[] }
    | { readonly masterWeight: { readonly min: number; readonly max: number } }
}

export type SignerPlan =
  | {
      readonly kind: 'planned'
      /** Base64 XDR, unsigned. */
      readonly envelope: string
      readonly sentence: string
      /** Weight that the signatures on it must reach together. */
      readonly needs: number
      /** What could not be looked at, and who else must sign. */
      readonly notes: readonly string[]
      readonly grant: SignerGrant
    }
  /** The account is as this transaction would make it. */
  | { readonly kind: 'done'; readonly reason: string }
  | { readonly kind: 'refused'; readonly code: SignerRefusal; readonly reason: string }

/** @see https://developers.stellar.org/docs/learn/fundamentals/transactions/list-of-operations#set-options */
const SIGNERS_MAX = 20
/** Of one more entry, in stroops: 0.5 XLM. @see https://developers.stellar.org/docs/learn/fundamentals/lumens#minimum-balance */
const SIGNER_RESERVE = 5_000_000n
const LEVELS = ['low', 'medium', 'high'] as const

/** Adds the new signer with the weight of the old one. Refused also when the old one could not be dropped afterwards. */
export function addSigner(change: SignerChange, frame: OptionsFrame): SignerPlan {
  const fault = commonFault(change, frame)
  if (fault !== undefined) return fault
  const account = change.account as AccountState
  const { from, to, free } = change
  const old = weightOf(account, from)
  if (old === 0) {
    return from === account.address
      ? refused('master-off', `the master key of ${account.address} has weight 0: it signs nothing`)
      : refused('not-a-signer', `${from} is no signer of ${account.address}`)
  }
  const weight = change.weight ?? old
  if (!isWeight(weight) || weight === 0) {
    return refused('weight-range', `${weight} is no weight that signs: it is a whole number from 1 to ${WEIGHT_MAX}`)
  }
  const there = weightOf(account, to)
  if (there !== 0 && there !== weight) {
    return refused('other-weight', `${to} is a signer already, with weight ${there} instead of ${weight}`)
  }
  const harm = harmOf(account, { from, to, old, weight })
  if (harm !== undefined) return harm
  if (there === weight) return { kind: 'done', reason: `${to} is a signer with weight ${weight}` }
  if (account.signers.filter(({ key }) => key !== account.address).length >= SIGNERS_MAX) {
    return refused(
      'too-many-signers',
      `the account has ${SIGNERS_MAX} signers, and none more may be added: drop one first`,
    )
  }
  if (free !== undefined && free < SIGNER_RESERVE + BigInt(frame.fee)) {
    const wanted = SIGNER_RESERVE + BigInt(frame.fee)
    return refused('reserve', `${free} stroops are free, and the signer with the fee takes ${wanted}: fund the account`)
  }
  const notes = [
    ...notesOf(account, old),
    ...(free === undefined ? ['Whether 0.5 XLM are free for the reserve of one more signer was not looked at.'] : []),
  ]
  return planned(account, { signer: { key: to, weight } }, frame, notes)
}

/** Drops the old signer once the new one stands there. A signature of the new one on it proves that it can. */
export function dropSigner(change: SignerChange, frame: OptionsFrame): SignerPlan {
  const fault = commonFault(change, frame)
  if (fault !== undefined) return fault
  const account = change.account as AccountState
  const { from, to } = change
  const [old, weight] = [weightOf(account, from), weightOf(account, to)]
  if (weight === 0) return refused('successor-missing', `${to} is no signer of ${account.address} yet: add it first`)
  if (old === 0) return { kind: 'done', reason: `${from} signs nothing for ${account.address}` }
  const harm = harmOf(account, { from, to, old, weight })
  if (harm !== undefined) return harm
  const isMaster = from === account.address
  const notes = [
    ...notesOf(account, weight),
    'Sign it with the new key: that shows that it can, before the old one is gone.',
    ...(isMaster ? [] : ['Whoever sponsored the reserve of the old signer, if anybody did, gets it back.']),
  ]
  return planned(account, isMaster ? { masterWeight: 0 } : { signer: { key: from, weight: 0 } }, frame, notes)
}

type Refused = Extract<SignerPlan, { kind: 'refused' }>
const refused = (code: SignerRefusal, reason: string): Refused => ({ kind: 'refused', code, reason })

const isKey = (text: string): boolean => StrKey.isValidEd25519PublicKey(text)
const isWeight = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= WEIGHT_MAX
/** 0: it signs nothing for the account, whether or not it is listed. */
const weightOf = ({ signers }: AccountState, key: string): number => signers.find(each => each.key === key)?.weight ?? 0

function commonFault(change: SignerChange, frame: OptionsFrame): Refused | undefined {
  const { account, from, to } = change
  if (account === undefined) return refused('no-account', 'the account does not exist on this network')
  const broken = brokenState(account)
  if (broken !== undefined) return refused('malformed', broken)
  if (!isKey(from))
    return refused('old-not-key', 'the old signer is no public key (G…): hashes and pre-authorized transactions stay')
  if (!isKey(to)) return refused('new-not-key', 'the new signer is no public key (G…)')
  if (from === to) return refused('same-key', 'the new signer is the old one')
  if (to === account.address) {
    return refused('new-is-master', 'the new signer is the master key of the account, which is no signer one can add')
  }
  if (!Number.isInteger(frame.fee) || frame.fee < 100 || frame.fee > 0xff_ff_ff_ff) {
    return refused('fee', `a fee of ${frame.fee} stroops is not possible: 100 is the least`)
  }
  if (frame.sequence <= account.sequence || frame.sequence >= 2n ** 63n) {
    return refused(
      'sequence-used',
      `sequence ${frame.sequence} cannot follow ${account.sequence}, the one of the account`,
    )
  }
  return undefined
}

/** No account of a network looks like this: whoever says so is not believed. */
function brokenState({ address, sequence, thresholds, signers }: AccountState): string | undefined {
  if (!isKey(address)) return 'the account has no address'
  if (typeof sequence !== 'bigint' || sequence < 0n) return 'its sequence number is none'
  const level = LEVELS.find(each => !isWeight(thresholds[each]))
  if (level !== undefined)
    return `its ${level} threshold is ${thresholds[level]}, not a whole number from 0 to ${WEIGHT_MAX}`
  const wrong = signers.find(({ weight }) => !isWeight(weight))
  if (wrong !== undefined)
    return `the weight of ${wrong.key} is ${wrong.weight}, not a whole number from 0 to ${WEIGHT_MAX}`
  if (new Set(signers.map(({ key }) => key)).size < signers.length) return 'one signer is listed twice'
  return undefined
}

interface Swap {
  readonly from: string
  readonly to: string
  readonly old: number
  readonly weight: number
}

/** Who could do something before and could not when the old signer is gone. */
function harmOf(account: AccountState, { from, to, old, weight }: Swap): Refused | undefined {
  const others = keysOf(account).filter(({ key }) => key !== from && key !== to)
  const rest = others.reduce((sum, each) => sum + each.weight, 0)
  const before = rest + old + weightOf(account, to)
  const beyond = LEVELS.findLast(level => before < needed(account, level))
  if (beyond !== undefined) {
    const need = needed(account, beyond)
    const what = beyond === 'high' ? ': nobody can change its signers' : ''
    return refused('unreachable', `its keys reach ${before} together, and its ${beyond} threshold is ${need}${what}`)
  }
  for (const level of LEVELS) {
    const need = needed(account, level)
    if (old >= need && weight < need) {
      const reason = `the old key reaches the ${level} threshold of ${need} alone, and the new one has weight ${weight}`
      return refused(`below-${level}`, reason)
    }
  }
  for (const level of LEVELS) {
    const need = needed(account, level)
    if (rest + weight >= need) continue
    const reason = `without the old key the others reach ${rest + weight}, and the ${level} threshold is ${need}`
    return refused('locks-out', reason)
  }
  return undefined
}

/** A threshold of 0 still takes one signature of somebody who counts. */
const needed = ({ thresholds }: AccountState, level: (typeof LEVELS)[number]): number => Math.max(1, thresholds[level])

/** Signers that can sign whatever comes. A hash is used up, and a pre-authorized transaction is one transaction. */
const keysOf = ({ signers }: AccountState) => signers.filter(({ key }) => isKey(key))

function notesOf(account: AccountState, weight: number): readonly string[] {
  const high = needed(account, 'high')
  const uncounted = account.signers.length - keysOf(account).length
  return [
    ...(weight >= high
      ? []
      : [`It needs signatures of weight ${high}, and the key has ${weight}: others must sign too.`]),
    ...(uncounted === 0 ? [] : [`${uncounted} of its signers are no keys (T…, X…, P…) and were not counted.`]),
  ]
}

function planned(
  account: AccountState,
  options: SignerOptions,
  frame: OptionsFrame,
  notes: readonly string[],
): SignerPlan {
  const { address } = account
  const envelope = setOptionsEnvelope(address, options, frame)
  const { sentence } = describe(parse({ type: 'stellar-transaction', xdr: envelope }, frame.network))
  const grant: SignerGrant = {
    version: 1,
    network: frame.network,
    sources: [address],
    fee: { maxStroops: String(frame.fee) },
    timeBounds: { maxLifetimeSeconds: frame.validSeconds },
    setOptions:
      'signer' in options
        ? { signers: [{ key: options.signer.key, minWeight: options.signer.weight, maxWeight: options.signer.weight }] }
        : { masterWeight: { min: options.masterWeight, max: options.masterWeight } },
  }
  return { kind: 'planned', envelope, sentence, needs: needed(account, 'high'), notes, grant }
}
