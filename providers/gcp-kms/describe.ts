import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyFacts, KeyRef, Scheme } from '../../src/domain/provider.ts'
import { equalBytes } from '../../src/bytes/equal.ts'
import { spkiFromPem } from '../../src/bytes/pem.ts'
import { ed25519FromSpki, secp256k1FromSpki } from '../../src/bytes/spki.ts'
import { type About, checkedBytes, corrupt, malformed, requireChecksum, requireName } from './integrity.ts'
import { fullName, isVersionName, lastOf, type Ring } from './names.ts'
import { isLevelOf, schemeOf, SPELLING } from './translate.ts'
import { listIn, type Message, messageIn, numberIn, OPERATIONS, textIn, type Wire } from './wire.ts'

const VERSIONS_MAX = 100

/**
 * GetPublicKey, every member of it checked. The reference to pin is the full name of a version. A key without a version
 * is looked up once, and only when it has a single enabled one: nobody should learn later which version was meant.
 * @throws `key/unsupported` for another kind of key or protection level; `key/mismatch` when another version answers.
 */
export async function describeKey(
  wire: Wire,
  provider: string,
  ring: Ring,
  asked: KeyRef,
  call: Call,
): Promise<KeyFacts> {
  const name = fullName(asked, ring)
  if (name === undefined) {
    const reason =
      'GetPublicKey: the reference is no resource name; use projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, ' +
      'or KEY/VERSION with project, location and keyRing configured'
    throw new SignerError('provider/refused', { provider, reason })
  }
  const reference = isVersionName(name) ? name : await onlyVersion(wire, provider, name, call)
  const answer = await wire.attempt(OPERATIONS.publicKey, { name: reference }, call)
  const about: About = { provider, operation: 'GetPublicKey', answer }
  requireName(about, reference)
  const level = textIn(answer.message, 'protectionLevel')
  const scheme = checkedScheme(reference, textIn(answer.message, 'algorithm'), level)
  const spki = checkedSpki(about)
  const publicKey = scheme === 'ed25519' ? ed25519FromSpki(spki) : secp256k1FromSpki(spki)
  if (publicKey === undefined) throw malformed(about, 'the public key is not the SPKI of its algorithm')
  const protection = wire.local ? 'unknown' : level === 'SOFTWARE' ? 'software' : 'hsm'
  return { reference, scheme, publicKey, protection }
}

function checkedScheme(key: KeyRef, algorithm: string | undefined, level: string | undefined): Scheme {
  const scheme = schemeOf(algorithm)
  const wanted = 'a signing key, EC_SIGN_ED25519 or EC_SIGN_SECP256K1_SHA256'
  if (scheme === undefined) {
    throw new SignerError('key/unsupported', { key, wanted, reason: 'the key version has another algorithm' })
  }
  if (!isLevelOf(scheme, level)) {
    const reason = `${SPELLING[scheme].algorithm} needs the protection level ${SPELLING[scheme].levels.join(' or ')}`
    throw new SignerError('key/unsupported', { key, wanted, reason })
  }
  return scheme
}

/** The key comes as PEM, beside it or instead of it as DER; whatever comes is checked, and both must say the same. */
function checkedSpki(about: About): Uint8Array {
  const { message } = about.answer
  const der = derKey(about, message)
  const pem = textIn(message, 'pem')
  if (pem === undefined) {
    if (der === undefined) throw malformed(about, 'the answer holds no public key')
    return der
  }
  requireChecksum(about, 'pem', new TextEncoder().encode(pem), numberIn(message, 'pemCrc32c'))
  const spki = spkiFromPem(pem)
  if (spki === undefined) throw malformed(about, 'the public key is no PEM')
  if (der !== undefined && !equalBytes(der, spki)) throw corrupt(about, 'the two forms of the public key differ')
  return spki
}

function derKey(about: About, message: Message): Uint8Array | undefined {
  const nested = messageIn(message, 'publicKey')
  if (nested === undefined) return undefined
  const data = checkedBytes(about, 'data', nested)
  return textIn(message, 'publicKeyFormat') === 'DER' ? data : undefined
}

async function onlyVersion(wire: Wire, provider: string, key: string, call: Call): Promise<string> {
  const answer = await wire.attempt(
    OPERATIONS.versions,
    { name: key, fields: { pageSize: VERSIONS_MAX, filter: 'state=ENABLED' } },
    call,
  )
  const about: About = { provider, operation: 'ListCryptoKeyVersions', answer }
  const enabled = listIn(answer.message, 'cryptoKeyVersions')
    .map(each => each as Message)
    .filter(each => textIn(each, 'state') === 'ENABLED')
    .map(each => textIn(each, 'name') ?? '')
  for (const name of enabled) {
    if (!isVersionName(name)) throw malformed(about, 'the answer names something that is no version')
    if (!name.startsWith(`${key}/cryptoKeyVersions/`)) {
      throw new SignerError('key/mismatch', { key, reason: 'Cloud KMS answered for another key' })
    }
  }
  const [only] = enabled
  const more = textIn(answer.message, 'nextPageToken') !== undefined
  if (only !== undefined && enabled.length === 1 && !more) return only
  const found =
    enabled.length === 0
      ? 'the key has no enabled version'
      : `the key has several enabled versions (${enabled.slice(0, 20).map(lastOf).join(', ')}${more || enabled.length > 20 ? ', …' : ''}); name one: ${key}/cryptoKeyVersions/N`
  throw new SignerError('provider/refused', { provider, reason: `ListCryptoKeyVersions: ${found}` })
}
