import { createHash } from 'node:crypto'
import { toHex } from '../bytes/hex.ts'
import { timesRow } from './times.ts'
import type { Admin } from '../domain/admins.ts'
import type { ResolvedKey, VersionTimes } from '../domain/key.ts'

/**
 * SHA-256 (hex) over everything the registry says of a version: its key with policy, its public key and state, its
 * bindings in order. Stored beside the version and compared at every read, so that a row changed by hand, by a broken
 * restore or by a partial write is refused (threats T43). It is no MAC: somebody who can write the file and knows this
 * function can write a fitting seal. Against that stand the file mode, the check of the address against the public key,
 * and verification of every signature under the pin.
 */
export function sealOf({ key, version, bindings, times }: ResolvedKey & { times?: VersionTimes | undefined }): string {
  const facts = [
    'countersign-registry-1',
    [key.name, key.chain, key.network, key.policy, key.policyHash, key.createdAt],
    [
      version.version,
      version.scheme,
      toHex(version.publicKey),
      version.address,
      version.state,
      // Rows of earlier releases name no account, and neither does a row where it is the address.
      ...(version.account === version.address ? [] : [version.account]),
    ],
    bindings.map(({ id, provider, custody, reference, suspended }) =>
      suspended === undefined ? [id, provider, custody, reference] : [id, provider, custody, reference, suspended],
    ),
    // Rows of earlier releases have none, and their seals were made without.
    ...(times === undefined ? [] : [Object.values(timesRow(times))]),
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}

/** The same for an administrator: whoever edits the table makes nobody an administrator by a typing error. */
export function sealOfAdmin({ address, name, roles, active, createdAt, changedAt }: Admin): string {
  const facts = ['countersign-admin-1', address, name, roles, active, createdAt, changedAt]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}
