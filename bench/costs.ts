/**
 * What signing costs and how fast the services let it be, computed from their published figures. No service is asked.
 * Money in millionths of a US dollar, so that nothing is rounded before the end. Prices change: look at the page named.
 */

/** A figure and where it stands. `known`: read there; `reported`: by others, not read by us. */
export interface Fact<T> {
  readonly value: T
  readonly source: string
  readonly trust: 'known' | 'reported'
}

export interface Way {
  readonly provider: string
  readonly custody: 'native' | 'decrypt'
  readonly curve: 'ed25519' | 'secp256k1' | 'either'
  /** What the key is inside the service. */
  readonly key: string
  /** Absent: the operator runs the service, and pays for machines instead. */
  readonly price?: Fact<{ readonly call: number; readonly keyMonth: number }>
  /** Calls a second, for everybody who shares the quota. Absent: whatever the machine does. */
  readonly ceiling?: Fact<{ readonly perSecond: number; readonly shared: string }>
}

const dollars = (amount: number): number => Math.round(amount * 1_000_000)
const per10k = (amount: number): number => dollars(amount) / 10_000

const AWS_PRICES = 'https://aws.amazon.com/kms/pricing/'
const AWS_QUOTAS = 'https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html'
const GOOGLE_PRICES = 'https://cloud.google.com/kms/pricing'
const GOOGLE_QUOTAS = 'https://cloud.google.com/kms/quotas'

const aws = (call: number): Pick<Way, 'price'> => ({
  price: { value: { call: per10k(call), keyMonth: dollars(1) }, source: AWS_PRICES, trust: 'reported' },
})
const google = (call: number, keyMonth: number): Pick<Way, 'price'> => ({
  price: { value: { call: per10k(call), keyMonth: dollars(keyMonth) }, source: GOOGLE_PRICES, trust: 'known' },
})
/** Google counts tokens a minute; a call of this kind takes so many of them. */
const tokens = (perMinute: number, perCall: number): Pick<Way, 'ceiling'> => ({
  ceiling: {
    value: { perSecond: perMinute / perCall / 60, shared: 'project and Region' },
    source: GOOGLE_QUOTAS,
    trust: 'reported',
  },
})
const awsCeiling = (perSecond: number): Pick<Way, 'ceiling'> => ({
  ceiling: { value: { perSecond, shared: 'account and Region' }, source: AWS_QUOTAS, trust: 'known' },
})

/** Every provider, mode and curve. Decrypt costs one call of the wrapping key, whatever curve the opened key has. */
export const WAYS: readonly Way[] = [
  { provider: 'aws-kms', custody: 'native', curve: 'ed25519', key: 'HSM', ...aws(0.15), ...awsCeiling(1_000) },
  { provider: 'aws-kms', custody: 'native', curve: 'secp256k1', key: 'HSM', ...aws(0.15), ...awsCeiling(1_000) },
  // The smallest of the Regions; six have twice and three ten times as much.
  { provider: 'aws-kms', custody: 'decrypt', curve: 'either', key: 'HSM', ...aws(0.03), ...awsCeiling(10_000) },
  {
    provider: 'gcp-kms',
    custody: 'native',
    curve: 'ed25519',
    key: 'software',
    ...google(0.03, 0.06),
    ...tokens(6_000_000, 100),
  },
  {
    provider: 'gcp-kms',
    custody: 'native',
    curve: 'secp256k1',
    key: 'HSM',
    ...google(0.15, 2.5),
    ...tokens(3_000_000, 4_500),
  },
  {
    provider: 'gcp-kms',
    custody: 'decrypt',
    curve: 'either',
    key: 'software',
    ...google(0.03, 0.06),
    ...tokens(6_000_000, 100),
  },
  {
    provider: 'gcp-kms',
    custody: 'decrypt',
    curve: 'either',
    key: 'HSM',
    ...google(0.03, 1),
    ...tokens(3_000_000, 100),
  },
  { provider: 'vault-transit', custody: 'native', curve: 'ed25519', key: 'software' },
  { provider: 'vault-transit', custody: 'decrypt', curve: 'either', key: 'software' },
  { provider: 'passphrase', custody: 'decrypt', curve: 'either', key: 'software' },
]

