import { aeskwp } from '@noble/ciphers/aes.js'
import { generateRsa, readRsa } from '../core/rsa.ts'
import { algorithmRow } from './algorithms.ts'
import { bytesOf, findKey, findRing, type OpContext, operation } from './context.ts'
import { alreadyExists, badField, invalidArgument, notFound, precondition, unimplemented } from './errors.ts'
import { checkAlgorithm, readLevel } from './keys.ts'
import { type Message, textOf } from './known-types.ts'
import { listPage } from './list.ts'
import { oaep, readMaterial, rsaPublicPem } from './material.ts'
import { parseName, requireName, ringOf } from './names.ts'
import { checkId } from './rings.ts'
import {
  type CryptoKey,
  DAY_MS,
  findVersion,
  fingerprintOf,
  type ImportJob,
  jobState,
  type KeyVersion,
  settleJob,
  showVersion,
} from './store.ts'

const METHODS = /^RSA_OAEP_(3072|4096)_(SHA1|SHA256)(_AES_256)?$/
const LIFE_MS = 3 * DAY_MS

export const CreateImportJob = operation(
  async (request, context) => {
    const parent = requireName(request['parent'], 'parent', 'keyRing')
    context.authorize('cloudkms.importJobs.create', parent.full)
    findRing(context, parent.full)
    const name = `${parent.full}/importJobs/${checkId(request['importJobId'], 'import_job_id')}`
    if (context.store.jobs.has(name)) throw alreadyExists('ImportJob', name)
    const input = (request['importJob'] ?? {}) as Message
    const importMethod = textOf(input, 'importMethod')
    if (importMethod === '' || importMethod === 'IMPORT_METHOD_UNSPECIFIED') {
      throw badField(
        'import_job.import_method',
        "The request is missing the required field 'import_job.import_method'.",
      )
    }
    const method = METHODS.exec(importMethod)
    if (method === null || importMethod.endsWith('_SHA1'))
      throw unimplemented(`local-kms has no import method ${importMethod}.`)
    if (input['protectionLevel'] === undefined) {
      throw badField(
        'import_job.protection_level',
        "The request is missing the required field 'import_job.protection_level'.",
      )
    }
    const job: ImportJob = {
      name,
      importMethod,
      protectionLevel: readLevel(textOf(input, 'protectionLevel')),
      createTime: context.now,
      readyAt: context.now + context.rules.pendingGenerationMs,
      expireTime: context.now + LIFE_MS,
      wrappingKey: await generateRsa(Number(method[1])),
    }
    if (context.store.jobs.has(name)) throw alreadyExists('ImportJob', name)
    context.store.jobs.set(name, job)
    return showJob(job, context.now)
  },
  { admin: true },
)

function showJob(job: ImportJob, now: number): Message {
  settleJob(job, now)
  const state = jobState(job, now)
  const active = state === 'ACTIVE' && job.wrappingKey !== undefined
  const pem = active ? rsaPublicPem(job.wrappingKey!) : undefined
  return {
    name: job.name,
    importMethod: job.importMethod,
    protectionLevel: job.protectionLevel,
    createTime: job.createTime,
    generateTime: state === 'PENDING_GENERATION' ? undefined : job.readyAt,
    expireTime: job.expireTime,
    expireEventTime: job.expireEventTime,
    state,
    publicKey: pem === undefined ? undefined : { pem },
  }
}

function findJob(context: OpContext, name: string): ImportJob {
  const job = context.store.jobs.get(name)
  if (job === undefined) throw notFound('ImportJob', name)
  settleJob(job, context.now)
  return job
}

export const GetImportJob = operation((request, context) => {
  const name = requireName(request['name'], 'name', 'importJob')
  context.authorize('cloudkms.importJobs.get', name.full)
  return showJob(findJob(context, name.full), context.now)
})

export const ListImportJobs = operation((request, context) => {
  const parent = requireName(request['parent'], 'parent', 'keyRing')
  context.authorize('cloudkms.importJobs.list', parent.full)
  findRing(context, parent.full)
  const jobs = [...context.store.jobs.values()].filter(job => job.name.startsWith(`${parent.full}/`))
  const sorted = jobs.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return listPage(
    request,
    'importJobs',
    sorted.map(job => showJob(job, context.now)),
  )
})

