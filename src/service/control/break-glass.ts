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
  type NamedVersion,
  narrowBreakGlass,
  problemOfTerms,
  readBreakGlass,
  signBy,
} from '../../access/break-glass.ts'
import type { OfficeClock } from '../../access/hours.ts'
import { DUTIES, permissionsOf } from '../../access/roles.ts'
import { invalid } from '../../access/token-reasons.ts'
import { toBase64Url } from '../../bytes/base64.ts'
import { toHex } from '../../bytes/hex.ts'
import { randomId } from '../../bytes/ids.ts'
import { readJsonObject } from '../../bytes/jws.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { Admin, ChallengeStore, TokenRecord } from '../../domain/admins.ts'
import type { AuditActor } from '../../domain/audit.ts'
import { isSignerError, malformed, SignerError } from '../../domain/errors.ts'
import { canonicalAddress } from './admins.ts'
import { type Asking, clientOf, type Done, type Granted, notPermitted } from './guard.ts'
import type { ControlParts } from './ports.ts'

export interface BreakGlassParts {
  readonly rule: BreakGlassRule
  readonly challenges: ChallengeStore
  /** A clock that was set back lengthens nothing: while it is behind, no statement and no token is taken. */
  readonly watch: Pick<OfficeClock, 'fault' | 'time'>
}

/** As the control plane has it. */
export interface BreakGlass extends BreakGlassParts {
  /** When the tokens end that were opened or used here, by their id. */
  readonly seen: Map<string, number>
  holder(parts: ControlParts, asking: Asking): Promise<BreakGlassHolder | undefined>
}

