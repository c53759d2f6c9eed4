import { fromBase64Url } from '../../bytes/base64.ts'
import { parseStrictJson } from '../../bytes/json.ts'
import type { AuditActor } from '../../domain/audit.ts'
import { canonicalAddress } from './admins.ts'
import type { Done } from './guard.ts'
import type { ControlParts } from './ports.ts'

/** Whoever asks gets one: who may log in shows only to those who can sign. */
export async function challenge({ login }: ControlParts, text: string): Promise<Done> {
  const address = canonicalAddress(text)
  const answer = await login.challenge({ address })
  return { answer, facts: { address, kind: answer.kind } }
}

export type SignedChallenge =
  | { readonly transaction: string }
  | { readonly message: string; readonly signature: string }

/** @throws `login/refused` */
export async function openSessionFor(
  parts: ControlParts,
  signed: SignedChallenge,
): Promise<Done & { readonly actor: Omit<AuditActor, 'peer'> }> {
  const { admin, token, kind, challenge: answered } = await parts.login.answer(signed)
  const { jti, exp } = claimsOf(token)
  const { roles, address } = admin
  return {
    answer: { token, tokenType: 'Bearer', expiresAt: new Date(exp * 1000).toISOString(), roles },
    facts: { kind, challenge: answered, roles: roles.join(' ') },
    actor: { subject: address, tokenId: jti },
  }
}

/** Of a token that was made here a moment ago. */
function claimsOf(token: string): { readonly jti: string; readonly exp: number } {
  const payload = fromBase64Url(token.split('.')[1] ?? '')
  const { jti, exp } = (payload === undefined ? {} : parseStrictJson(payload)) as Record<string, unknown>
  if (typeof jti !== 'string' || typeof exp !== 'number') throw new TypeError('The session token has no jti or exp')
  return { jti, exp }
}
