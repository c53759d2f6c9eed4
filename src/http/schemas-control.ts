/** Bodies, queries and answers of the control plane. The same schemas refuse what does not fit and write docs/openapi-control.json. */
import { z } from 'zod'
import { BREAK_GLASS_ACTIONS, BREAK_GLASS_MINUTES_MAX } from '../service/control/break-glass.ts'
import { ROLES } from '../domain/admins.ts'
import { KEY_NAME } from '../domain/key.ts'
import { explanation } from './schemas-explain.ts'

const text = (max: number, description: string) => z.string().min(1).max(max).describe(description)
const time = (description: string) => z.iso.datetime({ offset: true }).describe(description)
const hash = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe(description)
const roles = z
  .array(z.enum(ROLES))
  .min(1)
  .max(ROLES.length)
  .describe('No set of roles may sign, approve and make policy.')
const document = z.record(z.string(), z.unknown()).describe('A policy document, see docs/policy.md.')
const payload = z
  .looseObject({ type: text(64, 'As for a signature, for example stellar-transaction.') })
  .describe('The body of a sign request.')
const printable = /^[\x21-\x7e]+$/

export const keyName = z
  .string()
  .regex(KEY_NAME, 'is not a key name: use 1 to 64 letters, digits, and _ . - after the first')
/** `treasury/3`, as two members of a path. */
export const keyVersion = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\/[1-9][0-9]{0,8}$/, 'is not the name of a key and the number of a version')
export const address = z.string().min(1).max(64)
export const changeId = z.string().regex(/^c_[0-9a-f]{32}$/, 'is not the id of a change')
export const tokenId = z.string().max(255).regex(printable, 'is not the id of a token')

export const ChallengeBody = z.strictObject({ address: text(64, 'G… or 0x…: who wants to log in.') })
export const ChallengeAnswer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sep-10'),
    transaction: z.string().describe('Sign it and send it back whole.'),
    networkPassphrase: z.string(),
  }),
  z.strictObject({ kind: z.literal('eip-4361'), message: z.string().describe('Sign it as it stands (EIP-191).') }),
])
export const TokenBody = z.union([
  z.strictObject({ transaction: text(8_192, 'SEP-10: the challenge with one more signature.') }),
  z.strictObject({
    message: text(8_192, 'EIP-4361: the challenge as it came.'),
    signature: text(132, '0x and 65 bytes in hex.'),
  }),
])
export const SessionAnswer = z.strictObject({
  token: z.string(),
  tokenType: z.literal('Bearer'),
  expiresAt: time('At most 15 minutes from now.'),
  roles: z.array(z.enum(ROLES)),
})

const minutes = z.int().min(1).max(BREAK_GLASS_MINUTES_MAX)
const breakGlassActions = z.array(z.enum(BREAK_GLASS_ACTIONS)).min(1).max(BREAK_GLASS_ACTIONS.length)
const versionNumber = z.int().min(1)
const namedVersion = z.strictObject({ key: keyName, version: versionNumber })
export const BreakGlassBody = z.strictObject({
  holder: text(64, 'G… or 0x…: who will use the token. Signs the statement too, and is not counted in the quorum.'),
  reason: text(500, 'Why, in one line; stands in every record.'),
  actions: breakGlassActions.describe('What it may do, and nothing else.'),
  policyAdmin: text(64, 'G… or 0x…: the one address that restore-policy-admin lets in.').optional(),
  keyVersion: namedVersion.describe('The one version that unrevoke-key leads back into quarantine.').optional(),
  minutes: minutes.describe('Life of the token; as configured unless told.').optional(),
})
export const BreakGlassAnswer = z.strictObject({
  text: z.string().describe('Exactly what everybody signs.'),
  quorum: z.int(),
  custodians: z.array(z.string()),
  signBy: time('No signature is taken after this.'),
  minutes,
})
export const BreakGlassOpenBody = z.strictObject({
  text: text(8_192, 'The statement as it came.'),
  signatures: z
    .array(
      z.strictObject({
        address: text(64, 'Of a custodian or the holder, in its one spelling.'),
        signature: text(200, 'Over `text`: SEP-53 in base64 (G…), EIP-191 in 0x hex (0x…).'),
      }),
    )
    .min(1)
    .max(64),
})
export const BreakGlassToken = z.strictObject({
  token: z.string().describe('Shown once and not kept.'),
  tokenType: z.literal('Bearer'),
  id: z.string().describe('To take it back by: DELETE /v1/tokens/{token}.'),
  holder: z.string(),
  actions: breakGlassActions,
  policyAdmin: z.string().optional(),
  keyVersion: namedVersion.optional(),
  expiresAt: time('At most one hour from now, whatever the clock does.'),
})

