import { spkiFromPem } from '../../src/bytes/pem.ts'
import { isSignerError, SignerError } from '../../src/domain/errors.ts'
import {
  type Call,
  type ImportKey,
  type ImportWrap,
  type KeyFacts,
  type KeyRef,
  SCHEMES,
} from '../../src/domain/provider.ts'
import { abandon, requireImportable, requireImported, wrapForImport } from '../key-import.ts'
import type { ProviderWorld } from '../world.ts'
import { describeKey } from './describe.ts'
import { type About, malformed } from './integrity.ts'
import type { Ring } from './names.ts'
import { destroy, type Parts } from './states.ts'
import { SPELLING, VendorError } from './translate.ts'
import { type Attempted, messageIn, OPERATIONS, type Operation, textIn, type WireFields } from './wire.ts'

/** As strong as the keys that travel under it (NIST SP 800-57 part 1, table 2). */
const WRAPPING_BITS = 3072
const METHODS = {
  'rsa-aes': 'RSA_OAEP_3072_SHA256_AES_256',
  'rsa-oaep': 'RSA_OAEP_3072_SHA256',
} as const satisfies Record<ImportWrap, string>
const SERVICE = 'Cloud KMS'
/** The import key, above all one in an HSM, is made after the answer. */
const POLL_MS = 500

export interface ImportParts extends Parts {
  readonly world: ProviderWorld
  readonly config: Ring
  readonly ring: string
  createKey(id: string, cryptoKey: WireFields, call: Call): Promise<KeyRef>
}

/**
 * An import job of its own, an import-only key, ImportCryptoKeyVersion. A key without versions can do nothing; from the import
 * on a failure schedules the version for destruction. Jobs end by themselves after three days, keys can never be deleted.
 * @see Cloud KMS documentation, "Importing a key"
 */
export async function importKey(parts: ImportParts, what: ImportKey, id: string, call: Call): Promise<KeyFacts> {
  requireImportable(what, SERVICE, { schemes: SCHEMES })
  const { algorithm, createLevel: protectionLevel } = SPELLING[what.scheme]
  const { importJob, wrappedKey } = await wrapped(parts, what, id, call)
  const versionTemplate = { algorithm, protectionLevel }
  const key = await parts.createKey(id, { purpose: 'ASYMMETRIC_SIGN', importOnly: true, versionTemplate }, call)
  const version = `${key}/cryptoKeyVersions/1`
  try {
    await bring(parts, version, { name: key, fields: { algorithm, importJob, wrappedKey } }, call)
    const facts = await describeKey(parts.wire, parts.name, parts.config, version, call)
    requireImported(what, SERVICE, facts)
    return facts
  } catch (cause) {
    return abandon(parts.world, { left: version, requestId: call.requestId, cause }, own => undo(parts, version, own))
  }
}

async function wrapped(parts: ImportParts, what: ImportKey, id: string, call: Call) {
  const { wire, ring, world } = parts
  const { createLevel: protectionLevel } = SPELLING[what.scheme]
  const importJob = `${ring}/importJobs/${id}`
  const fields = { importJob: { importMethod: METHODS[what.wrap ?? 'rsa-aes'], protectionLevel } }
  const made = await wire.attempt(OPERATIONS.createJob, { name: ring, importJobId: id, fields }, call)
  const { answer, about } = await settled(
    parts,
    { operation: OPERATIONS.job, name: importJob, until: 'ACTIVE' },
    call,
    made,
  )
  if (textIn(answer.message, 'importMethod') !== fields.importJob.importMethod) {
    throw malformed(about, 'the import job is not the one that was asked for')
  }
  const spki = spkiFromPem(textIn(messageIn(answer.message, 'publicKey') ?? {}, 'pem') ?? '') ?? new Uint8Array()
  const wrappedKey = await wrapForImport(what, { spki, bits: WRAPPING_BITS }, world.random)
  if (wrappedKey === undefined) throw malformed(about, `the import job holds no RSA key of ${WRAPPING_BITS} bits`)
  return { importJob, wrappedKey }
}

async function bring(
  parts: ImportParts,
  version: string,
  request: { readonly name: string; readonly fields: WireFields },
  call: Call,
): Promise<void> {
  const answer = await parts.wire.attempt(OPERATIONS.importVersion, request, call)
  await settled(parts, { operation: OPERATIONS.version, name: version, until: 'ENABLED' }, call, answer)
}

/** Looks until what was made is ready. @throws `provider/refused` for a state that leads nowhere; `provider/unavailable` at the deadline */
async function settled(
  { wire, name: provider, world }: ImportParts,
  { operation, name, until }: { readonly operation: Operation; readonly name: string; readonly until: string },
  call: Call,
  first: Attempted,
): Promise<{ answer: Attempted; about: About }> {
  for (let answer = first; ; answer = await wire.attempt(operation, { name }, call)) {
    const about: About = { provider, operation: operation.name, answer }
    if (textIn(answer.message, 'name') !== name) throw malformed(about, 'the answer is about something else')
    const state = textIn(answer.message, 'state')
    if (state === until) return { answer, about }
    if (state !== 'PENDING_GENERATION' && state !== 'PENDING_IMPORT') {
      const reason = `${operation.name}: the state is ${state === undefined ? 'not told' : state.slice(0, 40)}, not ${until}`
      throw new SignerError('provider/refused', { provider, reason })
    }
    await world.clock.sleep(POLL_MS, call.signal).catch(() => {
      const reason = `${operation.name}: ${name} is still ${state}`
      throw new SignerError('provider/unavailable', { provider, reason })
    })
  }
}

/** Nothing that signs is left: no version, a failed one, or one that waits for its destruction. */
async function undo(parts: ImportParts, version: string, call: Call): Promise<void> {
  for (;;) {
    const state = await stateOf(parts, version, call)
    if (state === undefined || state === 'IMPORT_FAILED') return
    if (state !== 'PENDING_IMPORT') {
      await destroy(parts, version, 0, call)
      return
    }
    await parts.world.clock.sleep(POLL_MS, call.signal)
  }
}

async function stateOf({ wire }: ImportParts, name: string, call: Call): Promise<string | undefined> {
  try {
    return textIn((await wire.attempt(OPERATIONS.version, { name }, call)).message, 'state') ?? 'unknown'
  } catch (error) {
    const { cause } = isSignerError(error) ? error : {}
    if (cause instanceof VendorError && cause.status === 'NOT_FOUND') return undefined
    throw error
  }
}
