import { constants, privateDecrypt, publicEncrypt } from 'node:crypto'
import { type EncryptionContext, parseBlob, seal, unseal } from './ciphertext.ts'
import { findKey, type OpContext, operation, requireAlgorithm, requireUsable, requireUsage } from './context.ts'
import { AwsError, dryRunSucceeded, incorrectKey, invalidCiphertext, validation } from './errors.ts'
import { rsaKeys } from './material.ts'
import * as member from './members.ts'
import { blob, list, oneOf, optional, required, struct } from './shapes.ts'
import { ENCRYPTION_ALGORITHMS, specRow } from './specs.ts'
import { currentMaterial, type KmsKey } from './store.ts'

const algorithm = optional(oneOf(ENCRYPTION_ALGORITHMS))
const dryRunModifiers = optional(list(oneOf(['IGNORE_CIPHERTEXT'])))

/** Symmetric encryption under a key's current material, as the data-key operations use it too. */
export function sealUnder(
  key: KmsKey,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
  entropy: OpContext['entropy'],
): Uint8Array {
  const { id: materialId, bytes: material } = currentMaterial(key)!
  return seal({ id: key.id, materialId, material }, plaintext, context, entropy)
}

/** The checks of a key that is to encrypt or decrypt. */
function prepare(
  context: OpContext,
  key: KmsKey,
  name: string,
  encryptionContext: EncryptionContext | undefined,
): 'symmetric' | 'rsa' {
  requireUsable(key)
  requireUsage(context, key, 'ENCRYPT_DECRYPT')
  requireAlgorithm(key, 'encryption', name)
  if (name === 'SYMMETRIC_DEFAULT') return 'symmetric'
  if (encryptionContext !== undefined && encryptionContext.size > 0) {
    throw validation('EncryptionContext is supported with symmetric encryption KMS keys only.')
  }
  return 'rsa'
}

