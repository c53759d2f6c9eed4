import { equalBytes } from '../src/bytes/equal.ts'
import { toPkcs8 } from '../src/bytes/pkcs8.ts'
import { secretCopy } from '../src/bytes/secret-room.ts'
import { type AnySignerError, isSignerError, SignerError } from '../src/domain/errors.ts'
import type { Random } from '../src/domain/ports.ts'
import type { Call, ImportKey, ImportWrap, KeyFacts, KeyRef, Scheme } from '../src/domain/provider.ts'
import { wrapKey } from './key-wrap.ts'
import type { ProviderWorld } from './world.ts'

/** All three services take RSA-OAEP with SHA-256, and AES-256 in RFC 5649 behind it. */
const WRAPS: readonly ImportWrap[] = ['rsa-aes', 'rsa-oaep']
const PUBLIC_KEY_BYTES: Readonly<Record<Scheme, number>> = { ed25519: 32, 'ecdsa-secp256k1': 65 }
/** Cleaning up belongs to no caller's deadline, so it has its own. */
const UNDO_MS = 10_000
const UNDO_TRIES = 3

/** What a service can be asked for at all. @throws `key/unsupported`, before anything leaves. */
export function requireImportable(
  { scheme, label, key, publicKey, wrap }: ImportKey,
  service: string,
  { schemes, wraps = WRAPS }: { readonly schemes: readonly Scheme[]; readonly wraps?: readonly ImportWrap[] },
): void {
  const unsupported = (wanted: string, reason: string) =>
    new SignerError('key/unsupported', { key: label, wanted, reason })
  if (!schemes.includes(scheme)) {
    throw unsupported((scheme as string).slice(0, 40), `${service} takes no such key; keep it as an envelope`)
  }
  if (wrap !== undefined && !wraps.includes(wrap)) {
    throw unsupported((wrap as string).slice(0, 40), `${service} takes keys wrapped as ${wraps.join(' or ')}`)
  }
  if (key.length !== 32) throw unsupported(scheme, `a private key has 32 bytes, not ${key.length}`)
  const wanted = PUBLIC_KEY_BYTES[scheme]
  if (publicKey.length !== wanted) {
    throw unsupported(scheme, `its public key has ${wanted} bytes, not ${publicKey.length}`)
  }
}

/**
 * The private key as the service's import key alone can read it.
 * @param spki  RSA public key of the service, DER.
 * @param bits  its length, as it was asked for: a shorter one would be easier to break than the key that travels under it.
 * @returns     RSA-OAEP(AES key) ‖ AES-KWP(PKCS#8), or RSA-OAEP(PKCS#8); undefined when `spki` is no such key.
 * @see         RFC 8017 §7.1, RFC 5649 §3; AWS KMS "Encrypt key material", Cloud KMS "Key wrapping", Vault "Bring your own key"
 */
export async function wrapForImport(
  { scheme, key, publicKey, wrap = 'rsa-aes' }: ImportKey,
  { spki, bits }: { readonly spki: Uint8Array; readonly bits: number },
  random: Random,
): Promise<Uint8Array | undefined> {
  const rsa = await rsaKey(spki, bits)
  if (rsa === undefined) return undefined
  const oaep = async (plain: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.encrypt({ name: 'RSA-OAEP' }, rsa, plain as Uint8Array<ArrayBuffer>))
  const pkcs8 = key.use(bytes => toPkcs8(scheme, bytes, publicKey))
  // Of the two ways, this one hands the runtime a key of one use and never the private key itself.
  const aes = wrap === 'rsa-aes' ? freshKey(random) : undefined
  try {
    if (aes === undefined) return await oaep(pkcs8)
    const material = wrapKey(aes, pkcs8)
    pkcs8.fill(0)
    return joined(await oaep(aes), material)
  } finally {
    pkcs8.fill(0)
    aes?.fill(0)
  }
}

function freshKey(random: Random): Uint8Array {
  const drawn = random.bytes(32)
  const key = secretCopy(drawn)
  drawn.fill(0)
  return key
}

async function rsaKey(spki: Uint8Array, bits: number): Promise<CryptoKey | undefined> {
  const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256' }
  try {
    const key = await crypto.subtle.importKey('spki', spki as Uint8Array<ArrayBuffer>, algorithm, true, ['encrypt'])
    // WebCrypto lets bytes follow the key; written again, it is all there is.
    if (!equalBytes(new Uint8Array(await crypto.subtle.exportKey('spki', key)), spki)) return undefined
    const { modulusLength, publicExponent } = key.algorithm as RsaAlgorithm
    return modulusLength === bits && equalBytes(publicExponent, F4) ? key : undefined
  } catch {
    return undefined
  }
}
type RsaAlgorithm = CryptoKey['algorithm'] & { modulusLength: number; publicExponent: Uint8Array }
const F4 = new Uint8Array([1, 0, 1])

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}

/** @throws `key/mismatch` */
export function requireImported({ scheme, publicKey }: ImportKey, service: string, facts: KeyFacts): void {
  if (facts.scheme === scheme && equalBytes(facts.publicKey, publicKey)) return
  const reason = `${service} has another public key than the one the imported key gives`
  throw new SignerError('key/mismatch', { key: facts.reference, reason })
}

/**
 * An import that failed leaves nothing usable: `undo` runs with a deadline of its own, a few times if need be.
 * @throws `cause`; when nothing could be undone, with the reference of what is left, and never as something to be tried again
 */
export async function abandon(
  { clock }: Pick<ProviderWorld, 'clock'>,
  { left, requestId, cause }: { readonly left: KeyRef; readonly requestId: string; readonly cause: unknown },
  undo: (call: Call) => Promise<unknown>,
): Promise<never> {
  const late = new AbortController()
  const done = new AbortController()
  clock.sleep(UNDO_MS, done.signal).then(
    () => late.abort(new Error('cleaning up took too long')),
    () => {},
  )
  let undone = false
  for (let attempt = 1; !undone && attempt <= UNDO_TRIES && !late.signal.aborted; attempt++) {
    undone = await undo({ requestId, signal: late.signal }).then(
      () => true,
      () => false,
    )
  }
  done.abort(new Error('done'))
  throw undone || !isSignerError(cause) ? cause : withRest(cause, left)
}

function withRest(error: AnySignerError, left: KeyRef): SignerError {
  const { reason = '', ...detail } = error.detail as { reason?: string; provider: string }
  const told = { ...detail, reason: `${reason}; ${left} may hold the key and could not be destroyed: do it by hand` }
  const code = error.code === 'provider/unavailable' ? 'provider/ambiguous' : error.code
  return new SignerError(code as 'provider/ambiguous', told, { cause: error })
}

/** @throws `key/unsupported` */
export function requireDays(key: KeyRef, days: number, daysMax: number): void {
  if (Number.isSafeInteger(days) && days >= 0 && days <= daysMax) return
  const reason = `days is a whole number from 0 to ${daysMax} here`
  throw new SignerError('key/unsupported', {
    key,
    wanted: `destruction after ${String(days).slice(0, 20)} days`,
    reason,
  })
}
