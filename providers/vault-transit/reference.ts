import { SignerError } from '../../src/domain/errors.ts'
import type { KeyRef } from '../../src/domain/provider.ts'

/**
 * References: `MOUNT/NAME@VERSION` for a signing key, `MOUNT/NAME` for a wrapping key, whose version stands in each
 * ciphertext. The mount is part of it, so that another mount in the configuration can never quietly mean other keys;
 * it must be the configured one. Where an operator asks once (`describe`), `NAME` and `NAME@VERSION` will do.
 */
export interface Reference {
  readonly name: string
  /** Absent: not pinned. */
  readonly version?: number
}

/** Transit's own rule for names (`framework.GenericNameRegex`): word characters, `.` and `-` inside. */
const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/
/** No leading zero: one version has one spelling. Vault reads 0 as "latest" in requests and as 1 in ciphertexts. */
const VERSION = /^[1-9][0-9]{0,8}$/

/** @returns undefined when it is none, or of another mount. */
export function parseReference(key: KeyRef, mount: string): Reference | undefined {
  if (typeof key !== 'string' || key.length > 1024) return undefined
  const slash = key.lastIndexOf('/')
  if (slash >= 0 && key.slice(0, slash) !== mount) return undefined
  const [name = '', version, ...rest] = key.slice(slash + 1).split('@')
  if (rest.length > 0 || !NAME.test(name)) return undefined
  if (version === undefined) return { name }
  return VERSION.test(version) ? { name, version: Number(version) } : undefined
}

export const pinned = (mount: string, name: string, version: number): KeyRef => `${mount}/${name}@${version}`

/** What any question about a key may name. @throws `provider/refused` */
export function requireReference(provider: string, operation: string, mount: string, key: KeyRef): Reference {
  const reference = parseReference(key, mount)
  if (reference !== undefined) return reference
  throw refused(
    provider,
    `${operation}: the reference is not one of a key in the mount ${mount} (${mount}/NAME@VERSION)`,
  )
}

/** A pinned signing key, in full. @throws `provider/refused` */
export function requirePinned(provider: string, operation: string, mount: string, key: KeyRef): Required<Reference> {
  const { name, version } = parseReference(key, mount) ?? { name: '' }
  if (version !== undefined && key === pinned(mount, name, version)) return { name, version }
  const reason = `${operation}: the reference is not pinned; use the one that describe returns, ${mount}/NAME@VERSION`
  throw refused(provider, reason)
}

/** A wrapping key, in full and without version. @throws `provider/refused` */
export function requireWrapping(provider: string, operation: string, mount: string, key: KeyRef): string {
  const { name, version } = parseReference(key, mount) ?? { name: '' }
  if (name !== '' && version === undefined && key === `${mount}/${name}`) return name
  throw refused(provider, `${operation}: the reference is not one of a wrapping key, ${mount}/NAME without a version`)
}

const refused = (provider: string, reason: string) => new SignerError('provider/refused', { provider, reason })
