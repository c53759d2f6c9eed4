import { blockMode, gcmOpen, gcmSeal, NONCE_BYTES, parseBlob, seal, unseal } from './ciphertext.ts'
import {
  bytesOf,
  checkAeadLengths,
  checkLength,
  findKey,
  locate,
  materialOf,
  operation,
  requirePurpose,
  verifyCrc,
} from './context.ts'
import { crc32c } from './crc32c.ts'
import { badField, invalidArgument, notFound, precondition } from './errors.ts'
import { keyOf, requireName, versionName } from './names.ts'
import { findVersion } from './store.ts'

const AAD = 'additionalAuthenticatedData'

/** A key's name encrypts under the primary version, a version's under that version. */
export const Encrypt = operation(
  async (request, context) => {
    const name = requireName(request['name'], 'name', 'cryptoKey', 'cryptoKeyVersion')
    context.authorize('cloudkms.cryptoKeyVersions.useToEncrypt', keyOf(name))
    const key = findKey(context, keyOf(name))
    requirePurpose({ key }, 'ENCRYPT_DECRYPT')
    const id = name.version === '' ? key.primary : Number(name.version)
    if (id === undefined) throw precondition(`${key.name} has no primary version.`, 'KEY_NO_PRIMARY', key.name)
    const version = findVersion(key, id)
    if (version === undefined) throw notFound('CryptoKeyVersion', name.full)
    const used = versionName(key.name, id)
    const [plaintext, aad] = [bytesOf(request, 'plaintext'), bytesOf(request, AAD)]
    checkAeadLengths(version, plaintext, aad, 'plaintext')
    const verified = [verifyCrc(request, 'plaintext'), verifyCrc(request, AAD)] as const
    const material = await materialOf(context, { version, name: used })
    const ciphertext = seal({ keyName: key.name, version: id, material }, plaintext, aad, context.entropy)
    return {
      name: used,
      ciphertext,
      ciphertextCrc32c: crc32c(ciphertext),
      verifiedPlaintextCrc32c: verified[0],
      verifiedAdditionalAuthenticatedDataCrc32c: verified[1],
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)

export const Decrypt = operation(
  async (request, context) => {
    const name = requireName(request['name'], 'name', 'cryptoKey')
    context.authorize('cloudkms.cryptoKeyVersions.useToDecrypt', name.full)
    const key = findKey(context, name.full)
    requirePurpose({ key }, 'ENCRYPT_DECRYPT')
    const [ciphertext, aad] = [bytesOf(request, 'ciphertext'), bytesOf(request, AAD)]
    checkLength('ciphertext', ciphertext, 128 * 1024)
    verifyCrc(request, 'ciphertext')
    verifyCrc(request, AAD)
    const blob = parseBlob(ciphertext)
    const version = blob?.keyName === key.name ? findVersion(key, blob.version) : undefined
    if (blob === undefined || version === undefined) {
      throw invalidArgument("Decryption failed: verify that 'name' refers to the correct CryptoKey.")
    }
    const material = await materialOf(context, { version, name: versionName(key.name, version.id) })
    const plaintext = unseal(blob, material, aad)
    if (plaintext === undefined) throw invalidArgument('Decryption failed: the ciphertext is invalid.')
    return {
      plaintext,
      plaintextCrc32c: crc32c(plaintext),
      usedPrimary: version.id === key.primary,
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)

const BLOCK = 16
const IV = 'initializationVector'

export const RawEncrypt = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToEncrypt', 'key')
    const { version, name, row } = located
    requirePurpose(located, 'RAW_ENCRYPT_DECRYPT')
    const [plaintext, aad, given] = [bytesOf(request, 'plaintext'), bytesOf(request, AAD), bytesOf(request, IV)]
    checkAeadLengths(version, plaintext, aad, 'plaintext')
    const verified = [verifyCrc(request, 'plaintext'), verifyCrc(request, AAD), verifyCrc(request, IV)] as const
    const mode = row.mode!
    if (mode === 'gcm' && given.length > 0) {
      throw badField(
        'initialization_vector',
        'initialization_vector must not be set for AES-GCM: the service makes it.',
      )
    }
    checkMode(mode, plaintext, aad, given, true)
    const iv = given.length > 0 ? given : context.entropy.bytes(mode === 'gcm' ? NONCE_BYTES : BLOCK)
    const material = await materialOf(context, located)
    const ciphertext =
      mode === 'gcm' ? gcmSeal(material, iv, plaintext, aad) : blockMode(mode, 'seal', material, iv, plaintext)
    return {
      ciphertext,
      initializationVector: iv,
      tagLength: mode === 'gcm' ? BLOCK : undefined,
      ciphertextCrc32c: crc32c(ciphertext),
      initializationVectorCrc32c: crc32c(iv),
      verifiedPlaintextCrc32c: verified[0],
      verifiedAdditionalAuthenticatedDataCrc32c: verified[1],
      verifiedInitializationVectorCrc32c: verified[2],
      name,
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)

export const RawDecrypt = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToDecrypt', 'key')
    const { version, row } = located
    requirePurpose(located, 'RAW_ENCRYPT_DECRYPT')
    const [ciphertext, aad, iv] = [bytesOf(request, 'ciphertext'), bytesOf(request, AAD), bytesOf(request, IV)]
    checkLength('ciphertext', ciphertext, 65_536 + BLOCK)
    const verified = [verifyCrc(request, 'ciphertext'), verifyCrc(request, AAD), verifyCrc(request, IV)] as const
    const mode = row.mode!
    checkMode(mode, ciphertext, aad, iv, false)
    const tagBytes = Number(request['tagLength'] ?? 0) || BLOCK
    if (mode === 'gcm' && (tagBytes < 12 || tagBytes > 16)) {
      throw badField('tag_length', `tag_length must be between 12 and 16 bytes, but it is ${tagBytes}.`)
    }
    const material = await materialOf(context, located)
    const plaintext =
      mode === 'gcm'
        ? gcmOpen(material, iv, ciphertext, aad, tagBytes)
        : blockMode(mode, 'open', material, iv, ciphertext)
    if (plaintext === undefined) throw invalidArgument('Decryption failed: the ciphertext is invalid.')
    return {
      plaintext,
      plaintextCrc32c: crc32c(plaintext),
      protectionLevel: version.protectionLevel,
      verifiedCiphertextCrc32c: verified[0],
      verifiedAdditionalAuthenticatedDataCrc32c: verified[1],
      verifiedInitializationVectorCrc32c: verified[2],
    }
  },
  { crypto: true },
)

/** What each mode takes: GCM a nonce of 12 bytes and additional data; CBC whole blocks; CBC and CTR a block of IV. */
function checkMode(
  mode: 'gcm' | 'cbc' | 'ctr',
  data: Uint8Array,
  aad: Uint8Array,
  iv: Uint8Array,
  sealing: boolean,
): void {
  if (mode !== 'gcm' && aad.length > 0) {
    throw badField(
      'additional_authenticated_data',
      `additional_authenticated_data is not supported for AES-${mode.toUpperCase()}.`,
    )
  }
  const wanted = mode === 'gcm' ? NONCE_BYTES : BLOCK
  if (iv.length !== wanted && !(sealing && iv.length === 0)) {
    throw badField(
      'initialization_vector',
      `initialization_vector must be ${wanted} bytes long, but it is ${iv.length}.`,
    )
  }
  if (mode === 'cbc' && data.length % BLOCK !== 0) {
    const field = sealing ? 'plaintext' : 'ciphertext'
    throw badField(field, `The length of field '${field}' must be a multiple of ${BLOCK} bytes for AES-CBC.`)
  }
}
