/** What is measured, as data: the rows of the matrix, and which of them a run takes. */

export type Custody = 'native' | 'decrypt'
export type Face = 'aws' | 'vault' | 'gcp'

/** A way to a key service. A transport that is added here is measured; nothing else has to know it. */
export interface Way {
  readonly provider: string
  readonly transport: string
  readonly custodies: readonly Custody[]
  /** Whose latency and whose count of calls. Absent: no service is called. */
  readonly face?: Face
  /** The percentile profiles of the emulator that belong to this service. */
  readonly profiles: readonly string[]
  /** A signature costs tens of milliseconds by design: fewer samples. */
  readonly slow?: true
}

const BOTH: readonly Custody[] = ['native', 'decrypt']
const AWS = ['aws-in-region', 'aws-cross-region']
const GCP = ['gcp-software', 'gcp-hsm']

export const WAYS: readonly Way[] = [
  { provider: 'aws-kms', transport: 'sdk', custodies: BOTH, face: 'aws', profiles: AWS },
  { provider: 'aws-kms', transport: 'lean', custodies: BOTH, face: 'aws', profiles: AWS },
  {
    provider: 'vault-transit',
    transport: 'http',
    custodies: BOTH,
    face: 'vault',
    profiles: ['vault-local', 'vault-lan'],
  },
  { provider: 'gcp-kms', transport: 'grpc', custodies: BOTH, face: 'gcp', profiles: GCP },
  { provider: 'gcp-kms', transport: 'rest', custodies: BOTH, face: 'gcp', profiles: GCP },
  { provider: 'passphrase', transport: 'none', custodies: ['decrypt'], profiles: [], slow: true },
  { provider: 'mock', transport: 'none', custodies: BOTH, profiles: [] },
]

export const nameOf = ({ provider, transport }: Pick<Way, 'provider' | 'transport'>): string =>
  transport === 'none' ? provider : `${provider}-${transport}`

/** Who signs, by way: a library speaks one protocol. `engine` calls nobody. */
export const LIBRARIES = [
  '@solana/keychain-aws-kms',
  '@solana/keychain-vault',
  '@rumblefishdev/eth-signer-kms',
] as const
export type LibraryName = (typeof LIBRARIES)[number]
export type SubjectName = 'service' | 'sdk' | 'engine' | LibraryName

export const LIBRARY_WAYS: Readonly<Record<LibraryName, { readonly way: string; readonly transport: string }>> = {
  '@solana/keychain-aws-kms': { way: 'aws-kms-sdk', transport: 'sdk' },
  '@solana/keychain-vault': { way: 'vault-transit-http', transport: 'http' },
  '@rumblefishdev/eth-signer-kms': { way: 'aws-kms-sdk', transport: 'sdk' },
}

/** One square of the matrix. */
export interface Square {
  readonly provider: string
  readonly transport: string
  readonly custody: Custody
  readonly subject: SubjectName
  readonly profile: string
  readonly concurrency: number
}

export const FIXED = ['fixed:5', 'fixed:25', 'fixed:126'] as const
export const CONCURRENCIES = [1, 16, 64] as const

export const squareName = (s: Square): string =>
  [s.subject, s.provider, s.transport, s.custody, s.profile, `c=${s.concurrency}`].join(' ')

export type Extent = 'quick' | 'full'

/** All squares of a run, in the order of the tables; the run shuffles them. */
export function squaresOf(extent: Extent): readonly Square[] {
  const engine: Square[] = [
    { provider: 'none', transport: 'none', custody: 'native', subject: 'engine', profile: 'none', concurrency: 1 },
  ]
  return [...engine, ...WAYS.flatMap(way => subjectsOf(way).flatMap(each => spread(way, each, extent)))]
}

type Subject = Pick<Square, 'provider' | 'transport' | 'custody' | 'subject'>

function subjectsOf({ provider, transport, custodies, face }: Way): Subject[] {
  const own = custodies.flatMap((custody): Subject[] => [
    { provider, transport, custody, subject: 'service' },
    ...(face !== undefined && SDK_TRANSPORTS[provider]?.includes(transport)
      ? [{ provider, transport, custody, subject: 'sdk' } as const]
      : []),
  ])
  const name = nameOf({ provider, transport })
  const libraries = LIBRARIES.filter(library => LIBRARY_WAYS[library].way === name)
  return [...own, ...libraries.map((subject): Subject => ({ provider, transport, custody: 'native', subject }))]
}

/** The ways the vendor's own client goes. A transport of ours is held against the vendor's first one. */
export const SDK_TRANSPORTS: Readonly<Record<string, readonly string[]>> = {
  'aws-kms': ['sdk'],
  'vault-transit': ['http'],
  'gcp-kms': ['grpc', 'rest'],
}

function spread(way: Way, subject: Subject, extent: Extent): Square[] {
  const profiles =
    extent === 'full'
      ? ['none', ...(way.face === undefined ? [] : [...FIXED, ...way.profiles])]
      : ['none', ...(way.face === 'aws' ? ['fixed:25'] : [])]
  const concurrencies = extent === 'full' ? CONCURRENCIES : CONCURRENCIES.slice(0, 2)
  return profiles.flatMap(profile => concurrencies.map(concurrency => ({ ...subject, profile, concurrency })))
}

/** The square of the vendor's client that a square of the service is held against. */
export function baselineOf(square: Square, all: readonly Square[]): Square | undefined {
  if (square.subject === 'sdk' || square.subject === 'engine') return undefined
  const fits =
    (transport: string | undefined) =>
    (other: Square): boolean =>
      other.subject === 'sdk' &&
      other.provider === square.provider &&
      other.transport === transport &&
      other.custody === square.custody &&
      other.profile === square.profile &&
      other.concurrency === square.concurrency
  return all.find(fits(square.transport)) ?? all.find(fits(SDK_TRANSPORTS[square.provider]?.[0]))
}
