import type { Clock } from '../core/clock.ts'
import type { Fault, Faults } from '../core/faults.ts'
import type { Latency } from '../core/latency.ts'
import type { Random } from '../core/random.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { principalOf } from './access.ts'
import { AwsError } from './errors.ts'
import { decide, fits, type PolicyDocument } from './policy.ts'
import { checkWebIdentity, type Role } from './roles.ts'
import { policyDocument } from './seed.ts'
import { type Sessions, uniqueId } from './sessions.ts'
import { integer, optional, readInput, required, string, struct } from './shapes.ts'
import type { Credential } from './sigv4.ts'
import { checkVersion, readForm, stsFailure, stsFaultReply, stsSuccess, toStsError } from './sts-wire.ts'
import { damageReply } from './wire.ts'

export interface StsOptions {
  readonly accountId: string
  readonly clock: Clock
  readonly random: () => Random
  /** Absent: any role of any name can be assumed and may do everything, save under `strict`. */
  readonly roles: readonly Role[] | undefined
  readonly strict: boolean
  readonly sessions: Sessions
  readonly faults: Faults
  readonly latency: () => Latency
  readonly authenticate: (request: Incoming) => Credential
}

/** What the face writes into its trail and counters. */
export interface StsCall {
  readonly requestId: string
  name: string
  credential: Credential | undefined
  input: Record<string, unknown> | undefined
}

const HOUR = 3_600
const arn = required(string({ min: 20, max: 2048, pattern: /^[\t\n\r\u0020-\u007E\u0085\u00A0-\uFFFF]+$/ }))
const sessionName = required(string({ min: 2, max: 64, pattern: /^[\w+=,.@-]*$/ }))
const policy = optional(string({ min: 1, max: 2048 }))
const assumeShape = struct({
  RoleArn: arn,
  RoleSessionName: sessionName,
  DurationSeconds: optional(integer(900, 12 * HOUR)),
  ExternalId: optional(string({ min: 2, max: 1224, pattern: /^[\w+=,.@:/-]*$/ })),
  SourceIdentity: optional(string({ min: 2, max: 64, pattern: /^[\w+=,.@-]*$/ })),
  Policy: policy,
})
const webIdentityShape = struct({
  RoleArn: arn,
  RoleSessionName: sessionName,
  DurationSeconds: optional(integer(900, 12 * HOUR)),
  WebIdentityToken: required(string({ min: 4, max: 20_000, sensitive: true })),
  Policy: policy,
})
const sessionShape = struct({ DurationSeconds: optional(integer(900, 36 * HOUR)) })

/** Members that change what is asked and are not played: better refused than passed over. */
const NOT_PLAYED = ['PolicyArns', 'SerialNumber', 'TokenCode', 'ProviderId', 'ProvidedContexts']

type Result = Parameters<typeof stsSuccess>[1]