const oaepHash = (name: string): 'sha1' | 'sha256' => (name === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256')

function encryptUnder(
  context: OpContext,
  key: KmsKey,
  name: string,
  plaintext: Uint8Array,
  encryptionContext: EncryptionContext | undefined,
): Uint8Array {
  if (name === 'SYMMETRIC_DEFAULT') return sealUnder(key, plaintext, encryptionContext, context.entropy)
  const { publicKey } = rsaKeys(key.spec, currentMaterial(key)!.bytes)
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return new Uint8Array(publicEncrypt({ key: publicKey!, padding, oaepHash: oaepHash(name) }, plaintext))
}

function checkLength(key: KmsKey, name: string, plaintext: Uint8Array): void {
  if (name === 'SYMMETRIC_DEFAULT') return
  const max = specRow(key.spec).bits! / 8 - 2 * (oaepHash(name) === 'sha1' ? 20 : 32) - 2
  if (plaintext.length > max) {
    throw validation(`Algorithm ${name} and key spec ${key.spec} cannot encrypt data larger than ${max} bytes.`)
  }
}

export const Encrypt = operation(
  struct({
    KeyId: required(member.keyId),
    Plaintext: required(blob(1, 4096, { sensitive: true })),
    EncryptionContext: member.encryptionContext,
    GrantTokens: member.grantTokens,
    EncryptionAlgorithm: algorithm,
    DryRun: member.dryRun,
  }),
  (input, context) => {
    const name = input.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const key = findKey(context, input.KeyId)
    prepare(context, key, name, input.EncryptionContext)
    checkLength(key, name, input.Plaintext)
    member.refuseGrantTokens(input.GrantTokens)
    if (input.DryRun) throw dryRunSucceeded()
    const ciphertext = encryptUnder(context, key, name, input.Plaintext, input.EncryptionContext)
    return { CiphertextBlob: ciphertext, EncryptionAlgorithm: name, KeyId: key.arn }
  },
)

interface Opening {
  readonly keyId: string | undefined
  readonly name: string
  readonly ciphertext: Uint8Array | undefined // undefined: a dry run that leaves it out
  readonly encryptionContext: EncryptionContext | undefined
  /** The right that is needed, where it is not named as the operation. */
  readonly action?: string
}

/** Finds the key (named, or told by the blob), checks it and opens the ciphertext. */
function open(context: OpContext, job: Opening): { key: KmsKey; plaintext: Uint8Array; materialId?: string } {
  const blob = job.ciphertext === undefined || job.name !== 'SYMMETRIC_DEFAULT' ? undefined : parseBlob(job.ciphertext)
  if (job.keyId === undefined && job.name !== 'SYMMETRIC_DEFAULT') {
    throw validation('KeyId is required when the ciphertext was encrypted under an asymmetric KMS key.')
  }
  const key =
    job.keyId === undefined ? keyOfBlob(context, blob?.keyId, job.action) : findKey(context, job.keyId, job.action)
  if (blob !== undefined && blob.keyId !== key.id) throw incorrectKey()
  const kind = prepare(context, key, job.name, job.encryptionContext)
  if (job.ciphertext === undefined) return { key, plaintext: new Uint8Array(0) }
  if (kind === 'rsa') return { key, plaintext: openRsa(key, job.name, job.ciphertext) }
  const entry = key.materials.find(material => material.id === blob?.materialId)
  const plaintext = blob && entry && unseal(blob, entry.bytes, job.encryptionContext)
  if (plaintext === undefined) throw invalidCiphertext()
  return { key, plaintext, materialId: entry!.id }
}

function keyOfBlob(context: OpContext, id: string | undefined, action: string | undefined): KmsKey {
  if (id === undefined) throw invalidCiphertext()
  try {
    return findKey(context, id, action)
  } catch (problem) {
    if (!(problem instanceof AwsError) || problem.code !== 'NotFoundException') throw problem
    throw new AwsError(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are ' +
        'not allowed to access.',
    )
  }
}

function openRsa(key: KmsKey, name: string, ciphertext: Uint8Array): Uint8Array {
  const { privateKey } = rsaKeys(key.spec, currentMaterial(key)!.bytes)
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  try {
    return new Uint8Array(privateDecrypt({ key: privateKey!, padding, oaepHash: oaepHash(name) }, ciphertext))
  } catch {
    throw invalidCiphertext()
  }
}

/** In a dry run the caller may leave the ciphertext out, if it says so. */
function ciphertextOf(input: {
  CiphertextBlob: Uint8Array | undefined
  DryRun: boolean | undefined
  DryRunModifiers: readonly string[] | undefined
}): Uint8Array | undefined {
  const ignored = input.DryRunModifiers?.includes('IGNORE_CIPHERTEXT') === true
  if (ignored && !input.DryRun) throw validation('DryRunModifiers can be used with DryRun only.')
  if (ignored) return undefined
  if (input.CiphertextBlob !== undefined) return input.CiphertextBlob
  throw validation(
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
  )
}

/** Which key a blob left out belongs to cannot be told. */
function refuseKeyless(ciphertext: Uint8Array | undefined, keyId: string | undefined): void {
  if (ciphertext === undefined && keyId === undefined) {
    throw validation('KeyId is required when the ciphertext is ignored.')
  }
}

export const Decrypt = operation(
  struct({
    CiphertextBlob: optional(member.ciphertextBlob),
    EncryptionContext: member.encryptionContext,
    GrantTokens: member.grantTokens,
    KeyId: optional(member.keyId),
    EncryptionAlgorithm: algorithm,
    Recipient: member.recipient,
    DryRun: member.dryRun,
    DryRunModifiers: dryRunModifiers,
  }),
  (input, context) => {
    const ciphertext = ciphertextOf(input)
    refuseKeyless(ciphertext, input.KeyId)
    member.refuseRecipient(input.Recipient)
    const name = input.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const opened = open(context, { keyId: input.KeyId, name, ciphertext, encryptionContext: input.EncryptionContext })
    member.refuseGrantTokens(input.GrantTokens)
    if (input.DryRun) throw dryRunSucceeded()
    return {
      EncryptionAlgorithm: name,
      KeyId: opened.key.arn,
      KeyMaterialId: opened.materialId,
      Plaintext: opened.plaintext,
    }
  },
)

export const ReEncrypt = operation(
  struct({
    CiphertextBlob: optional(member.ciphertextBlob),
    SourceEncryptionContext: member.encryptionContext,
    SourceKeyId: optional(member.keyId),
    DestinationKeyId: required(member.keyId),
    DestinationEncryptionContext: member.encryptionContext,
    SourceEncryptionAlgorithm: algorithm,
    DestinationEncryptionAlgorithm: algorithm,
    GrantTokens: member.grantTokens,
    DryRun: member.dryRun,
    DryRunModifiers: dryRunModifiers,
  }),
  (input, context) => {
    const ciphertext = ciphertextOf(input)
    refuseKeyless(ciphertext, input.SourceKeyId)
    const from = input.SourceEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const to = input.DestinationEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const source = open(context, {
      keyId: input.SourceKeyId,
      name: from,
      ciphertext,
      encryptionContext: input.SourceEncryptionContext,
      action: 'ReEncryptFrom',
    })
    const key = findKey(context, input.DestinationKeyId, 'ReEncryptTo')
    prepare(context, key, to, input.DestinationEncryptionContext)
    checkLength(key, to, source.plaintext)
    member.refuseGrantTokens(input.GrantTokens)
    if (input.DryRun) throw dryRunSucceeded()
    return {
      CiphertextBlob: encryptUnder(context, key, to, source.plaintext, input.DestinationEncryptionContext),
      DestinationEncryptionAlgorithm: to,
      DestinationKeyMaterialId: to === 'SYMMETRIC_DEFAULT' ? currentMaterial(key)!.id : undefined,
      KeyId: key.arn,
      SourceEncryptionAlgorithm: from,
      SourceKeyId: source.key.arn,
      SourceKeyMaterialId: source.materialId,
    }
  },
)