export interface BreakGlassWish {
  readonly holder: string
  readonly reason: string
  readonly actions: readonly BreakGlassAction[]
  readonly policyAdmin?: string | undefined
  readonly keyVersion?: NamedVersion | undefined
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
export { BREAK_GLASS_ACTIONS, BREAK_GLASS_MINUTES_MAX } from '../../access/break-glass.ts'

const ISSUED_BY = 'break-glass'
const encoder = new TextEncoder()
const challengeOf = (text: string): string => `${ISSUED_BY}:${hashOf(text)}`
const hashOf = (text: string): string => toHex(sha256(encoder.encode(text)))
const iso = (ms: number): string => new Date(ms).toISOString()

/** Where it is not configured, it does not exist. @throws `request/unknown-route` */
function glassOf({ breakGlass }: ControlParts, path: string): BreakGlass {
  if (breakGlass !== undefined) return breakGlass
  throw new SignerError('request/unknown-route', { method: 'POST', path })
}

/** The statement to sign. Whoever asks gets one: it is worth nothing without the signatures. @throws `request/malformed` */
export async function askBreakGlass(parts: ControlParts, wish: BreakGlassWish): Promise<Done> {
  const { rule, challenges, watch } = glassOf(parts, '/auth/break-glass/statement')
  const terms: BreakGlassTerms = {
    nonce: toHex(parts.world.random.bytes(16)),
    holder: canonicalAddress(wish.holder),
    reason: wish.reason,
    actions: BREAK_GLASS_ACTIONS.filter(action => wish.actions.includes(action)),
    ...(wish.policyAdmin === undefined ? {} : { policyAdmin: canonicalAddress(wish.policyAdmin) }),
    ...(wish.keyVersion === undefined ? {} : { keyVersion: wish.keyVersion }),
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
  const glass = glassOf(parts, '/auth/break-glass')
  const client = clientOf(parts, asking)
  const statement = hashOf(text)
  let signers: readonly string[] = []
  try {
    const terms = readBreakGlass(text, glass.rule)
    if (terms === undefined) throw refused('this is not the text of a statement that was made here')
    const verdict = await judgeBreakGlass(terms, signatures, glass.rule, await addressesOf(parts))
    signers = verdict.custodians
    if (!verdict.ok) throw refused(verdict.reason)
    const now = believed(glass.watch)
    // Only a good quorum uses a statement up: nobody else can take it from them.
    if (!(await glass.challenges.use(challengeOf(text), now))) {
      throw refused('the statement was not made here, has expired or was used before: ask for another one')
    }
    const token = `${PREFIX}${toBase64Url(parts.world.random.bytes(32))}`
    const sealed: Sealed = {
      text,
      signatures: counted(signatures, verdict.custodians, terms),
      client,
      instance: parts.about.instance,
    }
    const id = idOf(token)
    const expiresAt = breakGlassEnd(terms, now, glass.rule)
    const facts = { ...factsOf(terms), statement, token: id, custodians: verdict.custodians.join(' ') }
    const actor = { subject: terms.holder, tokenId: id }
    // On record before it exists.
    await alarm(parts, 'opened', { ...actor, peer: client }, asking, { ...facts, expiresAt: iso(expiresAt) })
    const grants = canonicalize(sealed) ?? ''
    await parts.tokens.record({ id, subject: terms.holder, issuedBy: ISSUED_BY, issuedAt: now, expiresAt, grants })
    if (terms.keyVersion !== undefined) await glass.challenges.issue(onceOf(id), expiresAt)
    glass.seen.set(id, expiresAt)
    const { holder, actions, policyAdmin, keyVersion } = terms
    const about = {
      ...(policyAdmin === undefined ? {} : { policyAdmin }),
      ...(keyVersion === undefined ? {} : { keyVersion }),
    }
    const answer = { token, tokenType: 'Bearer', id, holder, actions, ...about, expiresAt: iso(expiresAt) }
    return { answer, facts, actor }
  } catch (error) {
    const actor = { subject: 'unknown', peer: client }
    const custodians = signers.join(' ')
    // Strangers find all of this as loud, and their records in a bounded number: they have no key of a custodian.
    const sure = signers.length > 0
    await alarm(parts, 'refused', actor, asking, { statement, ...(sure ? { custodians } : {}), ...whyOf(error) }, sure)
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
  /** On disk and in the log of the process, whatever comes of it; then authorized. @throws `audit/sealed`, `access/denied` */
  use(operation: string): Promise<void>
  /** Once the request was read. @throws `access/denied` */
  narrow(operation: string, input: unknown): Promise<void>
}

/**
 * @returns undefined for a request that brings no break-glass token
 * @throws `token/invalid` for one that is unknown, over, taken back, or whose statement does not hold any more;
 *         `access/denied` from another client, at another instance, or while the clock cannot be believed
 */
async function breakGlassHolder(
  parts: ControlParts,
  glass: BreakGlass,
  asking: Asking,
): Promise<BreakGlassHolder | undefined> {
  const header = asking.visit.headers.get('authorization') ?? ''
  const start = `Bearer ${PREFIX}`
  if (!header.startsWith(start)) return undefined
  const id = idOf(header.slice('Bearer '.length))
  const record = await parts.tokens.find(id)
  if (record === undefined) {
    await parts.admit({ visit: asking.visit })
    throw invalid('key')
  }
  const client = clientOf(parts, asking)
  const actor: AuditActor = { subject: record.subject, tokenId: id, peer: client }
  try {
    const { terms, expiresAt } = await hold(parts, glass, record, client)
    glass.seen.set(id, expiresAt)
    return holder(parts, asking, { actor, terms, expiresAt })
  } catch (error) {
    // Counted first: who has an old token cannot fill the log with it.
    await parts.admit({ visit: asking.visit })
    await alarm(parts, 'refused', actor, asking, whyOf(error))
    throw error
  }
}

async function hold(parts: ControlParts, { rule, watch }: BreakGlassParts, record: TokenRecord, client: string) {
  if ((await parts.tokens.isRevoked(record.id)) !== false) throw invalid('revoked')
  const sealed = readSealed(record.grants)
  const terms = sealed === undefined ? undefined : readBreakGlass(sealed.text, rule)
  if (sealed === undefined || terms?.holder !== record.subject) throw invalid('claims')
  if (!(await judgeBreakGlass(terms, sealed.signatures, rule, await addressesOf(parts))).ok) throw invalid('signature')
  const here = parts.about.instance
  if (sealed.instance !== here) throw denied(`the token was opened at another instance than ${here}`)
  if (sealed.client !== client) throw denied('the token was opened from another address')
  const expiresAt = Math.min(record.expiresAt, breakGlassEnd(terms, record.issuedAt, rule))
  const now = believed(watch)
  // Not before it was given out either: the clock was ahead then, or is behind now.
  if (!(now >= record.issuedAt) || !(now < expiresAt)) throw invalid('expired')
  return { terms, expiresAt }
}

/** @returns undefined for a row that is not whole */
function readSealed(grants: string): Sealed | undefined {
  const { text, signatures, client, instance } = readJsonObject(encoder.encode(grants)) ?? {}
  if (typeof text !== 'string' || typeof client !== 'string' || typeof instance !== 'string') return undefined
  const isSignature = (each: unknown): each is BreakGlassSignature => {
    const { address, signature } = Object(each) as Partial<Record<string, unknown>>
    return typeof address === 'string' && typeof signature === 'string'
  }
  return Array.isArray(signatures) && signatures.every(isSignature) ? { text, signatures, client, instance } : undefined
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
    async use(operation) {
      await alarm(parts, 'used', actor, asking, { operation, ...factsOf(terms), expiresAt: iso(expiresAt) })
      authorizeBreakGlass(terms, operation)
    },
    async narrow(operation, input) {
      const { object, body } = (input ?? {}) as { object?: unknown; body?: { active?: unknown } }
      narrowBreakGlass(terms, operation, { object, body })
      if (operation === 'admins.change' && body?.active === true)
        await onlyPolicy(parts, canonicalAddress(String(object)))
      if (operation === 'keys.unrevoke') await onlyBefore(parts, terms)
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

/** Who signed knew of the revocation that they take back, and of no later one. */
async function onlyBefore({ keys }: ControlParts, { keyVersion, askedAt }: BreakGlassTerms): Promise<void> {
  const versions = keyVersion === undefined ? [] : await keys.versions(keyVersion.key)
  const { revokedAt = 0 } = versions.find(({ version }) => version.version === keyVersion?.version)?.times ?? {}
  if (revokedAt > askedAt) throw denied('the key was revoked after the statement was asked for: ask for another one')
}

/**
 * A revocation taken back by those who signed the statement, and once: whoever revokes again is not overruled by the token
 * that is still good. The version is in quarantine then, until a key-admin has seen it prove itself.
 * @throws `access/denied` when the statement did this before; as `unrevokeKey`
 */
export async function unrevoke(parts: ControlParts, { actor }: Granted, { key, version }: NamedVersion): Promise<Done> {
  const { challenges, watch } = glassOf(parts, `/v1/keys/${key}/unrevoke`)
  if (!(await challenges.use(onceOf(actor.tokenId ?? ''), believed(watch))))
    throw denied('the statement took a revocation back before, or has expired: ask for another one')
  const { version: now } = await parts.unrevoke(key, version, actor)
  parts.logger.error('key-unrevoked', { ...actor, key, version })
  return { answer: { key, version, state: now.state }, facts: { version, state: now.state } }
}

const onceOf = (tokenId: string): string => `${ISSUED_BY}-unrevoke:${tokenId}`

type Alarm = 'opened' | 'refused' | 'used'

/**
 * A line that somebody is woken by, written first: also when the disk fails. And a record, on disk when it resolves.
 * @param sure  false for whoever has shown nothing: their records are bounded.
 */
async function alarm(
  { audit, logger, world, recordOpen }: ControlParts,
  what: Alarm,
  actor: AuditActor,
  { requestId, visit: { method, url }, object }: Asking,
  facts: NonNullable<Done['facts']>,
  sure = true,
): Promise<void> {
  const route = `${method} ${new URL(url).pathname}`.slice(0, 300)
  const about = object === '' ? {} : { object: object.slice(0, 255) }
  logger.error(`break-glass-${what}`, { ...actor, requestId, route, ...about, ...facts })
  const detail = { requestId, route, ...about, ...facts, outcome: what === 'refused' ? 'refused' : 'accepted' }
  const event = {
    kind: 'event',
    auditId: randomId(world.random, 'a'),
    event: `break-glass.${what}`,
    actor,
    detail,
  } as const
  if (sure) await audit.append(event)
  else recordOpen(event)
}

const factsOf = ({ holder: address, reason, actions, policyAdmin, keyVersion, minutes }: BreakGlassTerms) => ({
  holder: address,
  reason,
  actions: actions.join(' '),
  ...(policyAdmin === undefined ? {} : { policyAdmin }),
  ...(keyVersion === undefined ? {} : { unrevokes: `${keyVersion.key} version ${keyVersion.version}` }),
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

const idOf = (token: string): string => `${PREFIX}${hashOf(token)}`
const refused = (reason: string) => new SignerError('login/refused', { reason })
const denied = (reason: string) => new SignerError('access/denied', { action: ISSUED_BY, reason })

/** Far more than rate limits let anybody give out within the life of a token. */
const LIST_MAX = 1_000_000

/**
 * The parts of a control plane that has break-glass. Its status and `/readyz` say while a token of this instance is good; of
 * one that was opened before a restart, too.
 */
export function withBreakGlass(parts: ControlParts, breakGlass: BreakGlassParts): ControlParts {
  const { tokens, readiness, about } = parts
  const seen = new Map<string, number>()
  let looked = false
  const look = async (now: number): Promise<void> => {
    const alive = looked ? [] : await tokens.list({ now, limit: LIST_MAX })
    looked = true
    for (const { id, issuedBy, grants, expiresAt } of alive)
      if (issuedBy === ISSUED_BY && readSealed(grants)?.instance === about.instance) seen.set(id, expiresAt)
  }
  const until = async (): Promise<number> => {
    const now = breakGlass.watch.time()
    await look(now)
    let last = 0
    for (const [id, end] of seen) {
      if (!(end > now) || (await tokens.isRevoked(id))) seen.delete(id)
      else last = Math.max(last, end)
    }
    return last
  }
  const glass: BreakGlass = {
    ...breakGlass,
    seen,
    holder: (known, asking) => breakGlassHolder(known, glass, asking),
  }
  return {
    ...parts,
    breakGlass: glass,
    readiness: async () => {
      const [checks, last] = await Promise.all([readiness(), until().catch(() => 0)])
      if (last === 0) return checks
      return [...checks, { name: ISSUED_BY, ok: true, detail: `in use until ${iso(last)}` }]
    },
  }
}
