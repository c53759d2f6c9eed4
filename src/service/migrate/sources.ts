import { secretCopy } from '../../bytes/secret-room.ts'
import { openPassphraseRow } from '../../custody/index.ts'
import { SignerError } from '../../domain/errors.ts'
import { SCHEME_OF } from '../../domain/key.ts'
import type { KeyRef } from '../../domain/provider.ts'
import { addressOf } from '../payloads.ts'
import { adoptCiphertext, provePossession, refuseTaken, sameAddress, wrapSeed } from '../register.ts'
import { readRows } from './read-rows.ts'
import { migrateRows, type Move, type RunOptions } from './run.ts'
import type { MigrateDeps, MigrationReport, SourceRow, Target } from './types.ts'

export interface PassphraseRowsJob {
  readonly target: Target
  /** One key a line. */
  readonly file: Uint8Array
  /** Taken and wiped. */
  readonly passphrase: Uint8Array
  readonly wrappingKey: KeyRef
}

export interface BlobsJob {
  readonly target: Target
  readonly file: Uint8Array
  /** For lines that name none. */
  readonly wrappingKey?: KeyRef
}

/**
 * Rows of another platform, each an AES-128-GCM ciphertext under one passphrase, wrapped anew one by one. Wipes the
 * passphrase and every seed.
 * @throws as `readRows` and `migrateRows`
 */
export async function migratePassphraseRows(
  deps: MigrateDeps,
  job: PassphraseRowsJob,
  options: RunOptions,
): Promise<MigrationReport> {
  const { target, passphrase, wrappingKey } = job
  const move: Move = async (inside, row) => {
    const opened = openPassphraseRow(row.sealed, secretCopy(passphrase))
    const seed = inside.seedOf(opened, `seed of ${row.name}`, SCHEME_OF[target.chain])
    try {
      if (options.dryRun) {
        await checkSeed(inside, target, row, await inside.publicKeyOf(seed, SCHEME_OF[target.chain]))
      } else await wrapSeed(inside, { ...target, name: row.name }, { seed, wrappingKey, address: row.address })
    } finally {
      seed.wipe()
    }
  }
  try {
    const read = readRows(job.file, 'passphrase-rows', { chain: target.chain, account: deps.account })
    return await migrateRows(deps, { source: 'passphrase-rows', target, read, move }, options)
  } finally {
    passphrase.fill(0)
  }
}

/**
 * Ciphertexts of a key service, each bound to `{"pubkey": address}` alone, as they are: one decryption each proves that the
 * address is right.
 * @throws as `readRows` and `migrateRows`; `key/unsupported` for an EVM address, which does not hold its public key
 */
export function migrateBlobs(deps: MigrateDeps, job: BlobsJob, options: RunOptions): Promise<MigrationReport> {
  const { target } = job
  const move: Move = async (inside, row) => {
    const key = { ...target, name: row.name }
    const publicKey = publicKeyOf(inside, target, row)
    const wrappingKey = wrappingKeyOf(row, job.wrappingKey)
    if (!options.dryRun)
      return void (await adoptCiphertext(inside, key, { wrappingKey, ciphertext: row.sealed, publicKey }))
    await checkBlob(inside, target, row, { wrappingKey, publicKey })
  }
  const read = readRows(job.file, 'kms-blob', { chain: target.chain, account: deps.account })
  return migrateRows(deps, { source: 'kms-blob', target, read, move }, options)
}

/** What `wrapSeed` would say of the seed before it asks the key service. @returns its address */
export async function checkSeed(
  deps: MigrateDeps,
  target: Target,
  wanted: { readonly name: string; readonly address?: string },
  publicKey: Uint8Array,
): Promise<string> {
  const address = addressOf(target.chain, publicKey)
  sameAddress(wanted.name, wanted.address, address)
  await refuseTaken(deps, { ...target, name: wanted.name }, publicKey)
  return address
}

/** The key service opens it once, and what is inside signs a challenge. */
async function checkBlob(
  deps: MigrateDeps,
  target: Target,
  { name, address, sealed }: SourceRow,
  { wrappingKey, publicKey }: { readonly wrappingKey: KeyRef; readonly publicKey: Uint8Array },
): Promise<void> {
  await refuseTaken(deps, { ...target, name }, publicKey)
  const { chain, network, provider } = target
  const key = { name, chain, network, policy: '', policyHash: '', createdAt: deps.clock.now() }
  const version = {
    key: name,
    version: 1,
    scheme: SCHEME_OF[chain],
    publicKey,
    address,
    account: address,
    state: 'active',
  } as const
  const binding = {
    id: 'dry-run',
    key: name,
    version: 1,
    provider,
    custody: 'envelope',
    reference: wrappingKey,
  } as const
  const row = { bindingId: binding.id, ciphertext: sealed, context: { pubkey: address } }
  await provePossession(deps, { key, version, bindings: [binding] }, row)
}

function publicKeyOf(deps: MigrateDeps, { chain }: Target, { name, address }: SourceRow): Uint8Array {
  const publicKey = deps.account(chain, address)?.publicKey
  if (publicKey !== undefined) return publicKey
  const reason = 'an EVM address does not hold the public key; move the key itself with `countersign migrate env`'
  throw new SignerError('key/unsupported', { key: name, wanted: 'kms-blob', reason })
}

function wrappingKeyOf(row: SourceRow, common: KeyRef | undefined): KeyRef {
  const wrappingKey = row.wrappingKey ?? common
  if (wrappingKey !== undefined) return wrappingKey
  throw new SignerError('request/malformed', {
    field: 'wrappingKey',
    reason: 'is missing',
    fix: 'name the key that opens the ciphertext, in the line or by --wrapping-key',
  })
}
