import { SignerError } from '../domain/errors.ts'
import type {
  Binding,
  Chain,
  Custody,
  DatedVersion,
  EnvelopeRow,
  Key,
  KeyVersion,
  ResolvedKey,
  VersionState,
} from '../domain/key.ts'
import type { Scheme } from '../domain/provider.ts'
import { checkEnvelope, isVersionState, mismatch, resolvedKey } from './checks.ts'
import type { Row } from './steps.ts'
import type { BindingsTable, EnvelopesTable, KeysTable, VersionsTable } from './schema.ts'
import { sealOf } from './seal.ts'
import { type Held, readTimes, type TimesRow, timesBefore } from './times.ts'

export const keyRow = (key: Key): KeysTable => ({
  name: key.name,
  chain: key.chain,
  network: key.network,
  policy: key.policy,
  policy_hash: key.policyHash,
  created_at: key.createdAt,
})

export const versionRow = ({
  key,
  version,
  scheme,
  publicKey,
  address,
  account,
  state,
}: KeyVersion): Omit<VersionsTable, 'seal' | keyof TimesRow> => ({
  key,
  version,
  scheme,
  public_key: publicKey,
  address,
  account: account === address ? null : account,
  state,
})

export const bindingRow = (
  { id, key, version, provider, custody, reference }: Binding,
  position: number,
): Omit<BindingsTable, 'suspended'> => ({
  id,
  key,
  version,
  position,
  provider,
  custody,
  reference,
})

export const envelopeRow = ({ bindingId, ciphertext, context }: EnvelopeRow): EnvelopesTable => ({
  binding_id: bindingId,
  ciphertext,
  context: JSON.stringify(context),
})

/** The casts say what the row should hold; `resolvedKey` then finds out whether it does. */
export function readVersion(rows: readonly Row[]): ResolvedKey {
  const { key, version, bindings } = readHeld(rows)
  return Object.freeze({ key, version, bindings })
}

/** With the times that the row holds; whoever seals it again must have them. */
export function readHeld(rows: readonly Row[]): Held {
  const row = rows[0] as Row
  const name = row['name'] as string
  const version = row['version'] as number
  const resolved = resolvedKey(
    {
      name,
      chain: row['chain'] as Chain,
      network: row['network'] as string,
      policy: row['policy'] as string,
      policyHash: row['policy_hash'] as string,
      createdAt: row['created_at'] as number,
    },
    {
      key: name,
      version,
      scheme: row['scheme'] as Scheme,
      publicKey: row['public_key'] as Uint8Array,
      address: row['address'] as string,
      account: (row['account'] ?? row['address']) as string,
      state: row['state'] as VersionState,
    },
    rows.filter(({ id }) => id !== null).map(binding => readBinding(name, version, binding)),
  )
  const times = readTimes(name, row)
  if (sealOf({ ...resolved, times }) !== row['seal'])
    throw mismatch(name, `the record of version ${version} was changed outside the program`)
  return Object.freeze({ ...resolved, times })
}

export function readDated(rows: readonly Row[]): DatedVersion {
  const held = readHeld(rows)
  return Object.freeze({ ...held, times: Object.freeze(held.times ?? timesBefore(held)) })
}

const readBinding = (key: string, version: number, row: Row): Binding => ({
  id: row['id'] as string,
  key,
  version,
  provider: row['provider'] as string,
  custody: row['custody'] as Custody,
  reference: row['reference'] as string,
  ...(row['suspended'] === null ? {} : { suspended: row['suspended'] as string }),
})

export function readEnvelope(row: Row): EnvelopeRow {
  const bindingId = row['binding_id'] as string
  let context: EnvelopeRow['context']
  try {
    context = JSON.parse(row['context'] as string)
  } catch {
    throw mismatch(`binding ${bindingId}`, 'the context is not JSON')
  }
  return Object.freeze(
    checkEnvelope({ bindingId, ciphertext: row['ciphertext'] as Uint8Array, context: Object.freeze(context) }),
  )
}

export function groupVersions(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const id = JSON.stringify([row['name'], row['version']])
    groups.set(id, [...(groups.get(id) ?? []), row])
  }
  return [...groups.values()]
}

export function notActive(key: string, newest: Row): SignerError {
  const { version, state } = newest
  if (typeof version !== 'number' || !isVersionState(state)) return mismatch(key, 'the key has no readable version')
  return new SignerError('key/not-active', { key, version, state })
}