const Key = z.strictObject({
  name: z.string(),
  chain: z.string(),
  network: z.string(),
  address: z.string(),
  account: z.string().describe('What it signs for: on Stellar not always its address.'),
  publicKey: z.string().describe('Base64 of the raw public key.'),
  scheme: z.string(),
  version: z.int(),
  state: z.string(),
  provider: z.string(),
  custody: z.string(),
  policyHash: hash('SHA-256 of the policy in force.'),
})
export const KeyAnswer = Key
export const RevokeBody = z.strictObject({
  version: versionNumber.optional().describe('This one; without it, all versions of the key.'),
  reason: text(500, 'Why, in one line; stands in the record.'),
})
export const UnrevokeBody = z.strictObject({ version: versionNumber.describe('As in the statement.') })
export const UnrevokedAnswer = z.strictObject({
  key: z.string(),
  version: z.int(),
  state: z.string().describe('quarantined: it signs nothing until it is restored.'),
})
export const RevocationAnswer = z.strictObject({
  key: z.string(),
  revoked: z.array(z.int()).describe('Versions that are revoked now.'),
  now: z.array(z.int()).describe('Those of them that this request revoked.'),
  places: z
    .array(
      z.strictObject({
        version: z.int(),
        binding: z.string(),
        provider: z.string(),
        outcome: z
          .enum(['disabled', 'left', 'failed'])
          .describe('Disabled at its key service; left, since others need what lies there; or asked for in vain.'),
        reason: z.string().optional(),
      }),
    )
    .describe('What became of each place of these versions. In every case nothing is signed with it here.')
    .optional(),
})
export const RestoreQuery = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, 'is not the number of a version')
    .transform(Number)
    .pipe(z.int())
    .describe('This one, where several versions are in quarantine.')
    .optional(),
})
const step = z.enum(['begin', 'open', 'revert', 'cutover', 'abandon'])
export const RotateBody = z
  .strictObject({
    step: step.describe(
      'Make the next version; have it sign; take that back; retire the old one; give the new one up.',
    ),
    provider: text(64, 'With begin: another key service than the one of the newest version.').optional(),
    newAccount: z
      .boolean()
      .describe(
        'With begin: the new version signs for its own address. With open: again, for callers get that account now.',
      )
      .optional(),
  })
  .refine(({ step, provider }) => step === 'begin' || provider === undefined, {
    message: 'is for begin',
    path: ['provider'],
  })
  .refine(({ step, newAccount }) => step === 'begin' || step === 'open' || newAccount === undefined, {
    message: 'is for begin and open',
    path: ['newAccount'],
  })
