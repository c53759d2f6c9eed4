/** Ten thousand answers as AWS KMS may give them, through the provider: DER, high and low s, integers of every length. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { create } from '../../../providers/aws-kms/index.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const COUNT = 10_000
const KEY = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000001'
const { Fn, BASE } = secp256k1.Point
const N = Fn.ORDER
const HALF = N >> 1n
const SECRET = 0x4646464646464646464646464646464646464646464646464646464646464646n // EIP-155, example
const PUBLIC = BASE.multiply(SECRET).toBytes(false)

/** xorshift64*: the same ten thousand in every run. */
function numbers(seed: bigint): () => bigint {
  let x = seed
  const word = (): bigint => {
    x ^= x >> 12n
    x ^= (x << 25n) & 0xffff_ffff_ffff_ffffn
    x ^= x >> 27n
    return (x * 0x2545_f491_4f6c_dd1dn) & 0xffff_ffff_ffff_ffffn
  }
  return () => ((word() << 192n) | (word() << 128n) | (word() << 64n) | word()) % N || 1n
}

/** One INTEGER in DER, as short as the rules allow: leading zero bytes gone, one back where the sign bit would be set. */
function integer(value: bigint): number[] {
  let text = value.toString(16)
  if (text.length % 2 === 1) text = `0${text}`
  const bytes = [...Buffer.from(text, 'hex')]
  if (bytes[0]! >= 0x80) bytes.unshift(0)
  return [0x02, bytes.length, ...bytes]
}

interface Made {
  readonly digest: Uint8Array
  readonly der: Uint8Array
  readonly s: bigint
  readonly short: boolean
}

/**
 * Any s is the signature of some digest under a given nonce: z = s·k − r·d. So high and short s can be had at will.
 * A short r has a nonce that is known: half of the generator has an x of 166 bits.
 */
function make(index: number, next: () => bigint): Made {
  const k = index % 10 === 0 ? Fn.inv(2n) : next()
  const r = BASE.multiply(k).x % N
  const drawn = next()
  const wish = index % 4
  const low = drawn > HALF ? N - drawn : drawn
  const s = wish === 0 ? low : wish === 1 ? N - low : wish === 2 ? drawn >> BigInt(8 * (1 + (index % 31))) || 1n : drawn
  const z = Fn.create(s * k - r * SECRET)
  const digest = new Uint8Array(Buffer.from(z.toString(16).padStart(64, '0'), 'hex'))
  const body = [...integer(r), ...integer(s)]
  const short = r < 1n << 247n || s < 1n << 247n
  return { digest, der: Uint8Array.from([0x30, body.length, ...body]), s, short }
}

test(`T36 M-02 ${COUNT} KMS signatures, forced high s and short integers among them: all valid, none high`, {
  timeout: 180_000,
}, async () => {
  const waiting = new Map<string, Made>()
  const fetch = async (_url: string, init: RequestInit) => {
    const { Message } = JSON.parse(await new Response(init.body).text()) as { Message: string }
    const Signature = Buffer.from(waiting.get(Message)!.der).toString('base64')
    const body = JSON.stringify({ KeyId: KEY, Signature, SigningAlgorithm: 'ECDSA_SHA_256' })
    return new Response(body, { headers: { 'content-type': 'application/x-amz-json-1.1' } })
  }
  const provider = await create(
    {
      kind: 'aws-kms',
      region: 'eu-central-1',
      accessKeyId: new Secret('id', 'id'),
      secretAccessKey: new Secret('secret', 'secret'),
    },
    providerWorld('development', fetch),
  )
  const next = numbers(0x9e37_79b9_7f4a_7c15n)
  const counts = { valid: 0, high: 0, highOnWire: 0, shortOnWire: 0 }
  const lengths = new Set<number>()
  for (let index = 0; index < COUNT; index++) {
    const made = make(index, next)
    const { digest, der, s, short } = made
    waiting.set(Buffer.from(digest).toString('base64'), made)
    lengths.add(der.length)
    if (s > HALF) counts.highOnWire++
    if (short) counts.shortOnWire++
    const input = { scheme: 'ecdsa-secp256k1', digest: digest32(digest) } as const
    const { signature } = await provider.sign(KEY, input, call())
    waiting.clear()
    if (BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`) > HALF) counts.high++
    if (await verifySignature(input, PUBLIC, signature)) counts.valid++
  }
  await provider.close()
  assert.equal(counts.valid, COUNT)
  assert.equal(counts.high, 0)
  // The instrument: both halves, and integers of many lengths, were really there.
  assert.ok(counts.highOnWire > 3_000 && counts.highOnWire < 5_000, JSON.stringify(counts))
  assert.ok(counts.shortOnWire > 2_500, JSON.stringify(counts))
  assert.ok(lengths.size > 30, `${lengths.size} lengths`)
  console.log(
    `${COUNT} KMS-style ECDSA signatures: ${counts.valid} valid, ${counts.high} high s; on the wire ${counts.highOnWire} had a ` +
      `high s, ${counts.shortOnWire} a short integer, ${lengths.size} lengths of DER`,
  )
})