const MONTH_SECONDS = 30 * 24 * 60 * 60
export const RATES = [1, 10, 100] as const

export interface Cost {
  readonly way: Way
  /** Millionths of a dollar; undefined where nothing is paid by call. */
  readonly per10k: number | undefined
  /** For a key that signs so often a second all month, its own fee included. `over`: more than the service lets through. */
  readonly month: readonly { readonly rate: number; readonly amount: number | 'over' | undefined }[]
}

/** One provider call a signature, native or decrypt: `test/conformance` and the bench count them. */
export const CALLS_PER_SIGNATURE = 1

export function costOf(way: Way): Cost {
  const { price, ceiling } = way
  const amount = (rate: number): number | 'over' | undefined => {
    if (ceiling !== undefined && rate * CALLS_PER_SIGNATURE > ceiling.value.perSecond) return 'over'
    if (price === undefined) return undefined
    return price.value.call * CALLS_PER_SIGNATURE * rate * MONTH_SECONDS + price.value.keyMonth
  }
  return {
    way,
    per10k: price === undefined ? undefined : price.value.call * CALLS_PER_SIGNATURE * 10_000,
    month: RATES.map(rate => ({ rate, amount: amount(rate) })),
  }
}

const money = (millionths: number): string => {
  const cents = Math.round(millionths / 10_000)
  const whole = String(Math.floor(cents / 100)).replaceAll(/\B(?=(\d{3})+$)/g, ',')
  return `$${whole}.${String(cents % 100).padStart(2, '0')}`
}

/** The page docs/costs.md. */
export function costPage(): string {
  const rows = WAYS.map(costOf).map(({ way, per10k: each, month }) => [
    way.provider,
    way.custody,
    way.curve,
    way.key,
    each === undefined ? 'none by call' : money(each),
    way.price === undefined ? '–' : money(way.price.value.keyMonth),
    ...month.map(({ amount }) => (amount === 'over' ? 'over the limit' : amount === undefined ? '–' : money(amount))),
    way.ceiling === undefined
      ? 'your machine'
      : `${Number(way.ceiling.value.perSecond.toFixed(1))}/s per ${way.ceiling.value.shared}`,
  ])
  const head = ['provider', 'custody', 'curve', 'key', '10,000 signatures', 'key a month']
  const columns = [...head, ...RATES.map(rate => `month at ${rate}/s`), 'ceiling']
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const facts = WAYS.flatMap(({ price, ceiling }) => [price, ceiling]).filter(fact => fact !== undefined)
  const sources = [...new Set(facts.map(({ source, trust }) => `- ${source} (${trust})`))]
  return `# What a signature costs, and how fast it may be

Computed from the services' published figures by \`bench/costs.ts\` (\`bun scripts/docs.ts\` writes this page); list prices in US dollars, without
taxes, discounts and free allowances, a month of 30 days. One signature is one call of the service, native or by decrypt; public keys are
cached. Prices change: the pages below have the last word.

${line(columns)}
${line(columns.map(() => '---'))}
${rows.map(line).join('\n')}

- The ceilings are defaults that can be raised on request, and everything else in the same account or project uses them up too. A single hot key
  can be throttled below them. \`local-kms\` plays them (\`throttle: true\`).
- AWS: the figure for decrypt is that of most Regions; six have 20,000 and three 100,000 a second.
- Google Cloud has Ed25519 as a software key only and secp256k1 in an HSM only; that is why the two differ so much.
- Vault, OpenBao and passphrase keys cost machines, not calls. What a machine does is a matter of measuring: \`countersign bench\`.

Sources:

${sources.join('\n')}
`
}
