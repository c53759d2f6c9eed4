import canonicalize from 'canonicalize'
import {
  authorizeBreakGlass,
  BREAK_GLASS_ACTIONS,
  type BreakGlassAction,
  breakGlassEnd,
  type BreakGlassRule,
  type BreakGlassSignature,
  type BreakGlassTerms,
  breakGlassText,
  judgeBreakGlass,
  narrowBreakGlass,
  problemOfTerms,
  readBreakGlass,
  signBy,
} from '../../access/break-glass.ts'
import type { OfficeClock } from '../../access/hours.ts'
import { readJsonObject } from '../../access/jws.ts'
import { DUTIES, permissionsOf } from '../../access/roles.ts'
import { invalid } from '../../access/token-reasons.ts'
import { toBase64Url } from '../../bytes/base64.ts'
import { toHex } from '../../bytes/hex.ts'
import { randomId } from '../../bytes/ids.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { Admin, ChallengeStore, TokenRecord } from '../../domain/admins.ts'
import type { AuditActor } from '../../domain/audit.ts'
import { isSignerError, malformed, SignerError } from '../../domain/errors.ts'
import { canonicalAddress } from './admins.ts'
import { type Asking, type Done, type Granted, notPermitted } from './guard.ts'
import type { ControlParts } from './ports.ts'

export interface BreakGlassParts {
  readonly rule: BreakGlassRule
  readonly challenges: ChallengeStore
  /** A clock that was set back lengthens nothing: while it is behind, no statement and no token is taken. */
  readonly watch: Pick<OfficeClock, 'fault' | 'time'>
}

export interface BreakGlassWish {
  readonly holder: string
  readonly reason: string
  readonly actions: readonly BreakGlassAction[]
  readonly policyAdmin?: string | undefined
  readonly minutes?: number | undefined
}

/** In the ledger, and all that is believed of it is what verifies. */
interface Sealed {
  readonly text: string
  readonly signatures: readonly BreakGlassSignature[]
  /** Address of the client that opened it: it is good from there alone. */
  readonly client: string
  /** The instance that gave it out, whose clock and log measure its life: it is good there alone. */
  readonly instance: string
}

const PREFIX = 'bg_'
const ISSUED_BY = 'break-glass'
const encoder = new TextEncoder()
const challengeOf = (text: string): string => `${ISSUED_BY}:${hashOf(text)}`
const hashOf = (text: string): string => toHex(sha256(encoder.encode(text)))
const iso = (ms: number): string => new Date(ms).toISOString()

/** Where it is not configured, it does not exist. @throws `request/unknown-route` */
function glassOf({ breakGlass }: ControlParts, path: string): BreakGlassParts {
  if (breakGlass !== undefined) return breakGlass
  throw new SignerError('request/unknown-route', { method: 'POST', path })
}

/** The statement to sign. Whoever asks gets one: it is worth nothing without the signatures. @throws `request/malformed` */
export async function askBreakGlass(parts: ControlParts, wish: BreakGlassWish): Promise<Done> {
  const { rule, challenges, watch } = glassOf(parts, '/break-glass/statement')
  const terms: BreakGlassTerms = {
    nonce: toHex(parts.world.random.bytes(16)),
    holder: canonicalAddress(wish.holder),
    reason: wish.reason,
    actions: BREAK_GLASS_ACTIONS.filter(action => wish.actions.includes(action)),
    ...(wish.policyAdmin === undefined ? {} : { policyAdmin: canonicalAddress(wish.policyAdmin) }),
    minutes: wish.minutes ?? rule.minutes,
    askedAt: believed(watch),
  }
  const problem = problemOfTerms(terms, rule)
  if (problem !== undefined) throw malformed(problem.field, problem.reason, problem.fix)
  const text = breakGlassText(terms, rule)
  await challenges.issue(challengeOf(text), signBy(terms))
  parts.logger.warn('break-glass-asked', { holder: terms.holder, reason: terms.reason })
  const { quorum, custodians } = rule
  const answer = { text, quorum, custodians, signBy: iso(signBy(terms)), minutes: terms.minutes }
  return { answer, facts: { statement: hashOf(text), ...factsOf(terms) } }
}

/**
 * The token, once, for a statement that was asked for here, is signed by the quorum and by who will hold it, and was not used
 * before. Loud whatever comes of it.
 * @throws `login/refused`, `access/denied` while the clock cannot be believed
 */
