import * as asn1 from 'asn1js'
import { concat } from './random.ts'

/**
 * SubjectPublicKeyInfo and PrivateKeyInfo of the elliptic curves, as OpenSSL writes them (RFC 5280, 5208, 5915, 8410).
 * Written by fixed shapes, read by an ASN.1 library: what an importer sends may be laid out in any lawful way.
 */
export type CurveName = 'ed25519' | 'secp256k1' | 'p256' | 'p384' | 'p521'

const OID: Record<Exclude<CurveName, 'ed25519'>, string> = {
  secp256k1: '2b8104000a',
  p256: '2a8648ce3d030107',
  p384: '2b81040022',
  p521: '2b81040023',
}
const EC_PUBLIC_KEY = '2a8648ce3d0201'
const DOTTED: Record<string, CurveName> = {
  '1.3.132.0.10': 'secp256k1',
  '1.2.840.10045.3.1.7': 'p256',
  '1.3.132.0.34': 'p384',
  '1.3.132.0.35': 'p521',
}

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

function tlv(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(...content)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return concat(Uint8Array.of(tag, ...length), body)
}

const sequence = (...content: Uint8Array[]): Uint8Array => tlv(0x30, ...content)
const octets = (content: Uint8Array): Uint8Array => tlv(0x04, content)
const bits = (content: Uint8Array): Uint8Array => tlv(0x03, Uint8Array.of(0), content)
const integer = (value: number): Uint8Array => tlv(0x02, Uint8Array.of(value))
const oid = (text: string): Uint8Array => tlv(0x06, hex(text))

function algorithm(curve: CurveName): Uint8Array {
  return curve === 'ed25519' ? sequence(oid('2b6570')) : sequence(oid(EC_PUBLIC_KEY), oid(OID[curve]))
}

/** @param point 32 bytes for Ed25519, else the uncompressed point `04 X Y`. */
export function encodeSpki(curve: CurveName, point: Uint8Array): Uint8Array {
  return sequence(algorithm(curve), bits(point))
}

/** @param secret the seed (Ed25519) or the scalar at the curve's full length. */
export function encodePkcs8(curve: CurveName, secret: Uint8Array, point: Uint8Array): Uint8Array {
  const inner = curve === 'ed25519' ? octets(secret) : sequence(integer(1), octets(secret), tlv(0xa1, bits(point)))
  return sequence(integer(0), algorithm(curve), octets(inner))
}

/** Undefined: not a PrivateKeyInfo of one of these curves, or bytes follow it. */
export function decodePkcs8(der: Uint8Array): { curve: CurveName; secret: Uint8Array } | undefined {
  const outer = read(der, asn1.Sequence)
  const [version, alg, key] = outer?.valueBlock.value ?? []
  if (!(version instanceof asn1.Integer) || !(alg instanceof asn1.Sequence) || !(key instanceof asn1.OctetString)) {
    return undefined
  }
  const [name, parameters] = alg.valueBlock.value
  if (!(name instanceof asn1.ObjectIdentifier)) return undefined
  const content = key.valueBlock.valueHexView
  if (name.valueBlock.toString() === '1.3.101.112') {
    const seed = read(content, asn1.OctetString)
    return seed === undefined ? undefined : { curve: 'ed25519', secret: new Uint8Array(seed.valueBlock.valueHexView) }
  }
  if (name.valueBlock.toString() !== '1.2.840.10045.2.1' || !(parameters instanceof asn1.ObjectIdentifier)) {
    return undefined
  }
  const curve = DOTTED[parameters.valueBlock.toString()]
  const scalar = read(content, asn1.Sequence)?.valueBlock.value[1]
  if (curve === undefined || !(scalar instanceof asn1.OctetString)) return undefined
  return { curve, secret: new Uint8Array(scalar.valueBlock.valueHexView) }
}

function read<T>(der: Uint8Array, type: abstract new (...args: never[]) => T): T | undefined {
  const { offset, result } = asn1.fromBER(der)
  return offset === der.length && result instanceof type ? result : undefined
}
