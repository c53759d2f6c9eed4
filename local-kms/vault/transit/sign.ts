import type { Call, Result, Route } from '../context.ts'
import { bad, failed, type VaultError } from '../errors.ts'
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url, GoError } from '../go.ts'
import { type Item, looseItems, textOf } from './batch.ts'
import { type HashRow, hashNamed } from './hashes.ts'
import {
  derivedPublicKey,
  derivedSeed,
  generateMaterial,
  isEcdsaDer,
  signEcdsa,
  signEd25519,
  verifyEcdsa,
  verifyEd25519,
} from './material.ts'
import { findKey, SOFT_DELETED, type TransitKey, versionOf } from './model.ts'
import { rowOf } from './types.ts'
import { type SaltLength, signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa.ts'
import { verifyHmacs } from './hmac.ts'

const FIELDS = {
  name: 'string',
  input: 'string',
  context: 'string',
  hash_algorithm: 'string',
  algorithm: 'string',
  urlalgorithm: 'string',
  key_version: 'int',
  prehashed: 'bool',
  signature_algorithm: 'string',
  marshaling_algorithm: 'string',
  salt_length: 'string',
  batch_input: 'list',
} as const
const VERIFY_FIELDS = { ...FIELDS, signature: 'string', hmac: 'string' } as const

/** What holds for the whole request. */
interface Terms {
  readonly hash: HashRow | undefined
  readonly hashName: string
  readonly jws: boolean
  readonly prehashed: boolean
  readonly algorithm: string
  readonly salt: SaltLength
}

/** An error of one item that the server gives another status than 400 when it stands alone. */
class Inner extends Error {}

function readTerms({ data }: Call): Terms {
  const hashName =
    data.string('urlalgorithm') || data.string('hash_algorithm') || data.string('algorithm') || 'sha2-256'
  const hash = hashNamed(hashName)
  if (hash === undefined && hashName !== 'none') throw bad(`invalid hash algorithm ${JSON.stringify(hashName)}`)
  const marshaling = data.string('marshaling_algorithm', 'asn1')
  if (!['asn1', 'jws'].includes(marshaling)) throw bad(`invalid marshaling type ${JSON.stringify(marshaling)}`)
  return {
    hash,
    hashName,
    jws: marshaling === 'jws',
    prehashed: data.bool('prehashed'),
    algorithm: data.string('signature_algorithm'),
    salt: readSalt(data.string('salt_length', 'auto')),
  }
}

function readSalt(text: string): SaltLength {
  const word = text.toLowerCase()
  if (word === 'auto' || word === 'hash') return word
  if (!/^[+-]?\d+$/.test(word)) throw bad(`salt length neither 'auto', 'hash', nor an int: ${text}`)
  if (Number(word) < -1) throw bad(`salt length is invalid: ${Number(word)}`)
  return Number(word) === -1 ? 'hash' : Number(word) === 0 ? 'auto' : Number(word)
}

function checkTerms(terms: Terms, key: TransitKey, verb: 'signing' | 'verification'): void {
  if (!rowOf(key.type).signs) throw bad(`key type ${key.type} does not support ${verb}`)
  if (terms.hashName === 'none' && (!terms.prehashed || terms.algorithm !== 'pkcs1v15')) {
    throw bad('hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15')
  }
}

/** Vault CE from 1.19 on signs pure Ed25519 only, and says so; OpenBao ignores the parameters. */
function refuseHashing(call: Call, key: TransitKey, terms: Terms): void {
  if (call.core.flavour !== 'vault' || rowOf(key.type).family !== 'ed25519') return
  const says = (text: string): VaultError =>
    bad(`failed to parse batch item: only Pure Ed25519 signatures supported, ${text}`)
  if (terms.prehashed) throw says('prehashed must be false')
  // The misspelling is the server's
  if (terms.hashName === 'sha2-512') throw says('hash_alogithm should not be set')
}

function digestOf(key: TransitKey, terms: Terms, input: Uint8Array): Uint8Array {
  if (rowOf(key.type).family === 'ed25519' || terms.prehashed || terms.hash === undefined) return input
  return terms.hash.hash(input)
}

function readInput(text: string | undefined): Uint8Array {
  if (text === undefined) throw bad('missing input')
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(`unable to decode input as base64: ${problem.message}`)
    throw problem
  }
}

function readItemContext(text: string | undefined): Uint8Array {
  try {
    return decodeBase64(text ?? '')
  } catch (problem) {
    if (problem instanceof GoError) throw bad('failed to base64-decode context')
    throw problem
  }
}

const MISSING_CONTEXT =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key"

interface Signed {
  readonly signature: string
  readonly version: number
  readonly publicKey: Uint8Array | undefined
}

