/**
 * Break-glass: a short credential for the hour in which nobody can act in the usual way. It is sealed in the signing keys of
 * custodians, who need not be administrators: a quorum of them, and whoever will hold it, sign one statement that says what
 * for, until when and what it may do. It stops things, lets one person back in, or takes one revocation back, after which the key
 * has to prove itself before it signs; it never signs and never allows more.
 *
 * Nothing that stands in the store is believed. The statement and its signatures lie there beside the token, and both are
 * judged again at each use, by the custodians of the configuration.
 */
import canonicalize from 'canonicalize'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { KEY_NAME } from '../domain/key.ts'
import { provesAddress, readAddress } from './address-proof.ts'
import { hasExactly, readJsonObject } from '../bytes/jws.ts'

/** What a statement may ask for. */
export const BREAK_GLASS_ACTIONS = [
  'read',
  'disable-admin',
  'restore-policy-admin',
  'revoke-token',
  'withdraw-change',
  'revoke-key',
  'unrevoke-key',
] as const
export type BreakGlassAction = (typeof BREAK_GLASS_ACTIONS)[number]

/** By the names of operations of the control plane. What is not here, no break-glass token does. */
export const BREAK_GLASS_OPERATIONS: Readonly<Record<BreakGlassAction, readonly string[]>> = {
  read: [
    'status.read',
    'audit.read',
    'admins.list',
    'tokens.list',
    'keys.list',
    'keys.read',
    'policies.read',
    'changes.list',
    'changes.read',
  ],
  'disable-admin': ['admins.change'],
  'restore-policy-admin': ['admins.change', 'admins.add'],
  'revoke-token': ['tokens.revoke'],
  'withdraw-change': ['changes.withdraw'],
  'revoke-key': ['keys.revoke'],
  'unrevoke-key': ['keys.unrevoke'],
}

export const BREAK_GLASS_MINUTES = 15
export const BREAK_GLASS_MINUTES_MAX = 60
/** From the statement to its last signature: envelopes have to be fetched. */
export const BREAK_GLASS_SIGN_MINUTES = 60
const MINUTE_MS = 60_000

export interface BreakGlassRule {
  /** Addresses in canonical form. */
  readonly custodians: readonly string[]
  /** Signatures of different custodians; the holder's own is not one of them. */
  readonly quorum: number
  /** Longest life of a token, 1 to 60 minutes. */
  readonly minutes: number
  /** Name the installation, so that a statement of one is worth nothing to another. */
  readonly environment: string
  readonly audience: string
}

/** One version of one key, by number. */
export interface NamedVersion {
  readonly key: string
  readonly version: number
}

export interface BreakGlassTerms {
  /** 32 digits of hex, made here. */
  readonly nonce: string
  /** Address of who will use it. */
  readonly holder: string
  readonly reason: string
  /** In the order of `BREAK_GLASS_ACTIONS`. */
  readonly actions: readonly BreakGlassAction[]
  /** The one address that `restore-policy-admin` lets in. There if and only if that is asked for. */
  readonly policyAdmin?: string
  /** The one revoked version that `unrevoke-key` is about. There if and only if that is asked for. */
  readonly keyVersion?: NamedVersion
  /** Life of the token. */
  readonly minutes: number
  /** Milliseconds since the epoch. */
  readonly askedAt: number
}

/** @throws `config/invalid` for a rule under which fewer than two people would do, or nobody could */
export function checkBreakGlassRule({ custodians, quorum, minutes, environment, audience }: BreakGlassRule): void {
  const problems: ConfigProblem[] = []
  const complain = (path: string, problem: string, fix: string) =>
    void problems.push({ path: `breakGlass.${path}`, problem, fix })
  const good = custodians.filter(address => readAddress(address)?.address === address)
  if (good.length < custodians.length || new Set(good).size < good.length || good.length < 2)
    complain('custodians', 'is not a list of two or more different addresses', 'name each as G… or 0x…, once')
  if (!Number.isSafeInteger(quorum) || quorum < 2 || !(quorum <= custodians.length))
    complain('quorum', `is ${quorum}, of ${custodians.length} custodians`, 'use 2 or more, and no more than there are')
  if (!Number.isSafeInteger(minutes) || minutes < 1 || minutes > BREAK_GLASS_MINUTES_MAX)
    complain('lifetimeMinutes', 'is out of range', `use 1 to ${BREAK_GLASS_MINUTES_MAX}`)
  if (environment === '' || audience === '') complain('audience', 'is empty', 'name this installation')
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
}

