import { constants, privateDecrypt } from 'node:crypto'
import { aeskwp } from '@noble/ciphers/aes.js'
import { fromHex, toHex } from '../core/random.ts'
import { generateRsa, readRsa } from '../core/rsa.ts'
import { findManagedKey, type OpContext, operation, refuseStates } from './context.ts'
import { AwsError, invalidCiphertext, unsupported, validation } from './errors.ts'
import { readMaterial } from './material.ts'
import * as member from './members.ts'
import { blob, oneOf, optional, required, string, struct, timestamp } from './shapes.ts'
import { specRow, WRAPPING_ALGORITHMS, WRAPPING_KEY_SPECS } from './specs.ts'
import { DAY_MS, dropMaterial, type ImportTicket, type KmsKey, materialId, seconds } from './store.ts'

function externalKey(context: OpContext, id: string): KmsKey {
  const key = findManagedKey(context, id)
  if (key.origin !== 'EXTERNAL') {
    throw unsupported(`${key.arn} origin is ${key.origin} which is not valid for this operation.`)
  }
  return key
}

export const GetParametersForImport = operation(
  struct({
    KeyId: required(member.keyId),
    WrappingAlgorithm: required(oneOf(WRAPPING_ALGORITHMS)),
    WrappingKeySpec: required(oneOf(WRAPPING_KEY_SPECS)),
  }),
  async (input, context) => {
    const key = externalKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'Unavailable', 'Creating', 'Updating')
    if (input.WrappingKeySpec === 'SM2' || input.WrappingAlgorithm === 'SM2PKE') {
      throw unsupported('SM2 is offered in the China Regions only.')
    }
    if (input.WrappingAlgorithm === 'RSAES_PKCS1_V1_5') {
      throw unsupported('The wrapping algorithm RSAES_PKCS1_V1_5 is no longer supported.')
    }
    if (specRow(key.spec).family === 'rsa' && !input.WrappingAlgorithm.startsWith('RSA_AES_KEY_WRAP')) {
      throw unsupported(`${input.WrappingAlgorithm} cannot wrap key material of key spec ${key.spec}.`)
    }
    const wrappingKey = await generateRsa(Number(input.WrappingKeySpec.slice('RSA_'.length)))
    const ticket: ImportTicket = {
      token: toHex(context.entropy.bytes(128)),
      keyArn: key.arn,
      algorithm: input.WrappingAlgorithm,
      wrappingKey,
      validTo: context.now + DAY_MS,
    }
    dropOld(context)
    context.store.imports.set(ticket.token, ticket)
    const { publicKey } = readRsa(wrappingKey)
    return {
      ImportToken: fromHex(ticket.token),
      KeyId: key.arn,
      ParametersValidTo: seconds(ticket.validTo),
      PublicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    }
  },
  { mutates: true },
)

/** Expired tokens are told from unknown ones for a week, then forgotten. */
function dropOld(context: OpContext): void {
  for (const [token, ticket] of context.store.imports) {
    if (ticket.validTo + 7 * DAY_MS < context.now) context.store.imports.delete(token)
  }
}

const MODELS = ['KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE'] as const

export const ImportKeyMaterial = operation(
  struct({
    KeyId: required(member.keyId),
    ImportToken: required(blob(1, 6144)),
    EncryptedKeyMaterial: required(blob(1, 6144)),
    ValidTo: optional(timestamp),
    ExpirationModel: optional(oneOf(MODELS)),
    ImportType: optional(oneOf(['NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL'])),
    KeyMaterialDescription: optional(string({ max: 256 })),
    KeyMaterialId: optional(string({ min: 64, max: 64, pattern: /^[a-f0-9]+$/ })),
  }),
  (input, context) => {
    const model = input.ExpirationModel ?? 'KEY_MATERIAL_EXPIRES'
    checkExpiry(model, input.ValidTo, context.now)
    const key = externalKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'Unavailable', 'Creating', 'Updating')
    const ticket = readTicket(context, key, input.ImportToken)
    const material = readMaterial(key.spec, unwrap(ticket, input.EncryptedKeyMaterial), false)
    if (material === undefined) {
      throw new AwsError('IncorrectKeyMaterialException', `The key material does not fit a key of spec ${key.spec}.`)
    }
    const id = materialId(key.arn, material)
    checkSame(key, id, input)
    key.importedId = id
    key.materials = [{ id, bytes: material, since: context.now }]
    key.expirationModel = model
    key.validTo = input.ValidTo
    key.state = 'Enabled'
    return { KeyId: key.arn, KeyMaterialId: key.spec === 'SYMMETRIC_DEFAULT' ? id : undefined }
  },
  { mutates: true },
)

