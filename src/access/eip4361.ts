/**
 * Login of an EVM address by a signed text (ERC-4361, Sign-In with Ethereum): made here, signed by the address with
 * EIP-191, read back by the grammar, and every term held against what this service would have written.
 *
 * Only accounts with a key: a contract account would have to be asked on its chain (EIP-1271), which is not done.
 */
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError } from '../domain/errors.ts'
import { provesAddress } from './address-proof.ts'
import {
  readSignInMessage,
  type SignInMessage,
  type SignInPart,
  timeOf,
  writeSignInMessage,
} from './sign-in-message.ts'

export interface Eip4361Rules {
  /** Host, perhaps with a port, that a wallet compares with the page it is on. */
  readonly domain: string
  /** What the login is for. */
  readonly uri: string
  /** One line of printable ASCII that the person reads before signing. */
  readonly statement: string
  /** EIP-155; the first one is written into challenges. */
  readonly chainIds: readonly number[]
}

/** Stable texts: programs may compare them, and none holds anything of the answer. */
export const EIP4361_REASONS = {
  grammar: 'the message is not in the form of ERC-4361',
  scheme: 'the message names a scheme',
  domain: 'the message is for another domain',
  uri: 'the message is for another URI',
  statement: 'the message makes another statement',
  chainId: 'the message names a chain that is not accepted here',
  issuedAt: 'the message says it was issued in the future',
  endless: 'the message does not say when it expires',
  expired: 'the message has expired',
  life: 'the message is valid for longer than 900 seconds',
  notBefore: 'the message is not valid yet',
  requestId: 'the message names a request id',
  resources: 'the message lists resources',
  signature: 'the signature is not that of the address',
} as const
type Reason = Exclude<keyof typeof EIP4361_REASONS, 'grammar'>

export const EIP4361_MS_MAX = 900_000
/** How far the clock of the instance that issued a message may be ahead. */
const SKEW_MS = 30_000

export interface Eip4361Challenge {
  readonly message: string
  /** SHA-256 of the message, hex. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** @param options.nonce  16 random bytes. */
export function makeEip4361Challenge(
  rules: Eip4361Rules,
  address: string,
  options: { readonly now: number; readonly seconds: number; readonly nonce: Uint8Array },
): Eip4361Challenge {
  const { now, seconds, nonce } = options
  const issued = Math.floor(now / 1000) * 1000
  const expiresAt = issued + seconds * 1000
  const message = writeSignInMessage({
    domain: rules.domain,
    address,
    statement: rules.statement,
    uri: rules.uri,
    version: '1',
    chainId: String(rules.chainIds[0]),
    nonce: toHex(nonce),
    issuedAt: writeTime(issued),
    expirationTime: writeTime(expiresAt),
  })
  return { message, id: idOf(message), expiresAt }
}

const writeTime = (at: number): string => new Date(at).toISOString()

/** Of the whole text, so that nothing in it can differ from what was issued under its nonce. */
const idOf = (message: string): string => toHex(sha256(new TextEncoder().encode(message)))

/**
 * Who has signed this message. That it was issued and is used for the first time is for the caller to ask of its store.
 * @param signature  `0x` and 65 bytes in lower-case hex, v 27 or 28, low s.
 * @returns address as in the message and the id that `makeEip4361Challenge` gave it.
 * @throws `login/refused` and nothing else, with one of `EIP4361_REASONS`; for `grammar` the part is named behind it
 */
export async function readEip4361Answer(
  rules: Eip4361Rules,
  text: string,
  signature: string,
  now: number,
): Promise<{ readonly address: string; readonly id: string }> {
  const reading = readSignInMessage(text)
  if (reading.kind === 'malformed') throw malformed(reading.part)
  const { message } = reading
  checkTerms(message, rules)
  checkTimes(message, now)
  if (!(await provesAddress(message.address, text, signature))) throw refused('signature')
  return { address: message.address, id: idOf(text) }
}

function checkTerms(message: SignInMessage, rules: Eip4361Rules): void {
  if (message.scheme !== undefined) throw refused('scheme')
  if (message.domain !== rules.domain) throw refused('domain')
  if (message.uri !== rules.uri) throw refused('uri')
  if (message.statement !== rules.statement) throw refused('statement')
  if (!rules.chainIds.some(id => String(id) === message.chainId)) throw refused('chainId')
  if (message.requestId !== undefined) throw refused('requestId')
  if (message.resources !== undefined && message.resources.length > 0) throw refused('resources')
}

function checkTimes(message: SignInMessage, now: number): void {
  const issued = timeOf(message.issuedAt) ?? Number.POSITIVE_INFINITY
  if (issued > now + SKEW_MS) throw refused('issuedAt')
  if (message.expirationTime === undefined) throw refused('endless')
  const expires = timeOf(message.expirationTime) ?? Number.NEGATIVE_INFINITY
  if (expires <= now) throw refused('expired')
  if (expires - issued > EIP4361_MS_MAX) throw refused('life')
  if (message.notBefore === undefined) return
  if ((timeOf(message.notBefore) ?? Number.POSITIVE_INFINITY) > now) throw refused('notBefore')
}

const refused = (reason: Reason) => new SignerError('login/refused', { reason: EIP4361_REASONS[reason] })
const malformed = (part: SignInPart) =>
  new SignerError('login/refused', { reason: `${EIP4361_REASONS.grammar}: ${part}` })