function signItem(call: Call, key: TransitKey, terms: Terms, item: Item, wanted: number): Signed {
  const input = readInput(textOf(item, 'input'))
  const context = readItemContext(textOf(item, 'context'))
  refuseHashing(call, key, terms)
  if (key.softDeleted) throw new Inner(SOFT_DELETED)
  const says = (text: string): Inner => new Inner(`requested version for signing ${text}`)
  if (wanted < 0) throw says('is negative')
  if (wanted > key.latest) throw says('is higher than the latest key version')
  const number = wanted === 0 ? key.latest : wanted
  if (wanted !== 0 && wanted < key.minEncryption) throw says('is less than the minimum encryption key version')
  const version = versionOf(key, number)
  if (number < key.minDecryption || version === undefined) throw new Inner('key version does not exist')
  if (version.material === '') throw says('does not contain a private part')
  const { bytes, publicKey } = signBytes(
    call,
    key,
    decodeBase64(version.material),
    terms,
    digestOf(key, terms, input),
    context,
  )
  const text = terms.jws ? encodeBase64Url(bytes) : encodeBase64(bytes)
  return { signature: `vault:v${number}:${text}`, version: number, publicKey }
}

function signBytes(
  call: Call,
  key: TransitKey,
  secret: Uint8Array,
  terms: Terms,
  digest: Uint8Array,
  context: Uint8Array,
): { bytes: Uint8Array; publicKey: Uint8Array | undefined } {
  const row = rowOf(key.type)
  if (row.family === 'ed25519') {
    if (!key.derived) return { bytes: signEd25519(secret, digest), publicKey: undefined }
    if (context.length === 0) throw new Inner(`error deriving key: ${MISSING_CONTEXT}`)
    // The server derives 32 bytes from an imported key and takes them for its 64-byte form
    if (key.imported) throw new Inner('ed25519: bad private key length: 32')
    return { bytes: signEd25519(derivedSeed(secret, context), digest), publicKey: derivedPublicKey(secret, context) }
  }
  if (row.family === 'ecdsa') {
    return { bytes: signEcdsa(call.core, row.curve!, secret, digest, terms.jws), publicKey: undefined }
  }
  try {
    return { bytes: signRsa(call, secret, terms, digest), publicKey: undefined }
  } catch (problem) {
    if (problem instanceof GoError) throw new Inner(problem.message)
    throw problem
  }
}

function signRsa(call: Call, secret: Uint8Array, terms: Terms, digest: Uint8Array): Uint8Array {
  if (terms.algorithm === 'pkcs1v15') return signPkcs1(secret, digest, terms.hash)
  if (terms.algorithm !== '' && terms.algorithm !== 'pss') {
    throw new GoError(`unsupported rsa signature algorithm ${terms.algorithm}`)
  }
  return signPss(secret, digest, terms.hash!, terms.salt, call.core.entropy)
}

async function sign(call: Call): Promise<Result> {
  const { data } = call
  const terms = readTerms(call)
  let key = await findKey(call)
  if (key === undefined) throw bad('signing key not found')
  checkTerms(terms, key, 'signing')
  if (call.stranger) key = await strangerFor(call, key)
  const wanted = data.int('key_version')
  const batch = data.raw['batch_input']
  if (batch === undefined || batch === null) {
    const item = { input: data.string('input'), context: data.string('context') }
    const { signature, version, publicKey } = alone(() => signItem(call, key, terms, item, wanted))
    return {
      data: {
        key_version: version,
        ...(publicKey === undefined ? {} : { public_key: encodeBase64(publicKey) }),
        signature,
      },
    }
  }
  const items = looseItems(batch, 'transit.batchRequestSignItem')
  if (items.length === 0) throw bad('missing batch input to process')
  return {
    data: {
      batch_results: items.map(item => {
        const reference = textOf(item, 'reference') ?? ''
        try {
          const { signature, version, publicKey } = signItem(call, key, terms, item, wanted)
          const derived = publicKey === undefined ? {} : { publickey: encodeBase64(publicKey) }
          return { signature, key_version: version, ...derived, reference }
        } catch (problem) {
          return { key_version: 0, error: textOfProblem(problem), reference }
        }
      }),
    },
  }
}

/** The same key with a secret nobody knows. */
async function strangerFor(call: Call, key: TransitKey): Promise<TransitKey> {
  const core = { ...call.core, streams: () => call.core.entropy, world: { ...call.core.world, seeded: false } }
  const { material } = await generateMaterial(core, key.type, key.keySize)
  const versions = Object.fromEntries(
    Object.entries(key.versions).map(([number, version]) => [number, { ...version, material: encodeBase64(material) }]),
  )
  return { ...key, versions }
}

/** One item's trouble as the answer to a request without a batch. */
function alone<T>(act: () => T): T {
  try {
    return act()
  } catch (problem) {
    if (problem instanceof Inner) throw failed(problem.message)
    throw problem
  }
}

function textOfProblem(problem: unknown): string {
  if (problem instanceof Error && (problem instanceof Inner || 'texts' in problem)) return problem.message
  throw problem
}