export const ImportCryptoKeyVersion = operation(
  (request, context) => {
    const parent = requireName(request['parent'], 'parent', 'cryptoKey')
    // A version that is there already takes its material back without the right to make new ones
    if (request['cryptoKeyVersion'] === undefined) context.authorize('cloudkms.cryptoKeyVersions.create', parent.full)
    const key = findKey(context, parent.full)
    const jobName = requireName(request['importJob'], 'import_job', 'importJob')
    context.authorize('cloudkms.importJobs.useToImport', jobName.full)
    const job = findJob(context, jobName.full)
    if (ringOf(jobName) !== ringOf(parent))
      throw badField('import_job', 'The ImportJob and the CryptoKey must be in one KeyRing.')
    const state = jobState(job, context.now)
    if (state !== 'ACTIVE') {
      throw precondition(`${job.name} is not active, current state is: ${state}.`, `IMPORT_JOB_${state}`, job.name)
    }
    if (job.protectionLevel !== key.template.protectionLevel) {
      throw badField(
        'import_job',
        `The protection level of the ImportJob is ${job.protectionLevel}, that of the CryptoKey ${key.template.protectionLevel}.`,
      )
    }
    const algorithm = checkAlgorithm(
      context,
      key.purpose,
      textOf(request, 'algorithm'),
      job.protectionLevel,
      'algorithm',
    )
    if (!job.importMethod.endsWith('_AES_256') && algorithmRow(algorithm).family === 'rsa') {
      throw badField('import_job', `Import method ${job.importMethod} cannot wrap RSA keys.`)
    }
    const target = readTarget(request, key)
    const wrapped = readWrapped(request)
    const bytes = unwrap(job, wrapped)
    const material = bytes === undefined ? undefined : readMaterial(algorithm, bytes, false)
    const failure =
      bytes === undefined
        ? 'The wrapped key material could not be unwrapped.'
        : material === undefined
          ? `The key material does not fit algorithm ${algorithm}.`
          : undefined
    if (target?.fingerprint !== undefined && material !== undefined && target.fingerprint !== fingerprintOf(material)) {
      throw badField(
        'wrapped_key',
        'The key material is not the one that was imported into this CryptoKeyVersion before.',
      )
    }
    if (target !== undefined && target.algorithm !== algorithm) {
      throw badField('algorithm', `The algorithm of the CryptoKeyVersion is ${target.algorithm}.`)
    }
    const waits = failure === undefined && context.rules.pendingImportMs > 0
    const version: KeyVersion = {
      id: target?.id ?? key.versions.length + 1,
      state: failure === undefined ? (waits ? 'PENDING_IMPORT' : 'ENABLED') : 'IMPORT_FAILED',
      algorithm,
      protectionLevel: job.protectionLevel,
      createTime: target?.createTime ?? context.now,
      importJob: job.name,
      importTime: failure === undefined && !waits ? context.now : undefined,
      readyAt: waits ? context.now + context.rules.pendingImportMs : undefined,
      importFailureReason: failure,
      material,
      fingerprint: material === undefined ? target?.fingerprint : fingerprintOf(material),
    }
    if (target === undefined) key.versions.push(version)
    else key.versions[key.versions.indexOf(target)] = version
    return showVersion(key, version)
  },
  { admin: true },
)

/** Into which version again: one that was imported before and is destroyed, or whose import failed. */
function readTarget(request: Message, key: CryptoKey): KeyVersion | undefined {
  const text = textOf(request, 'cryptoKeyVersion')
  if (text === '') return undefined
  const name = parseName(text)
  if (name?.kind !== 'cryptoKeyVersion' || !text.startsWith(`${key.name}/`)) {
    throw badField('crypto_key_version', `'${text}' is not the name of a version of ${key.name}.`)
  }
  const version = findVersion(key, Number(name.version))
  if (version === undefined) throw notFound('CryptoKeyVersion', text)
  const eligible = version.state === 'DESTROYED' || version.state === 'IMPORT_FAILED'
  if (version.importJob === undefined || !eligible) {
    throw precondition(
      `${text} is not eligible for reimport, current state is: ${version.state}.`,
      `KEY_${version.state}`,
      text,
    )
  }
  return version
}

/** `wrapped_key`, or its older name for the methods with an AES key. */
function readWrapped(request: Message): Uint8Array {
  const [wrapped, legacy] = [bytesOf(request, 'wrappedKey'), bytesOf(request, 'rsaAesWrappedKey')]
  if (wrapped.length > 0 && legacy.length > 0) {
    throw invalidArgument("Fields 'wrapped_key' and 'rsa_aes_wrapped_key' are mutually exclusive.")
  }
  const bytes = wrapped.length > 0 ? wrapped : legacy
  if (bytes.length === 0) throw badField('wrapped_key', "The request is missing the required field 'wrapped_key'.")
  return bytes
}

/** RSA-OAEP alone, or an OAEP-wrapped AES-256 key in front of AES-KWP (RFC 5649) of the material. */
function unwrap(job: ImportJob, wrapped: Uint8Array): Uint8Array | undefined {
  const { key, privateKey } = readRsa(job.wrappingKey!)
  const hash = job.importMethod.includes('_SHA256') ? 'sha256' : 'sha1'
  if (!job.importMethod.endsWith('_AES_256')) return oaep(privateKey, hash, wrapped)
  const aes = oaep(privateKey, hash, wrapped.subarray(0, key.bytes))
  if (aes?.length !== 32) return undefined
  try {
    return aeskwp(aes).decrypt(wrapped.subarray(key.bytes))
  } catch {
    return undefined
  }
}
