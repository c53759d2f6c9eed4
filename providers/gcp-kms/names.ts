/**
 * Resource names of Cloud KMS. Strict: what is not one is never sent, so a name can carry no path, query or other host.
 * @see Cloud KMS API reference, "Getting a Cloud KMS resource ID"
 */
const ID = /^[A-Za-z0-9_-]{1,63}$/
const LOCATION = /^[a-z][a-z0-9-]{0,62}$/
/** Project ids, old ones with a domain in front, and project numbers. */
const PROJECT = /^[a-z0-9][a-z0-9.:-]{0,127}$/
const VERSION = /^[1-9][0-9]{0,9}$/

export const isProject = (text: string): boolean => PROJECT.test(text)
export const isLocation = (text: string): boolean => LOCATION.test(text)
export const isId = (text: string): boolean => ID.test(text)

const FORM: readonly (readonly [collection: string, id: RegExp])[] = [
  ['projects', PROJECT],
  ['locations', LOCATION],
  ['keyRings', ID],
  ['cryptoKeys', ID],
  ['cryptoKeyVersions', VERSION],
]

function isNameOf(name: string, levels: number): boolean {
  const parts = name.split('/')
  if (parts.length !== levels * 2) return false
  return FORM.slice(0, levels).every(([collection, id], i) => {
    return parts[i * 2] === collection && id.test(parts[i * 2 + 1] ?? '')
  })
}

/** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
export const isKeyName = (name: string): boolean => isNameOf(name, 4)
/** `projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N` */
export const isVersionName = (name: string): boolean => isNameOf(name, 5)

/** The key a version belongs to. */
export const keyOf = (versionName: string): string => versionName.split('/').slice(0, 8).join('/')

/** `1` of `…/cryptoKeyVersions/1`. */
export const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1)

export interface Ring {
  readonly project?: string | undefined
  readonly location?: string | undefined
  readonly keyRing?: string | undefined
}

/** `projects/P/locations/L/keyRings/R`; undefined unless all three are configured. */
export const ringName = ({ project, location, keyRing }: Ring): string | undefined =>
  project === undefined || location === undefined || keyRing === undefined
    ? undefined
    : `projects/${project}/locations/${location}/keyRings/${keyRing}`

/**
 * What somebody typed to a full name: full names as they are; `KEY` and `KEY/VERSION` in the configured ring.
 * Undefined: neither, or no ring is configured. Never used for signing.
 */
export function fullName(reference: string, ring: Ring): string | undefined {
  if (isKeyName(reference) || isVersionName(reference)) return reference
  const parent = ringName(ring)
  const [key = '', version, ...more] = reference.split('/')
  if (parent === undefined || more.length > 0 || !ID.test(key)) return undefined
  if (version === undefined) return `${parent}/cryptoKeys/${key}`
  return VERSION.test(version) ? `${parent}/cryptoKeys/${key}/cryptoKeyVersions/${version}` : undefined
}
