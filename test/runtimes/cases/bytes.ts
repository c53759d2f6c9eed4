import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromBase64, fromBase64Url, toBase64 } from '../../../src/bytes/base64.ts'
import { ecdsaDerToCompact } from '../../../src/bytes/der.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { parseStrictJson } from '../../../src/bytes/json.ts'
import { recoveryId } from '../../../src/bytes/recovery.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { ed25519FromSpki, ed25519ToSpki, secp256k1FromSpki, secp256k1ToSpki } from '../../../src/bytes/spki.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { digest32, signature64 } from '../../../src/domain/brands.ts'
import { type Cases, outcome } from '../report.ts'
import { devPublicKey } from '../../../providers/mock/index.ts'
import speccheck from '../../vectors/ed25519-speccheck/cases.json' with { type: 'json' }

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()

const JSON_TEXTS = [
  '{"type":"x","n":[1,2.5,-0,1e3,true,null],"s":"\\u00fc\\ud83d\\ude00"}',
  '{"a":1,"a":2}',
  '{"__proto__":1}',
  '"\\ud800"',
  '[1,]',
  '{"a":9007199254740993}',
  '1e999',
  '{} x',
  '',
  `${'['.repeat(40)}${']'.repeat(40)}`,
]

export const bytesCases: Cases = {
  'hashes and encodings': () =>
    ['', 'abc', 'x'.repeat(1000)].map(text => {
      const hash = sha256(utf8(text))
      return [hash, toHex(hash), toBase64(hash), fromBase64(toBase64(hash)), fromHex(toHex(hash))]
    }),
  'strict base64 and hex': () =>
    ['', 'AA==', 'AB==', 'AA', 'A', 'AAAA\n', ' AAAA', '-_-_', '+/+/', 'é'].map(text => [
      fromBase64(text),
      fromBase64Url(text),
      fromHex(text),
    ]),
  'strict JSON': () => Promise.all(JSON_TEXTS.map(text => outcome(() => parseStrictJson(utf8(text))))),
  'JSON that is not UTF-8': () =>
    Promise.all(
      [[0xff], [0xef, 0xbb, 0xbf, 0x31], [0x22, 0xc0, 0x80, 0x22]].map(raw =>
        outcome(() => parseStrictJson(new Uint8Array(raw))),
      ),
    ),
  'public keys to SubjectPublicKeyInfo and back': () => {
    const [ed, ec] = [devPublicKey('parity'), devPublicKey('parity', 'ecdsa-secp256k1')]
    return [
      ed25519ToSpki(ed),
      ed25519FromSpki(ed25519ToSpki(ed)),
      secp256k1ToSpki(ec),
      secp256k1FromSpki(secp256k1ToSpki(ec)),
    ]
  },
  'ECDSA from DER, low s, recovery id': async () => {
    const scalar = sha256(utf8('parity scalar'))
    const publicKey = secp256k1.getPublicKey(scalar, false)
    const out: unknown[] = []
    for (let i = 0; i < 8; i++) {
      const digest = digest32(sha256(utf8(`digest ${i}`)))
      const der = secp256k1.sign(digest, scalar, { prehash: false, lowS: i % 2 === 0, format: 'der' })
      const compact = ecdsaDerToCompact(der)
      out.push([compact, recoveryId(digest, compact, publicKey)])
      out.push(await verifySignature({ scheme: 'ecdsa-secp256k1', digest }, publicKey, compact))
    }
    return out
  },
  'broken DER': () =>
    Promise.all(
      [
        '',
        '30',
        '3006020101020101',
        '3006020100020101',
        '30060201ff020101',
        '300602010102010100',
        '3007020200010201 01',
      ].map(hex => outcome(() => ecdsaDerToCompact(bytes(hex)))),
    ),
  'R-01 Ed25519 acceptance on the speccheck cases': () =>
    Promise.all(
      speccheck.map(async one =>
        verifySignature(
          { scheme: 'ed25519', message: bytes(one.message) },
          bytes(one.publicKey),
          signature64(bytes(one.signature)),
        ),
      ),
    ),
}
