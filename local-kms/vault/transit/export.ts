import { createPrivateKey } from 'node:crypto'
import { encodePkcs8 } from '../../core/der.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, failed } from '../errors.ts'
import { decodeBase64, encodeBase64 } from '../go.ts'
import { concat } from '../../core/random.ts'
import { pem, publicDer, shownPublicKey } from './material.ts'
import { findKey, type KeyVersion, SOFT_DELETED, type TransitKey } from './model.ts'
import { rowOf } from './types.ts'

const KINDS = ['encryption-key', 'signing-key', 'hmac-key', 'public-key', 'certificate-chain']
const FORMATS = ['', 'raw', 'der', 'pem']

async function exportKey(call: Call): Promise<Result | undefined> {
  const { data } = call
  const kind = data.string('type')
  const format = data.string('format')
  if (!KINDS.includes(kind)) throw bad(`invalid export type: ${kind}`)
  if (!FORMATS.includes(format)) throw bad(`invalid format: ${format}`)
  const key = await findKey(call)
  if (key === undefined) return undefined
  const row = rowOf(key.type)
  if (!key.exportable && kind !== 'public-key' && kind !== 'certificate-chain') {
    throw bad('private key material is not exportable')
  }
  if (key.softDeleted) throw failed(SOFT_DELETED)
  if (kind === 'encryption-key' && !row.encrypts) throw bad('encryption not supported for the key')
  if (kind === 'signing-key' && !row.signs) throw bad('signing not supported for the key')
  if (kind === 'certificate-chain' && !row.signs) {
    throw bad('certificate chain not supported for keys that do not support signing')
  }
  const versions = pickVersions(key, data.string('version'))
  const keys = Object.fromEntries(versions.map(([number, version]) => [number, shown(key, version, kind, format)]))
  return { data: { keys, name: key.name, type: key.type } }
}

function pickVersions(key: TransitKey, text: string): [string, KeyVersion][] {
  const live = Object.entries(key.versions).filter(([number]) => Number(number) >= key.minDecryption)
  if (text === '') return live
  const bare = text.startsWith('v') ? text.slice(1) : text
  if (text !== 'latest' && !/^[+-]?\d+$/.test(bare)) throw bad('invalid key version')
  const number = text === 'latest' ? key.latest : Number(bare)
  if (number < key.minDecryption) throw bad('version for export is below minimum decryption version')
  const found = live.find(([each]) => Number(each) === number)
  if (found === undefined) throw bad('version does not exist or cannot be found')
  return [found]
}

const unknownFormat = (words: string): Error => failed(`unknown ${words}`)
const NO_RAW: Record<string, string> = {
  rsa: 'key format for rsa key; supported values are ``, `der`, or `pem`',
  ecdsa: 'key format for ec key; supported values are ``, `der`, or `pem`',
}
const SYMMETRIC_ONLY_RAW = 'format for HMAC key; supported values are `` or `raw`'

function shown(key: TransitKey, version: KeyVersion, kind: string, format: string): string {
  const { family } = rowOf(key.type)
  const coded = format === 'der' || format === 'pem'
  if (kind === 'certificate-chain') throw failed('selected key version does not have a certificate chain imported')
  if (kind === 'hmac-key') {
    if (coded) throw unknownFormat(SYMMETRIC_ONLY_RAW)
    return family === 'hmac' ? version.material : version.hmacKey
  }
  if (kind === 'encryption-key' && family === 'aead') {
    if (coded) throw unknownFormat(SYMMETRIC_ONLY_RAW)
    return version.material
  }
  if (family === 'aead' || family === 'hmac') throw unknownFormat(`key type ${key.type} for export type ${kind}`)
  if (format === 'raw' && NO_RAW[family] !== undefined) throw unknownFormat(NO_RAW[family])
  return kind === 'public-key' ? shownPublic(key, version, format) : shownPrivate(key, version, format)
}

function shownPublic(key: TransitKey, version: KeyVersion, format: string): string {
  const publicKey = decodeBase64(version.publicKey)
  const { family } = rowOf(key.type)
  if (format === 'der') return encodeBase64(publicDer(key.type, publicKey))
  if (format !== 'pem') {
    const text = shownPublicKey(key.type, publicKey)
    return family === 'rsa' ? text : text.trim()
  }
  const text = pem('PUBLIC KEY', publicDer(key.type, publicKey))
  return family === 'rsa' ? text : text.trim()
}

function shownPrivate(key: TransitKey, version: KeyVersion, format: string): string {
  if (version.material === '') return ''
  const row = rowOf(key.type)
  const material = decodeBase64(version.material)
  const publicKey = decodeBase64(version.publicKey)
  if (row.family === 'ed25519' && (format === '' || format === 'raw')) return encodeBase64(concat(material, publicKey))
  const pkcs8 = row.family === 'rsa' ? material : encodePkcs8(row.curve ?? 'ed25519', material, publicKey)
  if (format === 'der') return encodeBase64(pkcs8)
  if (format === 'pem') {
    const text = pem('PRIVATE KEY', pkcs8)
    return row.family === 'rsa' ? text : text.trim()
  }
  const object = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const old = row.family === 'rsa' ? ('pkcs1' as const) : ('sec1' as const)
  const text = object.export({ type: old, format: 'pem' })
  return row.family === 'rsa' ? text : text.trim()
}

export const exportRoutes: readonly Route[] = [
  {
    path: 'export/:type/:name/:version?',
    label: 'export',
    fields: { type: 'string', name: 'string', version: 'string', format: 'string' },
    read: exportKey,
  },
]
