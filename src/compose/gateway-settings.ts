import { type AddressList, readAddressList } from '../access/addresses.ts'
import type { AdmissionLimits, ConcurrencyLimits, Limit } from '../access/admission.ts'
import type { ApprovalRule } from '../access/approval.ts'
import { BREAK_GLASS_MINUTES, type BreakGlassRule } from '../access/break-glass.ts'
import type { Forwarding } from '../access/forwarded.ts'
import { type Hours, readHours } from '../access/hours.ts'
import type { ProxyIdentity } from '../access/proxy-identity.ts'
import { createRemoteKeys } from '../access/remote-keys.ts'
import type { TrustedIssuer } from '../access/token-keys.ts'
import type { TokenRules } from '../access/tokens.ts'
import type { Config, Plane } from '../config/schema.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { Secret } from '../domain/secret.ts'
import type { Door } from './planes.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Who gets in at a door. */
export interface Entrance {
  /** Absent: everybody. */
  readonly allow?: AddressList
  /** Absent: always. */
  readonly hours?: Hours
}

/** The sections of the gateway in the words of the rooms that act on them. */
export interface GatewaySettings {
  readonly plane: Plane
  readonly data: Door & { readonly baseUrls: readonly string[] }
  readonly control: Door & { readonly baseUrls: readonly string[] }
  /** Absent: no proxy is believed. */
  readonly forwarding?: Forwarding
  readonly identity?: ProxyIdentity
  readonly admission: {
    readonly data: Entrance
    readonly control: Entrance
    readonly limits: AdmissionLimits
    /** Of authentications that fail on the data plane, for each address. */
    readonly failures?: Limit | undefined
    readonly concurrency: ConcurrencyLimits
  }
  readonly senderConstraint: 'required' | 'optional'
  readonly proofSeconds: number
  readonly issuer: {
    readonly name: string
    readonly audience: string
    readonly tokenSeconds: number
    /** Absent only in development, where `openIssuerKey` makes one. */
    readonly key?: Secret
  }
  /** Absent: nobody logs in. */
  readonly login?: LoginSettings
  readonly approvals: ApprovalRule & { readonly expiryMs: number }
  /** Absent: there is none. */
  readonly breakGlass?: BreakGlassRule
  /** Names of keys without the equivocation guard. */
  readonly unguarded: ReadonlySet<string>
}

export interface LoginSettings {
  readonly homeDomain: string
  readonly webAuthDomain: string
  /** Our name of the Stellar network. */
  readonly network: string
  readonly chainIds: readonly number[]
  readonly sessionSeconds: number
  /** Seed in its S… form. Absent only in development, where `openLoginKey` makes one. */
  readonly serverKey?: Secret
}

/** @throws `config/invalid`, though not for what `loadConfig` gave */
export function gatewaySettings(config: Config): GatewaySettings {
  const { plane, server, control, proxies, admission, limits, tokens, issuer, approvals } = config
  const problems: ConfigProblem[] = []
  const listOf = (entries: readonly string[], path: string): AddressList => {
    const read = readAddressList(entries, path)
    problems.push(...read.problems)
    return read.list
  }
  const entrance = (which: 'data' | 'control'): Entrance => {
    const { allow, hours } = admission[which]
    const path = `admission.${which}`
    const read = hours.windows.length === 0 ? undefined : readHours(hours, `${path}.hours`)
    problems.push(...(read?.problems ?? []))
    return {
      ...(allow.length === 0 ? {} : { allow: listOf(allow, `${path}.allow`) }),
      ...(read === undefined ? {} : { hours: read.hours }),
    }
  }
  const trusted = proxies.addresses.length === 0 ? undefined : listOf(proxies.addresses, 'proxies.addresses')
  const { certificateHeader, certificateForm: form, header, hopsMax } = proxies
  const { perAddress, perSubject, perToken, perKey, global, failures } = admission.limits
  const settings: GatewaySettings = {
    plane,
    data: doorOf(server),
    control: doorOf(control),
    ...(trusted === undefined ? {} : { forwarding: { proxies: trusted, header, hopsMax } }),
    ...(trusted === undefined || certificateHeader === undefined
      ? {}
      : { identity: { proxies: trusted, header: certificateHeader, form } }),
    admission: {
      data: entrance('data'),
      control: entrance('control'),
      limits: {
        address: limitOf(perAddress),
        subject: limitOf(perSubject),
        token: limitOf(perToken),
        key: limitOf(perKey),
        global: limitOf(global),
      },
      failures: limitOf(failures),
      concurrency: { token: limits.tokenConcurrency },
    },
    senderConstraint: tokens?.senderConstraint ?? (config.environment === 'production' ? 'required' : 'optional'),
    proofSeconds: tokens?.proofSeconds ?? 15,
    issuer: {
      name: issuer.name,
      audience: issuer.audience,
      tokenSeconds: issuer.tokenSeconds,
      ...(issuer.key === undefined ? {} : { key: issuer.key }),
    },
    ...loginOf(config),
    approvals: {
      environment: config.environment,
      loosening: approvals.loosening,
      tightening: 1,
      coolDownMs: approvals.coolDownMinutes * MINUTE_MS,
      expiryMs: approvals.expiryHours * HOUR_MS,
      ...(approvals.approvers === undefined ? {} : { approvers: approvals.approvers }),
    },
    ...breakGlassOf(config),
    unguarded: new Set(config.equivocation.exempt),
  }
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
  return settings
}

const doorOf = ({ host, port, socket, baseUrls }: Config['server']): GatewaySettings['data'] => ({
  host,
  port,
  ...(socket === undefined ? {} : { socket }),
  baseUrls,
})

const limitOf = ({ count, seconds }: { count?: number | undefined; seconds: number }): Limit | undefined =>
  count === undefined ? undefined : { limit: count, windowMs: seconds * 1000 }

function breakGlassOf({ breakGlass, environment, issuer }: Config): { breakGlass?: BreakGlassRule } {
  if (breakGlass === undefined) return {}
  const { custodians, quorum, lifetimeMinutes: minutes = BREAK_GLASS_MINUTES } = breakGlass
  return { breakGlass: { custodians, quorum, minutes, environment, audience: `${issuer.audience}/control` } }
}

function loginOf({ login, environment }: Config): { login?: LoginSettings } {
  const { homeDomain = environment === 'development' ? 'localhost' : undefined, serverKey, network } = login
  if (homeDomain === undefined) return {}
  const { webAuthDomain = homeDomain, chainIds, sessionSeconds } = login
  const key = serverKey === undefined ? {} : { serverKey }
  return { login: { homeDomain, webAuthDomain, network, chainIds, sessionSeconds, ...key } }
}

/**
 * Whose tokens the data plane takes: of the issuer that the configuration names, and of the control plane in this process.
 * @param own  public half of the control plane's issuer, where it runs here
 * @returns undefined when there is neither
 */
export function tokenRules(
  { tokens, issuer }: Config,
  { clock, fetch }: Pick<World, 'clock' | 'fetch'>,
  own?: TrustedIssuer,
): TokenRules | undefined {
  if (tokens === undefined) return own === undefined ? undefined : { ...own, audience: issuer.audience, clock }
  const { maxAgeSeconds, clockSkewSeconds: skewSeconds, issuer: name, audience } = tokens
  const jwks = tokens.jwks ?? createRemoteKeys({ url: tokens.jwksUrl ?? '', fetch, clock })
  const others = own === undefined ? {} : { others: [own] }
  return { jwks, issuer: name, audience, clock, maxAgeSeconds, skewSeconds, ...others }
}
