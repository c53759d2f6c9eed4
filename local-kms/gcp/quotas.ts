import type { Clock } from '../core/clock.ts'
import { algorithmRow } from './algorithms.ts'
import { GcpError, SERVICE } from './errors.ts'
import type { KeyVersion } from './store.ts'

/** Per project and minute. The figures of the service are the defaults (README). */
export interface GcpThrottleOptions {
  /** Tokens of cryptographic requests under software keys. Default 6,000,000. */
  readonly softwareTokens?: number | undefined
  /** The same under HSM keys. Default 3,000,000. */
  readonly hsmTokens?: number | undefined
  /** Get and List requests. Default 600. */
  readonly reads?: number | undefined
  /** Create, Update, Destroy and their like. Default 100. */
  readonly writes?: number | undefined
}

type Metric = 'software' | 'hsm' | 'read' | 'write'

const DEFAULTS: Record<Metric, number> = { software: 6_000_000, hsm: 3_000_000, read: 600, write: 100 }
const NAMES: Record<Metric, readonly [string, string]> = {
  software: ['Cryptographic requests', 'Software cryptographic tokens per minute'],
  hsm: ['HSM cryptographic requests', 'HSM cryptographic tokens per minute'],
  read: ['Read requests', 'Read requests per minute'],
  write: ['Write requests', 'Write requests per minute'],
}

/** Tokens one call costs. Elliptic curves in an HSM are dear: 3,000,000 tokens make about 11 signatures a second. */
function cost(operation: string, version: KeyVersion | undefined): number {
  if (version?.protectionLevel !== 'HSM' || operation === 'GetPublicKey') return 100
  const { family } = algorithmRow(version.algorithm)
  if (family === 'ecdsa' || family === 'ed25519') return 4500
  return family === 'rsa' ? 1500 : 100
}

export interface Quotas {
  /** @throws RESOURCE_EXHAUSTED */
  take(call: {
    operation: string
    kind: 'crypto' | 'read' | 'write'
    project: string
    version: KeyVersion | undefined
  }): void
  reset(): void
}

/** Token buckets that hold a minute's worth and refill continuously on the given clock. */
export function createQuotas(clock: Clock, options: GcpThrottleOptions): Quotas {
  const rates: Record<Metric, number> = {
    software: options.softwareTokens ?? DEFAULTS.software,
    hsm: options.hsmTokens ?? DEFAULTS.hsm,
    read: options.reads ?? DEFAULTS.read,
    write: options.writes ?? DEFAULTS.write,
  }
  const buckets = new Map<string, { tokens: number; at: number }>()

  function draw(metric: Metric, project: string, tokens: number): void {
    const now = clock.now()
    const name = `${project} ${metric}`
    const perMinute = rates[metric]
    const bucket = buckets.get(name) ?? { tokens: perMinute, at: now }
    buckets.set(name, bucket)
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((now - bucket.at) / 60_000) * perMinute)
    bucket.at = now
    if (bucket.tokens < tokens) throw exhausted(metric, project)
    bucket.tokens -= tokens
  }

  return {
    take({ operation, kind, project, version }) {
      if (kind !== 'crypto') return draw(kind, project, 1)
      draw(version?.protectionLevel === 'HSM' ? 'hsm' : 'software', project, cost(operation, version))
    },
    reset: () => buckets.clear(),
  }
}

function exhausted(metric: Metric, project: string): GcpError {
  const [name, limit] = NAMES[metric]
  const consumer = `projects/${project}`
  const metadata = new Map([
    ['service', SERVICE],
    ['consumer', consumer],
    ['quota_metric', `${SERVICE}/${name.toLowerCase().replaceAll(' ', '_')}`],
    ['quota_limit', limit],
  ])
  return new GcpError(
    'RESOURCE_EXHAUSTED',
    `Quota exceeded for quota metric '${name}' and limit '${limit}' of service '${SERVICE}' for consumer '${consumer}'.`,
    [{ type: 'google.rpc.ErrorInfo', value: { reason: 'RATE_LIMIT_EXCEEDED', domain: 'googleapis.com', metadata } }],
  )
}