const TITLE = 'Countersign break-glass, version 1'

/** No later than this is a signature taken. */
export const signBy = ({ askedAt }: Pick<BreakGlassTerms, 'askedAt'>): number =>
  askedAt + BREAK_GLASS_SIGN_MINUTES * MINUTE_MS

/**
 * The text that custodians and the holder sign, SEP-53 for G…, EIP-191 for 0x…: a title that no other text of this service
 * begins with, a line break, and the terms as canonical JSON (RFC 8785).
 */
export function breakGlassText(
  { askedAt, ...terms }: BreakGlassTerms,
  { audience, environment }: Pick<BreakGlassRule, 'audience' | 'environment'>,
): string {
  const [asked, last] = [askedAt, signBy({ askedAt })].map(ms => new Date(ms).toISOString())
  return `${TITLE}\n${canonicalize({ ...terms, audience, environment, asked, signBy: last })}`
}

const MEMBERS = ['nonce', 'holder', 'reason', 'actions', 'minutes', 'audience', 'environment', 'asked', 'signBy']

/** @returns undefined unless this is the text, to the letter, of good terms for this installation. */
export function readBreakGlass(text: string, rule: BreakGlassRule): BreakGlassTerms | undefined {
  if (!text.startsWith(`${TITLE}\n`)) return undefined
  const read = readJsonObject(new TextEncoder().encode(text.slice(TITLE.length + 1)))
  if (read === undefined || !hasExactly(read, MEMBERS, ['policyAdmin', 'keyVersion'])) return undefined
  // Nothing of this type is believed: `problemOfTerms` looks at each, and the text that is made of them must be this one.
  const { nonce, holder, reason, actions, policyAdmin, keyVersion, minutes, asked } = read as unknown as Claimed
  const askedAt = Date.parse(asked)
  if (!Array.isArray(actions) || !(askedAt >= 0 && askedAt < TIME_MAX)) return undefined
  const restores = policyAdmin === undefined ? {} : { policyAdmin }
  const unrevokes = keyVersion === undefined ? {} : { keyVersion }
  const terms: BreakGlassTerms = { nonce, holder, reason, actions, minutes, askedAt, ...restores, ...unrevokes }
  return problemOfTerms(terms, rule) === undefined && breakGlassText(terms, rule) === text ? terms : undefined
}

type Claimed = Omit<BreakGlassTerms, 'askedAt'> & { readonly asked: string }
/** The year 9999 and some: later times have another spelling. */
const TIME_MAX = 253_400_000_000_000

/** What is wrong with terms that somebody asks for. */
export function problemOfTerms(
  { holder, actions, policyAdmin, keyVersion, minutes, reason, nonce }: BreakGlassTerms,
  rule: Pick<BreakGlassRule, 'minutes'>,
): { readonly field: string; readonly reason: string; readonly fix: string } | undefined {
  const wrong = (field: string, what: string, fix: string) => ({ field, reason: what, fix })
  const isAddress = (value: unknown) => typeof value === 'string' && readAddress(value)?.address === value
  if (!isAddress(holder)) return wrong('holder', 'is not an address in its one spelling', 'give G… or 0x…')
  if (!Number.isSafeInteger(minutes) || minutes < 1 || minutes > rule.minutes)
    return wrong('minutes', 'is out of range', `use 1 to ${rule.minutes}`)
  if (actions.length === 0 || BREAK_GLASS_ACTIONS.filter(each => actions.includes(each)).join() !== actions.join())
    return wrong('actions', 'is not a list of known actions', `use ${BREAK_GLASS_ACTIONS.join(', ')}, each once`)
  if (actions.includes('restore-policy-admin') ? !isAddress(policyAdmin) : policyAdmin !== undefined)
    return wrong('policyAdmin', 'does not go with the actions', 'give the one address that is let in, to restore it')
  if (actions.includes('unrevoke-key') ? !isVersion(keyVersion) : keyVersion !== undefined)
    return wrong(
      'keyVersion',
      'does not go with the actions',
      'give the one key and version, to take its revocation back',
    )
  if (typeof reason !== 'string' || !REASON.test(reason))
    return wrong('reason', 'is not a line of text', 'say in 1 to 500 characters why')
  return typeof nonce === 'string' && /^[0-9a-f]{32}$/.test(nonce)
    ? undefined
    : wrong('nonce', 'is not ours', 'ask again')
}

