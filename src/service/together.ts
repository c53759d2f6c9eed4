/** Several signatures for one token and one proof: judged together, signed one by one. */
import { randomId } from '../bytes/ids.ts'
import type { AuditActor } from '../domain/audit.ts'
import {
  type AnySignerError,
  type ErrorCode,
  type Finding,
  isSignerError,
  malformed,
  SignerError,
} from '../domain/errors.ts'
import { identify } from './admit.ts'
import { refuseEarly } from './records.ts'
import { readIdempotencyKey } from './request.ts'
import { type Judged, judge } from './judge.ts'
import type { Pending, Settled } from './release.ts'
import { sign } from './sign.ts'
import type { Asking, CallerLike, SignAnswer, SignDeps } from './types.ts'

export type { Judged } from './judge.ts'

/** As it came in: nothing decoded, nothing believed. */
export interface TogetherRequest extends Asking {
  readonly body: Uint8Array
  readonly idempotencyKey: string | undefined
}

export interface Wanted {
  /** Where it stands in the request, such as `keys[3]`. */
  readonly field: string
  readonly key: string
  /** Absent: the one that signs now. */
  readonly version?: number
  readonly payload: object
  readonly idempotencyKey: string
}

/** What all of them need: who asks is known, and stays the same. */
export interface Together<Caller extends CallerLike> {
  readonly deps: SignDeps<Caller>
  readonly caller: Caller
  readonly actor: AuditActor
  readonly asking: Asking
}

export type Signature = Settled<SignAnswer>

/** What is wrong with one of them, and not with us or with the moment. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'request/malformed',
  'request/too-large',
  'idempotency/mismatch',
  'payload/invalid',
  'payload/unsupported',
  'access/denied',
  'policy/denied',
  'policy/undecided',
  'key/unknown',
  'key/unsupported',
  'key/not-active',
  'key/mismatch',
])

/**
 * Who asks, and what for. Each of what is asked has the idempotency key of the whole with `/1`, `/2` … behind it.
 * @param most  of what may be asked for together
 * @param read  of the body what is wanted, as far as it can be told before any key is known
 * @throws as `sign` does before a payload is looked at, and what `read` throws; on record
 */
export async function arrive<Caller extends CallerLike, T>(
  deps: SignDeps<Caller>,
  request: TogetherRequest,
  most: number,
  read: (body: Uint8Array, idempotencyKey: string) => T,
): Promise<Together<Caller> & { readonly wanted: T }> {
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  const { caller, peer } = await onRecord(
    deps,
    request,
    () => actor,
    () =>
      identify(deps, request, found => {
        actor = found
      }),
  )
  const wanted = await onRecord(
    deps,
    request,
    () => actor,
    async () => {
      try {
        return read(request.body, readIdempotencyKey(request.idempotencyKey, `/${most}`.length))
      } catch (error) {
        await deps.gateway.admit(caller, peer, undefined) // otherwise its items are what is counted
        throw error
      }
    },
  )
  return { deps, caller, actor, asking: request, wanted }
}

/** A refusal of the whole is one record. */
async function onRecord<Caller extends CallerLike, T>(
  deps: SignDeps<Caller>,
  { requestId }: Asking,
  actor: () => AuditActor,
  body: () => Promise<T> | T,
): Promise<T> {
  try {
    return await body()
  } catch (error) {
    const about = { auditId: randomId(deps.random, 'a'), requestId, actor: actor(), key: '*', operation: 'sign' }
    throw refuseEarly(deps, about, error)
  }
}

/**
 * All or nothing: every one is understood, counted and decided before any key is touched, and every refusal is on record
 * as that of a signature. What has no room in a spend window, and what a key service refuses, shows only when it is signed.
 *
 * @throws `batch/refused` with a finding for each that may not be; `request/malformed` when they are for more than one
 *         network; what `check` throws, on record; what is not a verdict on one of them (`access/limited`,
 *         `store/unavailable` …) as it is, at once
 * @param check  what must hold between them
 */
export async function judgeTogether<Caller extends CallerLike>(
  together: Together<Caller>,
  wanted: readonly Wanted[],
  check: (judged: readonly Judged[]) => Promise<void> | void = () => {},
): Promise<readonly Judged[]> {
  const { deps, actor, asking } = together
  const judged = await judgeEach(together, wanted)
  await onRecord(
    deps,
    asking,
    () => actor,
    async () => {
      requireOneNetwork(judged, wanted)
      await check(judged)
    },
  )
  return judged
}

async function judgeEach<Caller extends CallerLike>(
  { deps, caller, asking }: Together<Caller>,
  wanted: readonly Wanted[],
): Promise<readonly Judged[]> {
  const known: SignDeps<Caller> = { ...deps, authenticate: async () => caller }
  const judged: Judged[] = []
  const findings: Finding[] = []
  for (const one of wanted) {
    try {
      judged.push(await judge(known, requestOf(asking, one)))
    } catch (error) {
      if (!isSignerError(error) || !VERDICTS.has(error.code)) throw error
      findings.push(findingOf(one, error))
    }
  }
  if (findings.length > 0) {
    const reason = `${findings.length} of ${wanted.length} are refused; nothing was signed`
    throw new SignerError('batch/refused', { reason, findings })
  }
  return judged
}

function requireOneNetwork(judged: readonly Judged[], wanted: readonly Wanted[]): void {
  const networks = judged.map(({ resolved: { key } }) => `${key.chain} ${key.network}`)
  const other = networks.findIndex(network => network !== networks[0])
  if (other < 0) return
  const reason = `is for a key of ${networks[other]}, and ${wanted[0]?.field} for one of ${networks[0]}`
  throw malformed(wanted[other]?.field ?? '', reason, 'send what is for another network in a request of its own')
}

const requestOf = (asking: Asking, { key, version, payload, idempotencyKey }: Wanted) => ({
  ...asking,
  key,
  ...(version === undefined ? {} : { version }),
  idempotencyKey,
  body: new TextEncoder().encode(JSON.stringify(payload)),
})

const findingOf = ({ field, key }: Wanted, { code, detail }: AnySignerError): Finding => ({
  field,
  key,
  code,
  ...('rule' in detail ? { rule: detail.rule } : {}),
  ...('reason' in detail ? { reason: detail.reason } : {}),
})

/**
 * One after the other, so that what is counted is counted in their order. Each is a signature by itself: decided once more,
 * recorded and answered, and none depends on another.
 * @param judged  what `judgeTogether` gave: it was counted against the limits then, and is not counted again
 * @returns for `leaveTogether`: the last may be signed long after the first
 */
export async function signTogether<Caller extends CallerLike>(
  { deps, caller }: Together<Caller>,
  judged: readonly Judged[],
): Promise<readonly Pending<SignAnswer>[]> {
  const signatures: Pending<SignAnswer>[] = []
  for (const { request, headers } of judged) {
    const known: SignDeps<Caller> = {
      ...deps,
      authenticate: async () => caller,
      gateway: { ...deps.gateway, admit: async () => headers },
    }
    signatures.push(
      await sign(known, request).then(
        released => ({ released }),
        error => ({ refused: isSignerError(error) ? error : deps.incident(error) }),
      ),
    )
  }
  return signatures
}
