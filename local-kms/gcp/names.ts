/** Resource names: `projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N` and its beginnings. */
import { invalidArgument } from './errors.ts'

export type ResourceKind = 'location' | 'keyRing' | 'cryptoKey' | 'cryptoKeyVersion' | 'importJob'
export interface ResourceName {
  readonly kind: ResourceKind
  readonly full: string
  readonly project: string
  readonly location: string
  readonly ring: string
  readonly key: string
  readonly version: string
  readonly job: string
}

const ID = /^[a-zA-Z0-9_-]{1,63}$/
const PLACE = /^[a-zA-Z0-9_.:-]{1,64}$/
export const isId = (text: string): boolean => ID.test(text)

/** Undefined: no name of any kind. */
export function parseName(full: string): ResourceName | undefined {
  const parts = full.split('/')
  const [projects, project = '', locations, location = '', rings, ring = '', kind, leaf = '', versions, version = ''] =
    parts
  if (projects !== 'projects' || locations !== 'locations' || !PLACE.test(project) || !PLACE.test(location))
    return undefined
  const base = { full, project, location, ring, key: '', version: '', job: '' }
  if (parts.length === 4) return { ...base, kind: 'location' }
  if (rings !== 'keyRings' || !ID.test(ring)) return undefined
  if (parts.length === 6) return { ...base, kind: 'keyRing' }
  if (!ID.test(leaf)) return undefined
  if (kind === 'importJobs' && parts.length === 8) return { ...base, kind: 'importJob', job: leaf }
  if (kind !== 'cryptoKeys') return undefined
  if (parts.length === 8) return { ...base, kind: 'cryptoKey', key: leaf }
  if (parts.length !== 10 || versions !== 'cryptoKeyVersions' || !/^[1-9]\d{0,9}$/.test(version)) return undefined
  return { ...base, kind: 'cryptoKeyVersion', key: leaf, version }
}

/** @throws INVALID_ARGUMENT for a name of another kind, or none. */
export function requireName(value: unknown, field: string, ...kinds: ResourceKind[]): ResourceName {
  const name = typeof value === 'string' ? parseName(value) : undefined
  if (name !== undefined && kinds.includes(name.kind)) return name
  if (value === undefined || value === '')
    throw invalidArgument(`The request is missing the required field '${field}'.`)
  throw invalidArgument(
    `Resource name '${typeof value === 'string' ? value : ''}' in field '${field}' is not the name of a ${kinds.join(' or ')}.`,
  )
}

export const locationOf = (name: ResourceName): string => `projects/${name.project}/locations/${name.location}`
export const ringOf = (name: ResourceName): string => `${locationOf(name)}/keyRings/${name.ring}`
export const keyOf = (name: ResourceName): string => `${ringOf(name)}/cryptoKeys/${name.key}`
export const versionName = (key: string, version: number): string => `${key}/cryptoKeyVersions/${version}`
