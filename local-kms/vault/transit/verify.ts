import type { Call, Result, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { decodeBase64, decodeBase64Url } from '../go.ts'
import { type Item, looseItems, textOf } from './batch.ts'
import { derivedPublicKey, isEcdsaDer, verifyEcdsa, verifyEd25519 } from './material.ts'
import { findKey, SOFT_DELETED, type TransitKey, versionOf } from './model.ts'
import { rowOf } from './types.ts'
import { verifyPkcs1, verifyPss } from './rsa.ts'
import { verifyHmacs } from './hmac.ts'

import {
  type Terms,
  Inner,
  VERIFY_FIELDS,
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

export const verifyRoutes: readonly Route[] = [
  { path: 'verify/:name/:urlalgorithm?', label: 'verify', pure: true, fields: VERIFY_FIELDS, update: verify },
]
