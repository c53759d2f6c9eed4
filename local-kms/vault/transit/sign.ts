import type { Call, Result, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { decodeBase64, encodeBase64, encodeBase64Url, GoError } from '../go.ts'
import { type Item, looseItems, textOf } from './batch.ts'
import { derivedPublicKey, derivedSeed, generateMaterial, signEcdsa, signEd25519 } from './material.ts'
import { findKey, SOFT_DELETED, type TransitKey, versionOf } from './model.ts'
import { rowOf } from './types.ts'
import { signPkcs1, signPss } from './rsa.ts'

import {
  type Terms,
  Inner,
  SIGN_FIELDS,
  readTerms,
  checkTerms,
  refuseHashing,
  digestOf,
  readInput,
  readItemContext,
  MISSING_CONTEXT,
  alone,
  textOfProblem,
} from './sign-terms.ts'
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

export const signRoutes: readonly Route[] = [
  { path: 'sign/:name/:urlalgorithm?', label: 'sign', pure: true, fields: SIGN_FIELDS, update: sign },
]