export const RotationAnswer = z.strictObject({
  key: z.string(),
  chain: z.string(),
  network: z.string(),
  phase: z.enum(['none', 'waiting', 'overlap']).describe('A version waits for its turn; or two may sign.'),
  versions: z.array(
    z.strictObject({
      version: z.int(),
      state: z.string(),
      address: z.string(),
      account: z.string(),
      provider: z.string(),
      custody: z.string(),
      times: z.record(z.string(), z.string()).describe('When it came into its states.'),
    }),
  ),
  next: z.array(step).describe('Steps that may come now.'),
  notes: z.array(z.string()).describe('What stands in the way, or is to be done elsewhere first.'),
})
export const RotatedAnswer = RotationAnswer.extend({
  changed: z.boolean().describe('False: it was done before.').optional(),
})
export const KeysAnswer = z.strictObject({ keys: z.array(Key) })
const Place = z.strictObject({
  id: z.string(),
  provider: z.string(),
  custody: z.string(),
  reference: z.string(),
  suspended: z.string().optional(),
})
export const KeyAdminAnswer = Key.extend({
  policy: z.unknown(),
  createdAt: time('When it was registered.'),
  versions: z.array(
    z.strictObject({
      version: z.int(),
      state: z.string(),
      scheme: z.string(),
      address: z.string(),
      account: z.string(),
      publicKey: z.string(),
      bindings: z.array(Place),
    }),
  ),
})
export const PolicyAnswer = z.strictObject({
  key: z.string(),
  policyHash: hash('Of this policy.'),
  policy: z.unknown(),
})

export const TokenWishBody = z.strictObject({
  subject: text(255, 'Who the token is for; stands in every record.'),
  seconds: z.int().min(1).max(900).optional().describe('Life; 900 unless told.'),
  scopes: z.array(text(80, 'sign:NAME, explain:NAME, read:NAME, or * for every key.')).min(1).max(64),
  constraints: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Networks, operations, maxValue, cidrs, window, limit.'),
  confirmation: z
    .union([
      z.strictObject({ jkt: text(43, 'RFC 9449 §6.1: thumbprint of the key that signs requests.') }),
      z.strictObject({ 'x5t#S256': text(43, 'RFC 8705 §3.1: digest of the client certificate.') }),
      z.strictObject({ jwk: z.record(z.string(), z.unknown()).describe('RFC 7800: that key itself, public.') }),
    ])
    .optional()
    .describe('Who may show the token; a sign scope needs it.'),
})
const Grant = {
  id: z.string(),
  subject: z.string(),
  issuedBy: z.string(),
  issuedAt: time('When.'),
  expiresAt: time('Until when.'),
  grants: z.unknown(),
  revokedAt: time('When it was taken back.').optional(),
}
export const IssuedAnswer = z.strictObject({
  token: z.string().optional().describe('Shown once and not kept: absent when a request is replayed.'),
  tokenType: z.literal('Bearer'),
  ...Grant,
})
export const TokensAnswer = z.strictObject({ tokens: z.array(z.strictObject(Grant)) })
export const RevokedAnswer = z.strictObject({ id: z.string(), revoked: z.literal(true) })

export const AdminBody = z.strictObject({
  address: text(64, 'G… or 0x…'),
  name: text(120, 'For people.').regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u, 'holds a control character'),
  roles,
})
export const AdminChangeBody = z
  .strictObject({ roles: roles.optional(), active: z.boolean().optional() })
  .refine(change => change.roles !== undefined || change.active !== undefined, 'changes nothing: give roles or active')
export const AdminAnswer = z.strictObject({
  address: z.string(),
  name: z.string(),
  roles: z.array(z.enum(ROLES)),
  active: z.boolean(),
  createdAt: time('When it was added.'),
  changedAt: time('Sessions from before are over.'),
})
export const AdminsAnswer = z.strictObject({ admins: z.array(AdminAnswer) })