/** The version and the bytes of a signature. @throws VaultError 400 */
function readSignature(key: TransitKey, text: string, jws: boolean): { number: number; bytes: Uint8Array } {
  if (!text.startsWith('vault:v')) throw bad('invalid signature: no prefix')
  const parts = text.slice('vault:v'.length).split(':')
  if (parts.length !== 2) throw bad('invalid signature: wrong number of fields')
  if (!/^[+-]?\d+$/.test(parts[0]!)) throw bad('invalid signature: version number could not be decoded')
  const number = Number(parts[0])
  if (number > key.latest) throw bad('invalid signature: version is too new')
  if (key.minDecryption > 0 && number < key.minDecryption) {
    throw bad('ciphertext or signature version is disallowed by policy (too old)')
  }
  const bytes = jws ? decodeBase64Url(parts[1]!) : standard(parts[1]!)
  if (bytes === undefined) throw bad('invalid base64 signature value')
  return { number, bytes }
}

function standard(text: string): Uint8Array | undefined {
  try {
    return decodeBase64(text)
  } catch {
    return undefined
  }
}

function verifyItem(call: Call, key: TransitKey, terms: Terms, item: Item): boolean {
  const input = readInput(textOf(item, 'input'))
  const given = textOf(item, 'signature')
  if (given === undefined) throw bad('missing signature')
  const context = readItemContext(textOf(item, 'context'))
  refuseHashing(call, key, terms)
  if (key.softDeleted) throw bad(SOFT_DELETED)
  const { number, bytes } = readSignature(key, given, terms.jws)
  const version = versionOf(key, number)
  if (version === undefined) throw new Inner('key version does not exist')
  return verifyBytes(key, version, terms, digestOf(key, terms, input), bytes, context)
}

function verifyBytes(
  key: TransitKey,
  version: { material: string; publicKey: string },
  terms: Terms,
  digest: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array,
): boolean {
  const row = rowOf(key.type)
  const publicKey = decodeBase64(version.publicKey)
  if (row.family === 'ed25519') {
    if (!key.derived) return verifyEd25519(publicKey, digest, signature)
    if (context.length === 0) throw new Inner(`error deriving key: ${MISSING_CONTEXT}`)
    if (key.imported) return false
    return verifyEd25519(derivedPublicKey(decodeBase64(version.material), context), digest, signature)
  }
  if (row.family === 'ecdsa') {
    if (!terms.jws && !isEcdsaDer(row.curve!, signature)) throw bad('supplied signature is invalid')
    return verifyEcdsa(row.curve!, publicKey, digest, signature, terms.jws)
  }
  if (terms.algorithm === 'pkcs1v15') return verifyPkcs1(publicKey, digest, terms.hash, signature)
  if (terms.algorithm !== '' && terms.algorithm !== 'pss') {
    throw new Inner(`unsupported rsa signature algorithm ${terms.algorithm}`)
  }
  return verifyPss(publicKey, digest, terms.hash!, terms.salt, signature)
}

async function verify(call: Call): Promise<Result> {
  const { data } = call
  const batch = data.raw['batch_input']
  const single = batch === undefined || batch === null
  const items: readonly Item[] = single
    ? [
        {
          input: data.string('input'),
          context: data.string('context'),
          ...(data.has('signature') ? { signature: data.string('signature') } : {}),
          ...(data.has('hmac') ? { hmac: data.string('hmac') } : {}),
        },
      ]
    : looseItems(batch, 'transit.batchRequestVerifyItem')
  if (items.length === 0) throw bad('missing batch input to process')
  if (whatToVerify(items, single) === 'hmac') return verifyHmacs(call, items, single)
  const terms = readTerms(call)
  const key = await findKey(call)
  if (key === undefined) throw bad('signature verification key not found')
  checkTerms(terms, key, 'verification')
  if (single) return { data: { valid: alone(() => verifyItem(call, key, terms, items[0]!)) } }
  return {
    data: {
      batch_results: items.map(item => {
        const reference = textOf(item, 'reference') ?? ''
        try {
          return { valid: verifyItem(call, key, terms, item), reference }
        } catch (problem) {
          return { valid: false, error: textOfProblem(problem), reference }
        }
      }),
    },
  }
}

/** A batch is all signatures or all HMACs; of a single item with both, the signature counts. @throws VaultError 400 */
function whatToVerify(items: readonly Item[], single: boolean): 'signature' | 'hmac' {
  const signatures = items.filter(item => 'signature' in item).length
  const hmacs = items.filter(item => !('signature' in item) && 'hmac' in item).length
  const missing = items.length - signatures - hmacs > 0
  if (single && signatures + hmacs === 0) throw bad("neither a 'signature' nor an 'hmac' were given to verify")
  if (signatures > 0 && hmacs > 0) {
    throw bad("elements of batch_input must all provide 'signature' or all provide 'hmac'")
  }
  if (missing && signatures > 0) throw bad("some elements of batch_input are missing 'signature'")
  if (missing && hmacs > 0) throw bad("some elements of batch_input are missing 'hmac'")
  if (missing) throw bad("no batch_input elements have 'signature' or 'hmac'")
  return hmacs > 0 ? 'hmac' : 'signature'
}

export const signRoutes: readonly Route[] = [
  { path: 'sign/:name/:urlalgorithm?', label: 'sign', pure: true, fields: FIELDS, update: sign },
  { path: 'verify/:name/:urlalgorithm?', label: 'verify', pure: true, fields: VERIFY_FIELDS, update: verify },
]