export async function openBreakGlass(
  parts: ControlParts,
  { text, signatures }: Pick<Sealed, 'text' | 'signatures'>,
  asking: Asking,
): Promise<Done & { readonly actor: Omit<AuditActor, 'peer'> }> {
  const glass = glassOf(parts, '/break-glass')
  const client = clientOf(parts, asking)
  const statement = hashOf(text)
  try {
    const terms = readBreakGlass(text, glass.rule)
    if (terms === undefined) throw refused('this is not the text of a statement that was made here')
    const verdict = await judgeBreakGlass(terms, signatures, glass.rule, await addressesOf(parts))
    if (!verdict.ok) throw refused(verdict.reason)
    const now = believed(glass.watch)
    // Only a good quorum uses a statement up: nobody else can take it from them.
    if (!(await glass.challenges.use(challengeOf(text), now))) {
      throw refused('the statement was not made here, has expired or was used before: ask for another one')
    }
    const token = `${PREFIX}${toBase64Url(parts.world.random.bytes(32))}`
    const sealed: Sealed = { text, signatures: counted(signatures, verdict.custodians, terms), client, instance: parts.about.instance }
    const id = idOf(token)
    const expiresAt = breakGlassEnd(terms, now, glass.rule)
    const facts = { ...factsOf(terms), statement, token: id, custodians: verdict.custodians.join(' ') }
    const actor = { subject: terms.holder, tokenId: id }
    // On record before it exists.
    await alarm(parts, 'opened', { ...actor, peer: client }, asking, { ...facts, expiresAt: iso(expiresAt) })
    const grants = canonicalize(sealed) ?? ''
    await parts.tokens.record({ id, subject: terms.holder, issuedBy: ISSUED_BY, issuedAt: now, expiresAt, grants })
    const { holder, actions, policyAdmin } = terms
    const restores = policyAdmin === undefined ? {} : { policyAdmin }
    const answer = { token, tokenType: 'Bearer', id, holder, actions, ...restores, expiresAt: iso(expiresAt) }
    return { answer, facts, actor }
  } catch (error) {
    await alarm(parts, 'refused', { subject: 'unknown', peer: client }, asking, { statement, ...whyOf(error) })
    throw error
  }
}

/** One spelling of what counts, and nothing else that somebody sent along. */
const counted = (
  signatures: readonly BreakGlassSignature[],
  custodians: readonly string[],
  { holder }: BreakGlassTerms,
): readonly BreakGlassSignature[] =>
  signatures
    .filter(({ address }) => address === holder || custodians.includes(address))
    .map(({ address, signature }) => ({ address, signature }))

/** Somebody with a break-glass token: no administrator, and no role. */
export interface BreakGlassHolder {
  readonly actor: AuditActor
  readonly admin: Admin
  readonly expiresAt: number
  /** Before anything of the request is looked at: on disk and in the log of the process. @throws `audit/sealed` */
  use(operation: string): Promise<void>
  /** @throws `access/denied` */
  authorize(operation: string): void
  /** @throws `access/denied` */
  narrow(operation: string, input: unknown): Promise<void>
}

/**
 * @returns undefined for a request that brings no break-glass token
 * @throws `token/invalid` for one that is unknown, over, taken back, or whose statement does not hold any more;
 *         `access/denied` from another client, at another instance, or while the clock cannot be believed
 */
export async function breakGlassHolder(parts: ControlParts, asking: Asking): Promise<BreakGlassHolder | undefined> {
  const header = asking.visit.headers.get('authorization') ?? ''
  const start = `Bearer ${PREFIX}`
  if (!header.startsWith(start)) return undefined
  const { breakGlass: glass, tokens } = parts
  const id = idOf(header.slice('Bearer '.length))
  const record = glass === undefined ? undefined : await tokens.find(id)
  if (glass === undefined || record === undefined) throw invalid('key')
  const client = clientOf(parts, asking)
  const actor: AuditActor = { subject: record.subject, tokenId: id, peer: client }
  try {
    const { terms, expiresAt } = await hold(parts, glass, record, client)
    return holder(parts, asking, { actor, terms, expiresAt })
  } catch (error) {
    await alarm(parts, 'refused', actor, asking, whyOf(error))
    throw error
  }
}

async function hold(parts: ControlParts, { rule, watch }: BreakGlassParts, record: TokenRecord, client: string) {
  if ((await parts.tokens.isRevoked(record.id)) !== false) throw invalid('revoked')
  const sealed = readJsonObject(encoder.encode(record.grants)) as Partial<Sealed> | undefined
  const { text = '', signatures = [] } = sealed ?? {}
  const terms = readBreakGlass(text, rule)
  const verdict =
    terms === undefined ? undefined : await judgeBreakGlass(terms, signatures, rule, await addressesOf(parts))
  if (terms === undefined || verdict?.ok !== true || terms.holder !== record.subject) throw invalid('signature')
  const here = parts.about.instance
  if (sealed?.instance !== here) throw denied(`the token was opened at another instance than ${here}`)
  if (sealed.client !== client) throw denied('the token was opened from another address')
  const expiresAt = Math.min(record.expiresAt, breakGlassEnd(terms, record.issuedAt, rule))
  const now = believed(watch)
  // Not before it was given out either: the clock was ahead then, or is behind now.
  if (!(now >= record.issuedAt) || !(now < expiresAt)) throw invalid('expired')
  return { terms, expiresAt }
}

