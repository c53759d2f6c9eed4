import { bytesOf, checkLength, locate, materialOf, operation, requirePurpose, verifyCrc } from './context.ts'
import { type AlgorithmRow, DIGEST_BYTES, type HashName } from './algorithms.ts'
import { crc32c } from './crc32c.ts'
import { badField, invalidArgument } from './errors.ts'
import type { Message } from './known-types.ts'
import { decryptOaep, hashWith, macOf, signDigest, signEd25519, signRawPkcs1 } from './material.ts'
import { equalBytes } from '../core/random.ts'
import type { OpContext } from './context.ts'

const DATA_MAX = 65_536

function requireData(context: OpContext, request: Message): Uint8Array {
  const data = bytesOf(request, 'data')
  checkLength('data', data, DATA_MAX)
  if (data.length === 0 && !context.rules.allowEmptyData)
    throw badField('data', "The request is missing the required field 'data'.")
  return data
}

/** The one member of `Digest` that the algorithm's hash names, at its length. */
function readDigest(row: AlgorithmRow, algorithm: string, digest: Message): Uint8Array {
  const [name, bytes] = (Object.entries(digest)[0] ?? ['', new Uint8Array(0)]) as [string, Uint8Array]
  if (name !== row.hash) {
    throw badField(
      'digest',
      `Digest type '${name}' is not valid for algorithm ${algorithm}: '${String(row.hash)}' is needed.`,
    )
  }
  if (bytes.length !== DIGEST_BYTES[name]) {
    throw badField(
      `digest.${name}`,
      `Digest '${name}' must be ${String(DIGEST_BYTES[name])} bytes long, but it is ${bytes.length}.`,
    )
  }
  return bytes
}

export const AsymmetricSign = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToSign', 'key')
    const { version, name, row } = located
    requirePurpose(located, 'ASYMMETRIC_SIGN')
    const digest = request['digest'] as Message | undefined
    if (digest !== undefined && bytesOf(request, 'data').length > 0) {
      throw invalidArgument("Fields 'digest' and 'data' are mutually exclusive.")
    }
    const takesData = row.family === 'ed25519' || row.scheme === 'raw-pkcs1'
    if (digest !== undefined && takesData) {
      throw badField('digest', `Algorithm ${version.algorithm} signs data: field 'digest' must not be set.`)
    }
    const job = digest === undefined ? requireData(context, request) : readDigest(row, version.algorithm, digest)
    const verified =
      digest === undefined
        ? { verifiedDataCrc32c: verifyCrc(request, 'data') }
        : { verifiedDigestCrc32c: verifyCrc(request, 'digest', job) }
    const material = await materialOf(context, located)
    const signature = sign(context, located, material, digest === undefined, job)
    return {
      signature,
      signatureCrc32c: crc32c(signature),
      ...verified,
      name,
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)

function sign(
  context: OpContext,
  { version, row }: Pick<ReturnType<typeof locate>, 'version' | 'row'>,
  material: Uint8Array,
  isData: boolean,
  bytes: Uint8Array,
): Uint8Array {
  if (row.family === 'ed25519') return signEd25519(material, bytes)
  if (row.scheme === 'raw-pkcs1') {
    const max = row.bits! / 8 - 11
    checkLength('data', bytes, max)
    return signRawPkcs1(version.algorithm, material, bytes)
  }
  const digest = isData ? hashWith(row.hash as HashName, bytes) : bytes
  return signDigest(version.algorithm, material, digest, context.entropy)
}

export const AsymmetricDecrypt = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToDecrypt', 'key')
    const { version } = located
    requirePurpose(located, 'ASYMMETRIC_DECRYPT')
    const verifiedCiphertextCrc32c = verifyCrc(request, 'ciphertext')
    const plaintext = decryptOaep(version.algorithm, await materialOf(context, located), bytesOf(request, 'ciphertext'))
    if (plaintext === undefined) throw invalidArgument('Decryption failed.')
    return {
      plaintext,
      plaintextCrc32c: crc32c(plaintext),
      verifiedCiphertextCrc32c,
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)

export const MacSign = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToSign', 'key')
    const { version, name } = located
    requirePurpose(located, 'MAC')
    const data = requireData(context, request)
    const verifiedDataCrc32c = verifyCrc(request, 'data')
    const mac = macOf(version.algorithm, await materialOf(context, located), data)
    return { name, mac, macCrc32c: crc32c(mac), verifiedDataCrc32c, protectionLevel: version.protectionLevel }
  },
  { crypto: true },
)

export const MacVerify = operation(
  async (request, context) => {
    const located = locate(context, request, 'cloudkms.cryptoKeyVersions.useToVerify', 'key')
    const { version, name } = located
    requirePurpose(located, 'MAC')
    const data = requireData(context, request)
    const [verifiedDataCrc32c, verifiedMacCrc32c] = [verifyCrc(request, 'data'), verifyCrc(request, 'mac')]
    const success = equalBytes(
      macOf(version.algorithm, await materialOf(context, located), data),
      bytesOf(request, 'mac'),
    )
    return {
      name,
      success,
      verifiedDataCrc32c,
      verifiedMacCrc32c,
      // Says that `success` itself arrived as it was meant: the two must agree
      verifiedSuccessIntegrity: success,
      protectionLevel: version.protectionLevel,
    }
  },
  { crypto: true },
)
