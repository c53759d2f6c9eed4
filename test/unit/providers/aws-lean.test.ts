/** What the lean AWS transport has of its own: request signing, the time of the service, and bytes in JSON. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignatureV4 } from '@smithy/signature-v4'
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import { create } from '../../../providers/aws-kms/index.ts'
import { decodeError, decodeOutput, encodeInput } from '../../../providers/aws-kms/json.ts'
import { Sha256 } from '../../../providers/aws-kms/sha256.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const KEY = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000001'
const MESSAGE = { scheme: 'ed25519', message: new Uint8Array(32).fill(5) } as const
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex')

test('SHA-256 and HMAC in the shape of AWS’s signing: FIPS 180-4 and RFC 4231 case 2', async () => {
  const plain = new Sha256()
  plain.update(bytes('abc'))
  assert.equal(hex(await plain.digest()), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  for (const secret of ['Jefe', bytes('Jefe'), bytes('Jefe').buffer as ArrayBuffer]) {
    const keyed = new Sha256(secret)
    keyed.update(bytes('something else'))
    keyed.reset()
    keyed.update(bytes('what do ya want for nothing?'))
    assert.equal(hex(await keyed.digest()), expected)
  }
})

test('the request of AWS’s published test suite (get-vanilla) gets its published signature', async () => {
  const signer = new SignatureV4({
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    region: 'us-east-1',
    service: 'service',
    sha256: Sha256,
    applyChecksum: false,
  })
  const { headers } = await signer.sign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname: 'example.amazonaws.com',
      path: '/',
      query: {},
      headers: { host: 'example.amazonaws.com' },
    },
    { signingDate: new Date('2015-08-30T12:36:00Z') },
  )
  const signature = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'
  assert.ok(headers['authorization']?.endsWith(`Signature=${signature}`), headers['authorization'] ?? 'no header')
})

/** Answers of a service whose clock is `offMs` ahead; remembers the dates that requests were signed for. */
function service(offMs: () => number, more: Record<string, string> = {}) {
  const dates: number[] = []
  const seen: Headers[] = []
  const fetch = async (_url: string, init?: RequestInit): Promise<Response> => {
    const headers = new Headers(init?.headers)
    const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(headers.get('x-amz-date') ?? '') ?? assert.fail()
    const iso = `${day?.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time?.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`
    dates.push(Date.parse(iso))
    seen.push(headers)
    return new Response('{"__type":"DisabledException"}', {
      status: 400,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        date: new Date(Date.now() + offMs()).toUTCString(),
        ...more,
      },
    })
  }
  const open = (config: Partial<AwsKmsConfig> = {}) =>
    create(
      {
        kind: 'aws-kms',
        region: 'eu-central-1',
        accessKeyId: new Secret('ASIALEAN', 'id'),
        secretAccessKey: new Secret('lean+secret', 'secret'),
        ...config,
      },
      providerWorld('production', fetch),
    )
  return { dates, seen, open }
}

test('T51 a clock that is far off is corrected by the time of the answers, and no longer than it is off', async () => {
  let off = 3_600_000
  const { dates, open } = service(() => off)
  const provider = await open()
  const ask = () => refusal(provider.sign(KEY, MESSAGE, call()), 'provider/refused')
  const offs: number[] = []
  const minutes = (ms: number): number => Math.trunc((ms + 5_000) / 60_000) + 0
  for (const next of [3_600_000, 10_000, 10_000]) {
    await ask()
    offs.push(minutes((dates.at(-1) ?? 0) - Date.now()))
    off = next
  }
  await ask()
  offs.push(minutes((dates.at(-1) ?? 0) - Date.now()))
  assert.deepEqual(offs, [0, 60, 60, 0])
})

test('an answer out of a cache says nothing about the time', async () => {
  const { dates, open } = service(() => 3_600_000, { age: '10' })
  const provider = await open()
  for (let n = 0; n < 2; n++) await refusal(provider.sign(KEY, MESSAGE, call()), 'provider/refused')
  assert.ok(Math.abs((dates[1] ?? 0) - Date.now()) < 60_000)
})

test('a session token travels in its header and is signed', async () => {
  const { seen, open } = service(() => 0)
  const provider = await open({ sessionToken: new Secret('session-token', 'token') })
  await refusal(provider.sign(KEY, MESSAGE, call()), 'provider/refused', ['lean+secret'])
  assert.equal(seen[0]?.get('x-amz-security-token'), 'session-token')
  assert.match(seen[0]?.get('authorization') ?? '', /SignedHeaders=[^,]*x-amz-security-token/)
})

test('a closed provider sends nothing', async () => {
  const { seen, open } = service(() => 0)
  const provider = await open()
  await provider.close()
  await refusal(provider.sign(KEY, MESSAGE, call()), 'provider/unavailable')
  assert.equal(seen.length, 0)
})

test('M-05 the body of Encrypt is bytes, and says what JSON would', () => {
  const input = { KeyId: KEY, Plaintext: new Uint8Array(32).fill(0xfb), EncryptionContext: { 'a"b': 'ü' } }
  const body = encodeInput('Encrypt', input)
  assert.ok(body instanceof Uint8Array)
  assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), {
    ...input,
    Plaintext: Buffer.from(input.Plaintext).toString('base64'),
  })
})

test('members that should be bytes and are not strict base64 are no answer', () => {
  for (const text of ['A', 'AAAA=', 'AA==AA==', 'A-__', ' AAAA', 'AB==']) {
    assert.throws(() => decodeOutput(bytes(JSON.stringify({ Signature: text }))), /not base64/, text)
  }
  assert.deepEqual(decodeOutput(bytes('{"Signature":"AQ==","PublicKey":null}')), {
    Signature: Uint8Array.of(1),
    PublicKey: null,
  })
})

test('the name of an error: the header first, without namespace and place', () => {
  const rows: [string | undefined, string, string][] = [
    ['DisabledException:http://internal/', '{"__type":"Other"}', 'DisabledException'],
    [undefined, '{"__type":"com.amazonaws.kms#NotFoundException"}', 'NotFoundException'],
    [undefined, '{"code":"Throttling","__type":"Other"}', 'Throttling'],
    [undefined, '{"__type":7}', 'Unknown'],
  ]
  for (const [header, body, name] of rows) assert.equal(decodeError(header, bytes(body)).name, name)
  assert.equal(decodeError('X', new Uint8Array(0)).name, 'X')
})