function checkExpiry(model: string, validTo: number | undefined, now: number): void {
  if (model === 'KEY_MATERIAL_EXPIRES' && validTo === undefined) {
    throw validation('A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES')
  }
  if (model === 'KEY_MATERIAL_DOES_NOT_EXPIRE' && validTo !== undefined) {
    throw validation('A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE')
  }
  if (validTo !== undefined && (validTo <= now || validTo > now + 365 * DAY_MS)) {
    throw validation('The validTo date must be in the future and at most 365 days ahead.')
  }
}

function readTicket(context: OpContext, key: KmsKey, token: Uint8Array): ImportTicket {
  const ticket = context.store.imports.get(toHex(token))
  if (ticket === undefined || ticket.keyArn !== key.arn) {
    throw new AwsError('InvalidImportTokenException', 'The import token is invalid or belongs to another KMS key.')
  }
  if (ticket.validTo <= context.now) {
    throw new AwsError('ExpiredImportTokenException', 'The import token has expired.')
  }
  return ticket
}

/** RSA-OAEP alone, or an OAEP-wrapped AES key before AES-KWP (RFC 5649) of the material. */
function unwrap(ticket: ImportTicket, wrapped: Uint8Array): Uint8Array {
  const { key, privateKey } = readRsa(ticket.wrappingKey)
  const oaepHash = ticket.algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256'
  const oaep = (bytes: Uint8Array): Uint8Array =>
    new Uint8Array(privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, bytes))
  try {
    if (ticket.algorithm.startsWith('RSAES_OAEP')) return oaep(wrapped)
    return aeskwp(oaep(wrapped.subarray(0, key.bytes))).decrypt(wrapped.subarray(key.bytes))
  } catch {
    throw invalidCiphertext()
  }
}

/** After the first import a key takes the same material again and no other. */
function checkSame(
  key: KmsKey,
  id: string,
  input: { ImportType: string | undefined; KeyMaterialId: string | undefined },
): void {
  if (input.ImportType === 'NEW_KEY_MATERIAL' && key.importedId !== undefined) {
    throw unsupported('local-kms keeps one imported key material for a key.')
  }
  if (input.ImportType === 'EXISTING_KEY_MATERIAL' && key.importedId === undefined) {
    throw new AwsError('IncorrectKeyMaterialException', 'No key material was imported into this KMS key before.')
  }
  if ((key.importedId !== undefined && key.importedId !== id) || (input.KeyMaterialId ?? id) !== id) {
    throw new AwsError(
      'IncorrectKeyMaterialException',
      'The key material is not the same key material that was previously imported into this KMS key.',
    )
  }
}

export const DeleteImportedKeyMaterial = operation(
  struct({ KeyId: required(member.keyId), KeyMaterialId: optional(string({ min: 64, max: 64 })) }),
  (input, context) => {
    const key = externalKey(context, input.KeyId)
    refuseStates(key, 'Unavailable', 'Creating', 'Updating')
    const id = key.materials.at(-1)?.id
    if (input.KeyMaterialId !== undefined && input.KeyMaterialId !== (id ?? key.importedId)) {
      throw new AwsError('NotFoundException', `Key material ${input.KeyMaterialId} does not exist`)
    }
    dropMaterial(key)
    return { KeyId: key.arn, KeyMaterialId: key.spec === 'SYMMETRIC_DEFAULT' ? id : undefined }
  },
  { mutates: true },
)