const Problem = z.strictObject({ path: z.string(), problem: z.string(), fix: z.string() })
export const PolicyBody = z.strictObject({ policy: document })
export const CheckAnswer = z.strictObject({
  valid: z.boolean(),
  policyHash: hash('Of its canonical form.').optional(),
  canonical: z.string().optional(),
  warnings: z
    .array(z.strictObject({ code: z.string(), path: z.string(), sentence: z.string() }))
    .optional()
    .describe('Allowed to be written, and often not what was meant.'),
  problems: z.array(Problem).optional(),
})
export const ExplainBody = z.strictObject({ payload, policy: document.optional() })
export const ExplainAnswer = explanation(hash('Of the policy that was asked.'))
const direction = z.enum(['tightening', 'loosening']).describe('Tightening: nothing is allowed that was not before.')
export const DiffAnswer = z.strictObject({
  key: z.string(),
  fromHash: hash('In force.'),
  toHash: hash('Proposed.'),
  direction,
  changes: z.array(z.strictObject({ path: z.string(), change: z.enum(['more', 'less']), sentence: z.string() })),
})

export const ProposeBody = z.strictObject({
  policy: document,
  tests: z
    .array(z.record(z.string(), z.unknown()))
    .min(1)
    .max(1_000)
    .describe('Golden tests: payloads and what the policy must say.'),
  fromHash: hash('Refuse unless this policy is in force.').optional(),
})
const Change = z.strictObject({
  id: z.string(),
  key: z.string(),
  state: z.enum(['proposed', 'activated', 'withdrawn', 'expired']),
  direction,
  fromHash: hash('Replaces this policy and no other.'),
  toHash: hash('Puts this one in force.'),
  policy: z.unknown(),
  proposedBy: z.string(),
  proposedAt: time('When.'),
  expiresAt: time('Nobody can activate it after this.'),
  approvals: z.array(z.strictObject({ address: z.string(), signature: z.string(), at: time('When.') })),
})
export const ChangeAnswer = Change.extend({
  goldenTests: z.array(z.unknown()).describe('As proposed: they must pass again when it is put in force.'),
  text: z.string().describe('Exactly what an approver signs.'),
})
export const ProposedAnswer = ChangeAnswer.extend({
  tests: z.array(z.strictObject({ name: z.string(), passed: z.boolean(), sentence: z.string() })).optional(),
})
export const ChangesAnswer = z.strictObject({ changes: z.array(Change) })
export const ApprovalBody = z.strictObject({
  signature: text(200, 'Over `text` of the change: SEP-53 in base64 (G…), EIP-191 in 0x hex (0x…).'),
})

const whole = (most: number, description: string, start: string) =>
  z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/, 'is not a whole number')
    .default(start)
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .describe(description)
const moment = (description: string) =>
  z.iso
    .datetime({ offset: true })
    .transform(value => Date.parse(value))
    .describe(description)
export const AuditQuery = z.strictObject({
  seq: whole(Number.MAX_SAFE_INTEGER, 'First record looked at; `next` of the answer before.', '1'),
  limit: whole(1_000, 'Records in the answer at most.', '100'),
  from: moment('RFC 3339; at or after.').optional(),
  to: moment('RFC 3339; before.').optional(),
  key: keyName.optional(),
  subject: text(255, 'Subject of a token, or address of an administrator.').optional(),
  result: z
    .enum([
      'released',
      'refused',
      'failed',
      'interrupted',
      'allow',
      'deny',
      'undecided',
      'accepted',
      'done',
      'replayed',
    ])
    .optional(),
  operation: text(64, 'sign, read, or the name of an event such as admins.add.').optional(),
})
export const AuditAnswer = z.strictObject({
  records: z.array(z.looseObject({ seq: z.int(), time: z.string(), kind: z.string(), auditId: z.string() })),
  scanned: z.int().describe('Records looked at.'),
  next: z.int().optional().describe('Go on here; absent at the end of the log.'),
})

export const StatusAnswer = z.strictObject({
  version: z.string(),
  environment: z.string(),
  instance: z.string(),
  time: time('Of this instance.'),
  ready: z.boolean(),
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), detail: z.string().optional() })),
  audit: z.strictObject({ lastSeq: z.int() }),
  versions: z.record(z.string(), z.int()).describe('Key versions by state.'),
  admins: z.strictObject({ all: z.int(), active: z.int() }),
})
