import type { OfficeClock } from '../access/hours.ts'
import { createJudges } from '../access/judges.ts'
import { createTokenIssuer, type TokenIssuer } from '../access/service-tokens.ts'
import { createSessionTokens, type SessionTokens } from '../access/session-tokens.ts'
import type { TrustedIssuer } from '../access/token-keys.ts'
import type { World } from '../domain/ports.ts'
import type { GatewaySettings } from './gateway-settings.ts'
import { openIssuerKey } from './own-keys.ts'
import type { RoomSettings } from './room.ts'

/** Who signs the tokens of this installation: for services, and for the sessions of administrators. */
export interface Issuers {
  readonly service: TokenIssuer
  readonly sessions: SessionTokens
  /** What a data plane must trust to take the tokens of this control plane. */
  readonly trusted: TrustedIssuer
}

/** @param office  judges the windows that tokens carry. @throws `start/refused`, `config/invalid` */
export async function openIssuers(
  {
    gateway,
    environment,
    dataDirectory,
  }: Pick<RoomSettings, 'environment' | 'dataDirectory'> & { readonly gateway: GatewaySettings },
  { clock, random }: Pick<World, 'clock' | 'random'>,
  office: OfficeClock,
): Promise<Issuers> {
  const { issuer, senderConstraint, login } = gateway
  const configured = issuer.key === undefined ? {} : { key: issuer.key }
  const key = await openIssuerKey({ environment, dataDirectory, ...configured }, random)
  const common = { key, issuer: issuer.name, clock, random }
  const judges = createJudges(office)
  const service = createTokenIssuer({
    ...common,
    audience: issuer.audience,
    senderConstraint,
    judges,
    secondsMax: issuer.tokenSeconds,
  })
  await service.ready()
  const sessions = createSessionTokens({
    ...common,
    jwks: service.jwks,
    audience: `${issuer.audience}/control`,
    ...(login === undefined ? {} : { seconds: login.sessionSeconds }),
  })
  return { service, sessions, trusted: { issuer: issuer.name, jwks: service.jwks } }
}