/** Exactly these two members: what stands beside them, nobody would look at. */
function isVersion(value: unknown): value is NamedVersion {
  if (typeof value !== 'object' || value === null || !hasExactly({ ...value }, ['key', 'version'])) return false
  const { key, version } = value as Partial<Record<keyof NamedVersion, unknown>>
  return typeof key === 'string' && KEY_NAME.test(key) && Number.isSafeInteger(version) && (version as number) >= 1
}

const REASON = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,500}$/u

export interface BreakGlassSignature {
  readonly address: string
  readonly signature: string
}
export interface BreakGlassVerdict {
  readonly ok: boolean
  readonly needed: number
  /** Those whose signatures count. */
  readonly custodians: readonly string[]
  readonly reason: string
}

/**
 * Whether enough people stand behind the statement. Counted is each custodian once, with a signature that verifies.
 * @param ours  addresses of keys that sign here: who may ask for their signatures is no custodian.
 */
export async function judgeBreakGlass(
  terms: BreakGlassTerms,
  signatures: readonly BreakGlassSignature[],
  rule: BreakGlassRule,
  ours: ReadonlySet<string>,
): Promise<BreakGlassVerdict> {
  checkBreakGlassRule(rule)
  const text = breakGlassText(terms, rule)
  const { holder } = terms
  const signed = new Set<string>()
  for (const { address, signature } of signatures) {
    if (signed.has(address) || ours.has(address)) continue
    if (address !== holder && !rule.custodians.includes(address)) continue
    if (await provesAddress(address, text, signature)) signed.add(address)
  }
  const custodians = [...signed].filter(address => address !== holder)
  const verdict = { needed: rule.quorum, custodians }
  if (custodians.length < rule.quorum) {
    const reason = `${rule.quorum} custodians besides the holder must sign the statement, ${custodians.length} count`
    return { ok: false, ...verdict, reason }
  }
  if (!signed.has(holder)) return { ok: false, ...verdict, reason: 'the holder has not signed the statement' }
  return { ok: true, ...verdict, reason: '' }
}

/** When a token that was given at `issuedAt` is over, whatever the store says. Milliseconds since the epoch. */
export const breakGlassEnd = (
  terms: Pick<BreakGlassTerms, 'minutes' | 'askedAt'>,
  issuedAt: number,
  { minutes }: Pick<BreakGlassRule, 'minutes'>,
): number => Math.min(issuedAt, signBy(terms)) + Math.min(terms.minutes, minutes, BREAK_GLASS_MINUTES_MAX) * MINUTE_MS

/** Before anything of the request is read. @throws `access/denied` */
export function authorizeBreakGlass({ actions }: Pick<BreakGlassTerms, 'actions'>, operation: string): void {
  if (actions.some(action => BREAK_GLASS_OPERATIONS[action].includes(operation))) return
  throw beyond(operation)
}

/** What was read of a request that writes. */
interface Sent {
  readonly object?: unknown
  readonly body?: unknown
}

/**
 * Of what an operation can do, only what the statement names: to disable an administrator, or to let in the one policy-admin
 * it gives, under that role alone, or to take back the revocation of the one version it gives.
 * @throws `access/denied`
 */
export function narrowBreakGlass(terms: BreakGlassTerms, operation: string, { object, body }: Sent): void {
  const { actions, policyAdmin, keyVersion } = terms
  const { roles, active, address, version } = (body ?? {}) as Partial<Record<string, unknown>>
  const isRestored = (text: unknown): boolean =>
    actions.includes('restore-policy-admin') &&
    typeof text === 'string' &&
    policyAdmin !== undefined &&
    readAddress(text)?.address === policyAdmin
  switch (operation) {
    case 'admins.add':
      if (isRestored(address) && Array.isArray(roles) && roles.join() === 'policy-admin') return
      break
    case 'admins.change':
      if (roles === undefined && active === false && actions.includes('disable-admin')) return
      if (roles === undefined && active === true && isRestored(object)) return
      break
    case 'keys.unrevoke':
      if (keyVersion !== undefined && object === keyVersion.key && version === keyVersion.version) return
      break
    default:
      return
  }
  throw beyond(operation)
}

const beyond = (action: string) =>
  new SignerError('access/denied', { action, reason: 'the break-glass statement does not name this' })