function holder(
  parts: ControlParts,
  asking: Asking,
  { actor, terms, expiresAt }: { actor: AuditActor; terms: BreakGlassTerms; expiresAt: number },
): BreakGlassHolder {
  const { holder: address } = terms
  const nobody = { address, name: ISSUED_BY, roles: [], active: true, createdAt: 0, changedAt: 0 }
  return {
    actor,
    expiresAt,
    admin: nobody,
    use: operation =>
      alarm(parts, 'used', actor, asking, { operation, ...factsOf(terms), expiresAt: iso(expiresAt) }),
    authorize: operation => authorizeBreakGlass(terms, operation),
    async narrow(operation, input) {
      const { object, body } = (input ?? {}) as { object?: unknown; body?: { active?: unknown } }
      narrowBreakGlass(terms, operation, { object, body })
      if (operation === 'admins.change' && body?.active === true) await onlyPolicy(parts, canonicalAddress(String(object)))
    },
  }
}

/** Who comes back must not bring the right to signatures along. */
async function onlyPolicy({ admins }: ControlParts, address: string): Promise<void> {
  const roles = (await admins.find(address))?.roles ?? ['policy-admin']
  const held = permissionsOf(roles)
  if (roles.includes('policy-admin') && !DUTIES.sign.some(permission => held.has(permission))) return
  throw notPermitted('admins:manage', 'break-glass lets a policy-admin back in, and nobody who brings signatures about')
}

type Alarm = 'opened' | 'refused' | 'used'

/** On disk when it resolves, and a line that somebody is woken by, written first: also when the disk fails. */
async function alarm(
  { audit, logger, world }: ControlParts,
  what: Alarm,
  actor: AuditActor,
  { requestId, visit: { method, url }, object }: Asking,
  facts: NonNullable<Done['facts']>,
): Promise<void> {
  const route = `${method} ${new URL(url).pathname}`.slice(0, 300)
  const about = object === '' ? {} : { object: object.slice(0, 255) }
  logger.error(`break-glass-${what}`, { ...actor, requestId, route, ...about, ...facts })
  const detail = { requestId, route, ...about, ...facts, outcome: what === 'refused' ? 'refused' : 'accepted' }
  await audit.append({ kind: 'event', auditId: randomId(world.random, 'a'), event: `break-glass.${what}`, actor, detail })
}

const factsOf = ({ holder: address, reason, actions, policyAdmin, minutes }: BreakGlassTerms) => ({
  holder: address,
  reason,
  actions: actions.join(' '),
  ...(policyAdmin === undefined ? {} : { policyAdmin }),
  minutes,
})

function whyOf(error: unknown): { readonly errorCode: string; readonly reason?: string } {
  if (!isSignerError(error)) return { errorCode: 'internal' }
  return { errorCode: error.code, ...('reason' in error.detail ? { reason: error.detail.reason } : {}) }
}

/** The time, when it can be believed. @throws `access/denied` */
function believed(watch: BreakGlassParts['watch']): number {
  const fault = watch.fault()
  if (fault !== undefined) throw denied(`${fault}: set it right, then go on`)
  return watch.time()
}

const addressesOf = async ({ keys }: ControlParts): Promise<ReadonlySet<string>> =>
  new Set((await keys.list()).map(({ version }) => version.address))

const clientOf = ({ clientOf: named }: ControlParts, { visit }: Asking): string => named?.(visit) ?? visit.peer

const idOf = (token: string): string => `${PREFIX}${hashOf(token)}`
const refused = (reason: string) => new SignerError('login/refused', { reason })
const denied = (reason: string) => new SignerError('access/denied', { action: ISSUED_BY, reason })

const LIST_MAX = 1_000

/**
 * The parts of a control plane that has break-glass. Its status and `/readyz` say while a token is good, at every instance
 * that shares the store.
 */
export function withBreakGlass(parts: ControlParts, breakGlass: BreakGlassParts): ControlParts {
  const { tokens, readiness } = parts
  const open = async (): Promise<readonly TokenRecord[]> => {
    const now = breakGlass.watch.time()
    const alive = await tokens.list({ now, limit: LIST_MAX })
    return alive.filter(token => token.issuedBy === ISSUED_BY && token.revokedAt === undefined)
  }
  return {
    ...parts,
    breakGlass,
    readiness: async () => {
      const [checks, held] = await Promise.all([readiness(), open().catch(() => [])])
      if (held.length === 0) return checks
      const until = iso(Math.max(...held.map(({ expiresAt }) => expiresAt)))
      return [...checks, { name: 'break-glass', ok: true, detail: `in use until ${until}` }]
    },
  }
}

export type { BreakGlassRule, Granted }