export function createSts(options: StsOptions) {
  const { clock, sessions, accountId } = options

  async function answer(request: Incoming, call: StsCall): Promise<Reply> {
    const form = readForm(request)
    call.name = form.get('Action') ?? ''
    checkVersion(form)
    const operation = Object.hasOwn(ACTIONS, call.name) ? ACTIONS[call.name] : undefined
    if (operation === undefined) {
      throw new AwsError('InvalidAction', `Could not find operation ${call.name} for version ${form.get('Version')}`)
    }
    // A web identity is all there is: these requests carry no signature.
    if (operation !== withWebIdentity) call.credential = options.authenticate(request)
    call.input = inputOf(form)
    const faults = options.faults.match(call.name, [])
    const { freshConnection } = request
    const ms = options.latency().sample({ operation: call.name, keys: [], freshConnection, factor: 1 })
    if (ms > 0) await clock.sleep(ms)
    const before = await struck(faults, 'before', call.requestId)
    if (before !== undefined) return before
    const result = operation(call.input, call.credential)
    const after = await struck(faults, 'after', call.requestId)
    return (
      after ?? damageReply(stsSuccess(call.name, result, call.requestId, clock.now()), undefined, faults, clock.now())
    )
  }

  async function struck(faults: readonly Fault[], when: string, requestId: string): Promise<Reply | undefined> {
    for (const fault of faults) {
      if ((('when' in fault && fault.when) || 'before') !== when) continue
      if (fault.kind === 'delay') await clock.sleep(fault.ms)
      const reply = stsFaultReply(fault, requestId, clock.now())
      if (reply !== undefined) return reply
    }
    return undefined
  }

  function callerIdentity(_input: Record<string, unknown>, credential: Credential | undefined): Result {
    const principal = principalOf(credential!, accountId)
    const session = principal.split(':assumed-role/')[1]?.split('/')
    const UserId =
      session === undefined
        ? uniqueId('AIDA', principal)
        : `${uniqueId('AROA', credential!.roleArn ?? principal)}:${session[1]}`
    return { UserId, Account: principal.split(':')[4] ?? accountId, Arn: principal }
  }

  function assume(raw: Record<string, unknown>, credential: Credential | undefined): Result {
    const input = readInput(assumeShape, raw)
    checkRoleArn(input.RoleArn)
    const caller = principalOf(credential!, accountId)
    const role = roleOf(input.RoleArn)
    const action = 'sts:AssumeRole'
    const context = new Map(input.ExternalId === undefined ? [] : [['sts:externalid', input.ExternalId]])
    const trusted =
      role !== undefined &&
      (role.trust?.principals === undefined ||
        role.trust.principals.some(pattern => trusts(pattern, credential!, caller))) &&
      (role.trust?.externalId === undefined || role.trust.externalId === input.ExternalId)
    if (!trusted || decide(credential!, { action, resource: input.RoleArn, context }) !== 'allowed') {
      throw new AwsError(
        'AccessDenied',
        `User: ${caller} is not authorized to perform: ${action} on resource: ${input.RoleArn}`,
      )
    }
    const seconds = durationOf(input.DurationSeconds, role)
    if (credential!.roleArn !== undefined && seconds > HOUR) {
      throw new AwsError(
        'ValidationError',
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      )
    }
    return {
      ...sessionOf(role, input.RoleSessionName, seconds, input.Policy),
      SourceIdentity: input.SourceIdentity,
    }
  }

  function withWebIdentity(raw: Record<string, unknown>): Result {
    const input = readInput(webIdentityShape, raw)
    checkRoleArn(input.RoleArn)
    const role = options.roles?.find(each => each.arn === input.RoleArn)
    const identity = checkWebIdentity(input.WebIdentityToken, role, clock.now())
    return {
      ...sessionOf(role!, input.RoleSessionName, durationOf(input.DurationSeconds, role!), input.Policy),
      SubjectFromWebIdentityToken: identity.subject,
      Audience: identity.audience,
      Provider: identity.issuer,
    }
  }

  function sessionToken(raw: Record<string, unknown>, credential: Credential | undefined): Result {
    if (credential!.temporary === true) {
      throw new AwsError('AccessDenied', 'Cannot call GetSessionToken with session credentials')
    }
    const seconds = readInput(sessionShape, raw).DurationSeconds ?? 12 * HOUR
    const principalArn = principalOf(credential!, accountId)
    return { Credentials: credentialsOf({ principalArn, rights: rightsOf(credential!) }, seconds) }
  }

  function sessionOf(role: Role, name: string, seconds: number, narrowed: string | undefined): Result {
    const [, , , , account, path = ''] = role.arn.split(':')
    // A session is named without the path that the role may lie in.
    const principalArn = `arn:aws:sts::${account}:assumed-role/${path.split('/').at(-1)}/${name}`
    const sessionPolicies = narrowed === undefined ? undefined : [readPolicy(narrowed)]
    const facts = { principalArn, roleArn: role.arn, rights: rightsOf(role), sessionPolicies }
    return {
      Credentials: credentialsOf(facts, seconds),
      AssumedRoleUser: { AssumedRoleId: `${uniqueId('AROA', role.arn)}:${name}`, Arn: principalArn },
      PackedPolicySize: narrowed === undefined ? undefined : Math.ceil((100 * narrowed.length) / 2048),
    }
  }

  function credentialsOf(facts: Omit<Parameters<Sessions['issue']>[1], 'expiresAtMs'>, seconds: number): Result {
    // The service counts in whole seconds
    const expiresAtMs = Math.floor(clock.now() / 1000 + seconds) * 1000
    const session = sessions.issue(options.random(), { ...facts, expiresAtMs })
    return {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: session.expiresAt!.replace('.000Z', 'Z'),
    }
  }

  function roleOf(roleArn: string): Role | undefined {
    const known = options.roles?.find(role => role.arn === roleArn)
    return known ?? (options.roles === undefined && !options.strict ? { arn: roleArn } : undefined)
  }

  const ACTIONS: Readonly<
    Record<string, (input: Record<string, unknown>, credential: Credential | undefined) => Result>
  > = {
    AssumeRole: assume,
    AssumeRoleWithWebIdentity: withWebIdentity,
    GetCallerIdentity: callerIdentity,
    GetSessionToken: sessionToken,
  }

  return {
    async handle(request: Incoming, call: StsCall): Promise<{ reply: Reply; error?: AwsError }> {
      try {
        return { reply: await answer(request, call) }
      } catch (problem) {
        const known = problem instanceof AwsError ? problem : new AwsError('InternalFailure')
        const error = toStsError(known, call.name !== 'AssumeRoleWithWebIdentity')
        return { reply: stsFailure(error, call.requestId, clock.now()), error }
      }
    },
  }
}

const rightsOf = ({ allow, deny, policies }: Pick<Credential, 'allow' | 'deny' | 'policies'>) => ({
  allow,
  deny,
  policies,
})

/** Trust names users, roles (and with them every session made from them), or whole accounts. */
const trusts = (pattern: string, { roleArn }: Credential, caller: string): boolean =>
  [caller, ...(roleArn === undefined ? [] : [roleArn]), `arn:aws:iam::${caller.split(':')[4]}:root`].some(name =>
    fits(pattern, name),
  )

/** @throws ValidationError for what is not played or no number. */
function inputOf(form: URLSearchParams): Record<string, unknown> {
  const input: Record<string, unknown> = {}
  for (const [name, value] of form) {
    const member = name.split('.')[0]!
    if (NOT_PLAYED.includes(member)) throw new AwsError('ValidationError', `local-kms does not play ${member}`)
    if (member !== name || member === 'Action' || member === 'Version') continue
    input[name] = name === 'DurationSeconds' && /^-?\d{1,9}$/.test(value) ? Number(value) : value
  }
  return input
}

function checkRoleArn(text: string): void {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text)) return
  throw new AwsError('ValidationError', `${text} is invalid`)
}

function durationOf(asked: number | undefined, role: Role): number {
  const seconds = asked ?? HOUR
  if (seconds <= (role.maxSessionSeconds ?? HOUR)) return seconds
  throw new AwsError(
    'ValidationError',
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  )
}

function readPolicy(text: string): PolicyDocument {
  try {
    return policyDocument.parse(JSON.parse(text))
  } catch {
    throw new AwsError('MalformedPolicyDocument', 'Syntax errors in policy.')
  }
}
