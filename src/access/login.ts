/**
 * Login of administrators: a challenge for an address, and the signed answer to it. Stellar addresses sign a transaction
 * (SEP-10), EVM addresses a text (ERC-4361).
 *
 * Who may log in is looked up last, when the signature and the first use are settled. So a challenge for a stranger takes
 * the same steps and looks the same, and only the holder of an address learns whether it is listed.
 */
import type { Admin, AdminStore, ChallengeStore } from '../domain/admins.ts'
import { SignerError, malformed } from '../domain/errors.ts'
import type { Clock, Random } from '../domain/ports.ts'
import { type AddressKind, readAddress } from './address-proof.ts'
import { type Eip4361Rules, makeEip4361Challenge, readEip4361Answer } from './eip4361.ts'
import { loginProblems } from './login-rules.ts'
import { makeSep10Challenge, readSep10Answer, type Sep10Rules, type Sep10Signer } from './sep10.ts'

export interface LoginRules {
  /** Absent: Stellar addresses cannot log in. */
  readonly sep10?: Sep10Rules & { readonly sign: Sep10Signer }
  /** Absent: EVM addresses cannot log in. */
  readonly eip4361?: Eip4361Rules
  /** How long a challenge can be answered, 1 to 900; 300 unless told. */
  readonly challengeSeconds?: number
}

export interface LoginDeps extends LoginRules {
  readonly admins: Pick<AdminStore, 'find'>
  readonly challenges: ChallengeStore
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  /** Makes the session token, from `sessionClaims`. */
  readonly issue: (admin: Admin) => Promise<string>
}

/** Names of the fields as SEP-10 has them for the first, so that wallets can be pointed here. */
export type LoginChallenge =
  | { readonly kind: 'sep-10'; readonly transaction: string; readonly networkPassphrase: string }
  | { readonly kind: 'eip-4361'; readonly message: string }

export interface LoginAnswer {
  readonly admin: Admin
  readonly token: string
  readonly kind: LoginChallenge['kind']
  /** Names the challenge in the audit log. */
  readonly challenge: string
}

export interface Login {
  /**
   * @param body  `{address}`, nothing else. Every good address gets a challenge, listed or not.
   * @throws `request/malformed`, `login/refused` when this kind of address cannot log in here, `store/unavailable`, and
   *         what the signer of SEP-10 throws
   */
  challenge(body: unknown): Promise<LoginChallenge>
  /**
   * @param body  `{transaction}` or `{message, signature}`, nothing else.
   * @throws `request/malformed`, `login/refused`, `store/unavailable`, and what `issue` throws
   */
  answer(body: unknown): Promise<LoginAnswer>
}

export const LOGIN_REASONS = {
  kind: 'this kind of address cannot log in here',
  used: 'the challenge was not issued here, has expired or was answered before: ask for another one',
  address: 'this address may not log in',
} as const

const CHALLENGE_SECONDS = 300
const TEXT_CHARACTERS_MAX = 8192

/** @throws `config/invalid` with every problem of the rules */
export function createLogin(deps: LoginDeps): Login {
  const { sep10, eip4361, challengeSeconds: seconds = CHALLENGE_SECONDS, challenges, clock, random } = deps
  const problems = loginProblems(deps, seconds)
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })

  async function challengeFor(address: string, kind: AddressKind): Promise<LoginChallenge> {
    const now = clock.now()
    if (kind === 'stellar') {
      if (sep10 === undefined) throw refused('kind')
      const { networkPassphrase, sign } = sep10
      const made = await makeSep10Challenge(sep10, address, { now, seconds, sign, nonce: random.bytes(48) })
      await challenges.issue(`sep-10:${made.id}`, made.expiresAt)
      return { kind: 'sep-10', transaction: made.transaction, networkPassphrase }
    }
    if (eip4361 === undefined) throw refused('kind')
    const made = makeEip4361Challenge(eip4361, address, { now, seconds, nonce: random.bytes(16) })
    await challenges.issue(`eip-4361:${made.id}`, made.expiresAt)
    return { kind: 'eip-4361', message: made.message }
  }

  async function prove(answer: Answer, now: number): Promise<{ address: string; challenge: string }> {
    if (answer.kind === 'sep-10') {
      if (sep10 === undefined) throw refused('kind')
      const { account, id } = await readSep10Answer(sep10, answer.transaction, now)
      return { address: account, challenge: `sep-10:${id}` }
    }
    if (eip4361 === undefined) throw refused('kind')
    const { address, id } = await readEip4361Answer(eip4361, answer.message, answer.signature, now)
    return { address, challenge: `eip-4361:${id}` }
  }

  return {
    async challenge(body) {
      const { address, kind } = readRequest(body)
      // The key of the server is no administrator, and a server that helps itself in would be a hole (SEP-10).
      if (address === sep10?.serverAccount) throw refused('kind')
      return challengeFor(address, kind)
    },
    async answer(body) {
      const answer = readAnswer(body)
      const now = clock.now()
      const { address, challenge } = await prove(answer, now)
      // Only a good signature uses a challenge up: who cannot sign cannot take it from who can.
      if (!(await challenges.use(challenge, now))) throw refused('used')
      const admin = await deps.admins.find(address)
      if (admin === undefined || admin.address !== address || !admin.active) throw refused('address')
      return { admin, token: await deps.issue(admin), kind: answer.kind, challenge }
    },
  }
}

type Answer =
  | { readonly kind: 'sep-10'; readonly transaction: string }
  | { readonly kind: 'eip-4361'; readonly message: string; readonly signature: string }

function readRequest(body: unknown): { kind: AddressKind; address: string } {
  const { address } = readTexts(body, ['address'])
  const known = readAddress(address ?? '')
  if (known !== undefined) return known
  throw malformed(
    'address',
    'is not an address',
    'Send a G… address, or 0x… in lower case or with the checksum of EIP-55',
  )
}

function readAnswer(body: unknown): Answer {
  if (isObject(body) && 'transaction' in body) {
    const { transaction = '' } = readTexts(body, ['transaction'])
    return { kind: 'sep-10', transaction }
  }
  const { message = '', signature = '' } = readTexts(body, ['message', 'signature'])
  return { kind: 'eip-4361', message, signature }
}

/** An object with exactly these fields, each a text. */
function readTexts(body: unknown, names: readonly string[]): Readonly<Record<string, string>> {
  const fix = `Send a JSON object with ${names.join(' and ')}`
  if (!isObject(body)) throw malformed('body', 'is not an object', fix)
  const stranger = Object.keys(body).find(name => !names.includes(name))
  if (stranger !== undefined) throw malformed(stranger.slice(0, 64), 'is not a field of this request', fix)
  for (const name of names) {
    const value = body[name]
    if (typeof value !== 'string') throw malformed(name, 'is not a text', fix)
    if (value.length > TEXT_CHARACTERS_MAX)
      throw malformed(name, `is longer than ${TEXT_CHARACTERS_MAX} characters`, fix)
  }
  return body as Readonly<Record<string, string>>
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const refused = (reason: keyof typeof LOGIN_REASONS) =>
  new SignerError('login/refused', { reason: LOGIN_REASONS[reason] })
