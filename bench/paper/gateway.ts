import type { GatewayCell } from '../gateway/measure.ts'

export const GATEWAY_COLUMNS = [
  'provider',
  'transport',
  'custody',
  'variant',
  'c',
  'p50',
  'p95',
  'over bearer',
  '±',
  'share %',
  'cpu ms',
  'per s',
  'samples',
] as const

const number = (value: number | null, digits: number): string => (value === null ? '–' : value.toFixed(digits))

export const gatewayRows = (cells: readonly GatewayCell[]): readonly (readonly string[])[] =>
  cells.map(cell => [
    cell.provider,
    cell.transport,
    cell.custody,
    cell.variant,
    String(cell.concurrency),
    number(cell.p50Ms, 3),
    number(cell.p95Ms, 3),
    number(cell.overMs, 3),
    number(cell.overUnrestMs, 3),
    number(cell.sharePercent, 1),
    number(cell.cpuMsPerSignature, 3),
    number(cell.perSecond, 0),
    String(cell.samples),
  ])

/** What the variants are, and what is in the figures and what is not. */
export const GATEWAY_MEANINGS: readonly string[] = [
  '`bearer`: a token, a policy, the equivocation guard, two records, and no gateway. `gateway`: address list, business hours, limits by subject, token, key and for all together (too high to turn anything away), a lane for the token, the ledger of revoked tokens asked twice, and a token with every constraint there is. `DPoP`: the token is bound to a key, and each request brings a proof over method, address, body and Idempotency-Key. `windows`: the policy counts what leaves in a day, all together, by receiver, and fees.',
  '`over bearer` and `share %`: p50 less the p50 of `bearer` with as many callers in the same run, and that difference as a part of the variant’s own p50. `±`: half of what lies between the quartiles of the rounds’ own differences; a difference that is not larger than that is noise.',
  'Each caller’s proofs are made before the timed section, on the side of the client: what making one costs is not in the figures, what checking it costs is.',
  'Every variant has a service of its own in one process, with a data directory of its own. Providers have no latency: behind a real key service the difference stays and its share falls.',
]
