import { findKey, locate, operation, requireEnabled } from './context.ts'
import { crc32c } from './crc32c.ts'
import { badField, invalidArgument, notFound, precondition, unimplemented } from './errors.ts'
import { type Message, textOf } from './known-types.ts'
import { newVersion } from './keys.ts'
import { listPage } from './list.ts'
import { pemOf, publicKeyOf } from './material.ts'
import { keyOf, requireName } from './names.ts'
import { findVersion, showVersion } from './store.ts'

const VERSIONS = 'cloudkms.cryptoKeyVersions.'

export const CreateCryptoKeyVersion = operation(
  async (request, context) => {
    const parent = requireName(request['parent'], 'parent', 'cryptoKey')
    context.authorize(`${VERSIONS}create`, parent.full)
    const key = findKey(context, parent.full)
    if (key.importOnly) {
      throw precondition(`${key.name} is import-only: its versions must be imported.`, 'KEY_IMPORT_ONLY', key.name)
    }
    const version = await newVersion(context, key)
    const wanted = ((request['cryptoKeyVersion'] ?? {}) as Message)['state']
    if (wanted === 'DISABLED' && version.state === 'ENABLED') version.state = 'DISABLED'
    return showVersion(key, version)
  },
  { admin: true },
)

export const GetCryptoKeyVersion = operation((request, context) => {
  const { key, version } = locate(context, request, `${VERSIONS}get`, 'version')
  return showVersion(key, version)
})

export const ListCryptoKeyVersions = operation((request, context) => {
  const parent = requireName(request['parent'], 'parent', 'cryptoKey')
  context.authorize(`${VERSIONS}list`, parent.full)
  const key = findKey(context, parent.full)
  return listPage(
    request,
    'cryptoKeyVersions',
    key.versions.map(version => showVersion(key, version)),
  )
})

/** Callers switch between ENABLED and DISABLED; everything else has a method of its own. */
export const UpdateCryptoKeyVersion = operation(
  (request, context) => {
    const input = (request['cryptoKeyVersion'] ?? {}) as Message
    const name = requireName(input['name'], 'crypto_key_version.name', 'cryptoKeyVersion')
    context.authorize(`${VERSIONS}update`, name.full)
    const key = findKey(context, keyOf(name))
    const version = findVersion(key, Number(name.version))
    if (version === undefined) throw notFound('CryptoKeyVersion', name.full)
    const mask = (request['updateMask'] as readonly string[] | undefined) ?? []
    if (mask.length === 0) throw badField('update_mask', "The request is missing the required field 'update_mask'.")
    const wrong = mask.find(path => path !== 'state')
    if (wrong !== undefined)
      throw badField('update_mask', `Field '${wrong}' in update_mask is unknown or cannot be changed.`)
    const state = input['state']
    if (state !== 'ENABLED' && state !== 'DISABLED') {
      throw badField(
        'crypto_key_version.state',
        'The state of a CryptoKeyVersion can only be set to ENABLED or DISABLED.',
      )
    }
    if (version.state !== 'ENABLED' && version.state !== 'DISABLED') {
      throw precondition(
        `${name.full} cannot be set to ${state}, current state is: ${version.state}.`,
        `KEY_${version.state}`,
        name.full,
      )
    }
    version.state = state
    return showVersion(key, version)
  },
  { admin: true },
)

export const DestroyCryptoKeyVersion = operation(
  (request, context) => {
    const { key, version, name } = locate(context, request, `${VERSIONS}destroy`, 'version')
    if (version.state !== 'ENABLED' && version.state !== 'DISABLED') {
      throw precondition(
        `${name} cannot be destroyed, current state is: ${version.state}.`,
        `KEY_${version.state}`,
        name,
      )
    }
    version.state = 'DESTROY_SCHEDULED'
    version.destroyTime = context.now + key.destroyScheduledDuration
    return showVersion(key, version)
  },
  { admin: true },
)

export const RestoreCryptoKeyVersion = operation(
  (request, context) => {
    const { key, version, name } = locate(context, request, `${VERSIONS}restore`, 'version')
    if (version.state !== 'DESTROY_SCHEDULED') {
      throw precondition(
        `${name} is not scheduled for destruction, current state is: ${version.state}.`,
        `KEY_${version.state}`,
        name,
      )
    }
    version.state = 'DISABLED'
    version.destroyTime = undefined
    return showVersion(key, version)
  },
  { admin: true },
)

/** A format that was asked for stands in `publicKey`; otherwise the PEM text in `pem`. */
export const GetPublicKey = operation(
  (request, context) => {
    const located = locate(context, request, `${VERSIONS}viewPublicKey`, 'version')
    const { key, version, name } = located
    if (key.purpose !== 'ASYMMETRIC_SIGN' && key.purpose !== 'ASYMMETRIC_DECRYPT') {
      throw invalidArgument(`${name} has purpose ${key.purpose}: only asymmetric keys have a public key.`)
    }
    requireEnabled(located)
    const spki = publicKeyOf(version.algorithm, version.material!)
    const facts = { name, algorithm: version.algorithm, protectionLevel: version.protectionLevel }
    const format = textOf(request, 'publicKeyFormat')
    const pem = pemOf(spki)
    const text = new TextEncoder().encode(pem)
    switch (format) {
      case '':
      case 'PUBLIC_KEY_FORMAT_UNSPECIFIED':
        return { ...facts, pem, pemCrc32c: crc32c(text) }
      case 'PEM':
        return { ...facts, publicKeyFormat: 'PEM', publicKey: { data: text, crc32cChecksum: crc32c(text) } }
      case 'DER':
        return { ...facts, publicKeyFormat: 'DER', publicKey: { data: spki, crc32cChecksum: crc32c(spki) } }
      case 'NIST_PQC':
      case 'XWING_RAW_BYTES':
        throw badField(
          'public_key_format',
          `Public key format ${format} is not supported for algorithm ${version.algorithm}.`,
        )
      default:
        throw unimplemented(`local-kms has no public key format ${format}.`)
    }
  },
  { crypto: true },
)
