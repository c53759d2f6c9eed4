import { FACE_NAMES, type FaceName } from './face-name.ts'
import type { Random } from './random.ts'
import { uniform } from './random.ts'

/** Milliseconds at four percentiles. No vendor publishes such figures: these are our own assumption, see README. */
export interface LatencyProfile {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  /** Added to the first call on a connection (TLS, credentials): between the two, evenly. */
  readonly coldMs?: readonly [number, number]
}

export const LATENCY_PROFILES = {
  'aws-in-region': { p50: 8, p95: 18, p99: 45, p999: 250, coldMs: [200, 300] },
  'aws-cross-region': { p50: 100, p95: 130, p99: 310, p999: 800, coldMs: [200, 300] },
  'vault-local': { p50: 0.5, p95: 1, p99: 3, p999: 15 },
  'vault-lan': { p50: 2, p95: 5, p99: 15, p999: 80 },
  'gcp-software': { p50: 20, p95: 60, p99: 150, p999: 500, coldMs: [200, 300] },
  'gcp-hsm': { p50: 60, p95: 150, p99: 300, p999: 1000, coldMs: [200, 300] },
} as const satisfies Record<string, LatencyProfile>

/** A profile's name, `none`, or `fixed:<milliseconds>`. */
export type LatencyName = keyof typeof LATENCY_PROFILES | 'none' | `fixed:${number}`

export interface LatencyOptions {
  readonly profile: LatencyName | LatencyProfile
  /** Leave the extra of a new connection out. Default: it is in. */
  readonly cold?: boolean
  /** The first entry that fits decides. `key` is a key id. */
  readonly overrides?: readonly {
    /** Absent: any face. */
    readonly face?: FaceName
    readonly operation?: string
    readonly key?: string
    readonly profile: LatencyName | LatencyProfile
  }[]
}

export interface LatencyCall {
  readonly operation: string
  readonly keys: readonly string[]
  readonly freshConnection: boolean
  /** 1.5 for RSA private-key work (assumption). */
  readonly factor: number
}

export interface Latency {
  /** Milliseconds this call takes. The same seed gives the same row of figures. */
  sample(call: LatencyCall): number
}

// z of the standard normal distribution at 95, 99 and 99.9 per cent
const Z95 = 1.6448536269514722
const Z99 = 2.3263478740408408
const Z999 = 3.090232306167813

/**
 * A log-normal body up to p95 and a heavier tail above it: ln(ms) is linear in z between the given percentiles, so that
 * these are met exactly; below the median the body's slope goes on.
 */
export function latencyAt(profile: LatencyProfile, z: number): number {
  const [l50, l95, l99, l999] = [profile.p50, profile.p95, profile.p99, profile.p999].map(Math.log) as [
    number,
    number,
    number,
    number,
  ]
  if (z <= Z95) return Math.exp(l50 + ((l95 - l50) * z) / Z95)
  if (z <= Z99) return Math.exp(l95 + ((l99 - l95) * (z - Z95)) / (Z99 - Z95))
  return Math.exp(l99 + ((l999 - l99) * (Math.min(z, 4) - Z99)) / (Z999 - Z99))
}

export function resolveProfile(profile: LatencyName | LatencyProfile): LatencyProfile | { fixed: number } {
  if (typeof profile !== 'string') return profile
  if (profile === 'none') return { fixed: 0 }
  if (profile.startsWith('fixed:')) {
    const figure = profile.slice('fixed:'.length)
    const ms = Number(figure)
    if (!Number.isFinite(ms) || ms < 0 || figure === '') {
      throw new RangeError(`Cannot use latency '${profile}': write fixed:<milliseconds>, for example fixed:20`)
    }
    return { fixed: ms }
  }
  const named = Object.hasOwn(LATENCY_PROFILES, profile)
    ? LATENCY_PROFILES[profile as keyof typeof LATENCY_PROFILES]
    : undefined
  if (named === undefined) {
    throw new RangeError(
      `Unknown latency profile '${profile}': use none, fixed:<ms> or ${Object.keys(LATENCY_PROFILES).join(', ')}`,
    )
  }
  return named
}

/** @param face  whose calls these are: overrides of other faces do not apply. */
export function createLatency(options: LatencyOptions, random: Random, face: FaceName = 'aws'): Latency {
  const base = resolveProfile(options.profile)
  const stranger = options.overrides?.find(o => o.face !== undefined && !FACE_NAMES.includes(o.face))?.face
  if (stranger !== undefined) throw new RangeError(`Unknown face '${stranger}': use ${FACE_NAMES.join(', ')}`)
  const overrides = (options.overrides ?? [])
    .map(o => ({ ...o, profile: resolveProfile(o.profile) }))
    .filter(o => o.face === undefined || o.face === face)
  return {
    sample(call) {
      const fits = overrides.find(
        o =>
          (o.operation === undefined || o.operation === call.operation) &&
          (o.key === undefined || call.keys.includes(o.key)),
      )
      const profile = fits?.profile ?? base
      if ('fixed' in profile) return profile.fixed
      const cold = profile.coldMs
      const extra =
        call.freshConnection && options.cold !== false && cold ? cold[0] + uniform(random) * (cold[1] - cold[0]) : 0
      return latencyAt(profile, normal(random)) * call.factor + extra
    },
  }
}

/** Box–Muller. */
function normal(random: Random): number {
  const u = 1 - uniform(random)
  const v = uniform(random)
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)
}
