/** What is particular to AWS KMS, through the real SDK against scripted answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { create } from '../../../providers/aws-kms/index.ts'
import { createAdmin } from '../../../providers/aws-kms/admin.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { ed25519ToSpki, secp256k1ToSpki } from '../../../src/bytes/spki.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { refusal, spellings } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import {
  awsAnswer,
  awsError,
  type Reply,
  type ScriptedServer,
  type Seen,
  scriptedServer,
} from '../../support/scripted-server.ts'

const KEY = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000001'
const OTHER = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000002'
const POINT = secp256k1.getPublicKey(new Uint8Array(32).fill(0x46), false)
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const DIGEST = { scheme: 'ecdsa-secp256k1', digest: digest32(new Uint8Array(32).fill(5)) } as const
const MESSAGE = { scheme: 'ed25519', message: new Uint8Array(32).fill(5) } as const

type Body = (provider: EnvelopeProvider, server: ScriptedServer, transport: 'sdk' | 'lean') => Promise<void>

/** Over one transport, then over the other: what is asked and what is made of the answers is the same. */
async function scripted(
  script: (seen: Seen) => Reply,
  body: Body,
  world: ProviderWorld = providerWorld(),
): Promise<void> {
  for (const transport of ['sdk', 'lean'] as const) {
    const server = await scriptedServer(script)
    const provider = await create({ kind: 'aws-kms', region: 'eu-central-1', endpoint: server.url, transport }, world)
    try {
      await body(provider, server, transport)
    } finally {
      await provider.close()
      await server.close()
    }
  }
}

const facts = (more: Record<string, unknown> = {}) => ({
  KeyId: KEY,
  PublicKey: base64(ed25519ToSpki(new Uint8Array(32).fill(9))),
  KeySpec: 'ECC_NIST_EDWARDS25519',
  KeyUsage: 'SIGN_VERIFY',
  SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
  ...more,
})
const SECP = {
  PublicKey: base64(secp256k1ToSpki(POINT)),
  KeySpec: 'ECC_SECG_P256K1',
  SigningAlgorithms: ['ECDSA_SHA_256'],
}

test('M-01 Ed25519 is asked for as RAW ED25519_SHA_512 with the message itself', () =>
  scripted(
    () => awsAnswer({ KeyId: KEY, Signature: base64(new Uint8Array(64).fill(3)), SigningAlgorithm: 'ED25519_SHA_512' }),
    async (provider, { requests }, transport) => {
      const signed = await provider.sign(KEY, MESSAGE, call())
      assert.deepEqual(signed, {
        signature: new Uint8Array(64).fill(3),
        providerRequestId: '11111111-2222-3333-4444-555555555555',
      })
      assert.equal(requests[0]?.headers.get('x-amz-target'), 'TrentService.Sign')
      const tries = transport === 'sdk' ? 'attempt=1; max=1' : undefined
      assert.equal(requests[0]?.headers.get('amz-sdk-request') ?? undefined, tries)
      const sent = {
        KeyId: KEY,
        Message: base64(MESSAGE.message),
        MessageType: 'RAW',
        SigningAlgorithm: 'ED25519_SHA_512',
      }
      assert.deepEqual(JSON.parse(requests[0]?.body ?? ''), sent)
    },
  ))

test('M-02 secp256k1 is asked for as DIGEST, and the EIP-155 example comes back with low s whatever s the service drew', async () => {
  // EIP-155: nonce 9, gas price 20 gwei, gas 21000, to 0x3535…, value 10^18, chain 1, key 0x4646….
  const digest = digest32(
    Uint8Array.from(Buffer.from('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53', 'hex')),
  )
  const r = 0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276n
  const s = 0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83n
  const { n } = secp256k1.Point.CURVE()
  for (const drawn of [s, n - s]) {
    const der = new secp256k1.Signature(r, drawn).toBytes('der')
    await scripted(
      () => awsAnswer({ KeyId: KEY, Signature: base64(der), SigningAlgorithm: 'ECDSA_SHA_256' }),
      async (provider, { requests }) => {
        const { signature } = await provider.sign(KEY, { scheme: 'ecdsa-secp256k1', digest }, call())
        assert.equal(toHex(signature), r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'))
        assert.ok(secp256k1.verify(signature, digest, POINT, { prehash: false, lowS: true }))
        const { MessageType, SigningAlgorithm } = JSON.parse(requests[0]?.body ?? '')
        assert.deepEqual([MessageType, SigningAlgorithm], ['DIGEST', 'ECDSA_SHA_256'])
      },
    )
  }
})

test('R-14 T36 signatures that are no strict DER, or of the wrong length, are malformed', async () => {
  const good = new secp256k1.Signature(0x80n, 0x7fn).toBytes('der')
  const bad = [
    Uint8Array.of(...good, 0), // trailing byte
    good.slice(0, -1), // short
    Uint8Array.from(Buffer.from('3081080202008002017f', 'hex')), // BER: long form of a short length
    Uint8Array.from(Buffer.from('3006020180020101', 'hex')), // negative r
    Uint8Array.from(Buffer.from('3006020100020101', 'hex')), // r = 0
    Uint8Array.from(Buffer.from('300702020001020101', 'hex')), // padded r
    new Uint8Array(64).fill(1), // raw, as if from another curve
  ]
  for (const der of bad) {
    await scripted(
      () => awsAnswer({ KeyId: KEY, Signature: base64(der), SigningAlgorithm: 'ECDSA_SHA_256' }),
      async provider => void (await refusal(provider.sign(KEY, DIGEST, call()), 'signature/malformed')),
    )
  }
  for (const length of [1, 63, 65, 70]) {
    await scripted(
      () => awsAnswer({ KeyId: KEY, Signature: base64(new Uint8Array(length)), SigningAlgorithm: 'ED25519_SHA_512' }),
      async provider => void (await refusal(provider.sign(KEY, MESSAGE, call()), 'signature/malformed')),
    )
  }
})

test('a signature under another algorithm is corrupt, even when it looks right', async () => {
  for (const algorithm of ['ED25519_PH_SHA_512', 'ECDSA_SHA_256', undefined]) {
    await scripted(
      () => awsAnswer({ KeyId: KEY, Signature: base64(new Uint8Array(64)), SigningAlgorithm: algorithm }),
      async provider => void (await refusal(provider.sign(KEY, MESSAGE, call()), 'provider/corrupt')),
    )
  }
})

test('T43 an alias or key id is described once, pinned as ARN, and never signed with', () =>
  scripted(
    ({ headers }) => (headers.get('x-amz-target')?.endsWith('GetPublicKey') ? awsAnswer(facts()) : awsAnswer({})),
    async (provider, { requests }) => {
      for (const asked of ['alias/treasury', '00000000-0000-4000-8000-000000000001', KEY]) {
        assert.equal((await provider.describe(asked, call())).reference, KEY)
      }
      const before = requests.length
      for (const asked of [
        'alias/treasury',
        '00000000-0000-4000-8000-000000000001',
        '',
        'arn:aws:kms:eu-central-1:000000000000:alias/x',
      ]) {
        await refusal(provider.sign(asked, MESSAGE, call()), 'provider/refused')
        await refusal(
          provider.wrap(asked, new SecretBytes(new Uint8Array(32), 's'), { pubkey: 'G' }, call()),
          'provider/refused',
        )
        await refusal(provider.unwrap(asked, new Uint8Array(100), { pubkey: 'G' }, call()), 'provider/refused')
      }
      assert.equal(requests.length, before)
      for (const asked of ['', 'x'.repeat(2049)]) await refusal(provider.describe(asked, call()), 'provider/refused')
      assert.equal(requests.length, before)
    },
  ))

test('describe checks every member of the answer', async () => {
  const rows: [Record<string, unknown>, string][] = [
    [{ KeyId: OTHER }, 'key/mismatch'],
    [{ KeyId: 'alias/treasury' }, 'provider/malformed'],
    [{ KeyId: undefined }, 'provider/malformed'],
    [{ KeySpec: 'RSA_2048' }, 'key/unsupported'],
    [{ KeySpec: undefined }, 'key/unsupported'],
    [{ KeyUsage: 'ENCRYPT_DECRYPT' }, 'key/unsupported'],
    [{ SigningAlgorithms: ['ED25519_PH_SHA_512'] }, 'key/unsupported'],
    [{ SigningAlgorithms: 'ED25519_SHA_512' }, 'key/unsupported'],
    [{ PublicKey: SECP.PublicKey }, 'provider/malformed'],
    [{ PublicKey: undefined }, 'provider/malformed'],
    [{ PublicKey: base64(new Uint8Array(44)) }, 'provider/malformed'],
    [{ ...SECP, PublicKey: base64(secp256k1ToSpki(Uint8Array.of(4, ...new Uint8Array(64)))) }, 'provider/malformed'],
  ]
  for (const [more, code] of rows) {
    await scripted(
      () => awsAnswer(facts(more)),
      async provider => void (await refusal(provider.describe(KEY, call()), code as never)),
    )
  }
  await scripted(
    () => awsAnswer(facts(SECP)),
    async provider => {
      const described = await provider.describe(KEY, call())
      assert.deepEqual(described, {
        reference: KEY,
        scheme: 'ecdsa-secp256k1',
        publicKey: POINT,
        protection: 'unknown',
      })
    },
  )
})

/** Everything JavaScript would turn bytes into text with, watched while `body` runs. */
async function stringsMadeDuring(body: () => Promise<void>): Promise<string[]> {
  const made: string[] = []
  const undo: (() => void)[] = []
  const watch = (owner: object, name: string): void => {
    const methods = owner as Record<string, (...args: unknown[]) => unknown>
    const before = methods[name] ?? assert.fail()
    methods[name] = function (this: unknown, ...args: unknown[]) {
      const result = before.apply(this, args)
      if (typeof args[0] === 'string') made.push(args[0])
      if (typeof result === 'string') made.push(result)
      return result
    }
    undo.push(() => {
      methods[name] = before
    })
  }
  watch(JSON, 'parse')
  watch(TextDecoder.prototype, 'decode')
  watch(Buffer.prototype, 'toString')
  watch(String, 'fromCharCode')
  watch(globalThis, 'atob')
  watch(globalThis, 'btoa')
  try {
    await body()
  } finally {
    for (const each of undo) each()
  }
  return made
}

test('D03 the plaintext of Decrypt is never a string between wire and caller; the rest of the answer is', async () => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => 90 + i)
  const text = base64(seed)
  await scripted(
    () => awsAnswer(`{"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","Plaintext":"${text}","KeyId":"${KEY}"}`),
    async provider => {
      // The scripted server makes strings too; what it makes of its own answer is made before the watch begins.
      const wire = providerWorld(
        'development',
        async () =>
          new Response(
            new TextEncoder().encode(
              `{"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","Plaintext":"${text}","KeyId":"${KEY}"}`,
            ),
            { headers: { 'content-type': 'application/x-amz-json-1.1' } },
          ),
      )
      const watched = await create({ kind: 'aws-kms', region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' }, wire)
      let plaintext: SecretBytes | undefined
      const made = await stringsMadeDuring(async () => {
        plaintext = (await watched.unwrap(KEY, new Uint8Array(100), { pubkey: 'G' }, call())).plaintext
      })
      plaintext?.use(bytes => assert.deepEqual(Uint8Array.from(bytes), seed))
      assert.ok(
        made.some(each => each.includes(KEY)),
        'the watch must see what the SDK reads',
      )
      for (const spelling of spellings(seed)) assert.ok(!made.some(each => each.includes(spelling)))
      const over = await provider.unwrap(KEY, new Uint8Array(100), { pubkey: 'G' }, call())
      over.plaintext.use(bytes => assert.deepEqual(Uint8Array.from(bytes), seed))
    },
  )
})

test('the bytes of a Decrypt answer are overwritten, also when the answer is refused', async () => {
  const text = base64(new Uint8Array(32).fill(0x61))
  const bodies = [
    `{"KeyId":"${KEY}","Plaintext":"${text}","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${OTHER}","Plaintext":"${text}","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${KEY}","Plaintext":"${text}","EncryptionAlgorithm":"RSAES_OAEP_SHA_1"}`,
    `{"KeyId":"${KEY}","Plaintext":"${text}","Plaintext":"${text}"}`,
    `{"KeyId":"${KEY}","Plaintext":"${text}`,
    `{"KeyId":"${KEY}","Plaintext":"${text.replace('h', '\\u0068')}","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${KEY}","Plaintext":"","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${KEY}","Plaintext":null,"EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${KEY}","Plaintext":{"a":"${text}"},"EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    `{"KeyId":"${KEY}","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
  ]
  for (const [i, body] of bodies.entries()) {
    const chunk = new TextEncoder().encode(body)
    const stream = new ReadableStream<Uint8Array>({
      start: controller => (controller.enqueue(chunk), controller.close()),
    })
    const headers = new Headers({ 'content-type': 'application/x-amz-json-1.1' })
    const world = providerWorld(
      'development',
      async () => ({ status: 200, headers, body: stream, redirected: false, type: 'basic' }) as Response,
    )
    const provider = await create({ kind: 'aws-kms', region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' }, world)
    const opening = provider.unwrap(KEY, new Uint8Array(100), { pubkey: 'G' }, call())
    if (i === 0) (await opening).plaintext.wipe()
    else
      await refusal(opening, i === 1 ? 'key/mismatch' : 'provider/malformed', [
        text,
        ...spellings(new Uint8Array(32).fill(0x61)),
      ])
    assert.ok(
      chunk.every(byte => byte === 0),
      body,
    )
  }
})

test('a key that arrives after the caller gave up is not kept', async () => {
  const deadline = new AbortController()
  const body = `{"KeyId":"${KEY}","Plaintext":"${base64(new Uint8Array(32).fill(1))}","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`
  const headers = { 'content-type': 'application/x-amz-json-1.1' }
  const world = providerWorld('development', async () => {
    deadline.abort()
    return new Response(body, { headers })
  })
  const provider = await create({ kind: 'aws-kms', region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' }, world)
  await refusal(
    provider.unwrap(KEY, new Uint8Array(100), { pubkey: 'G' }, call(deadline.signal)),
    'provider/unavailable',
  )
})

test('the context goes out as it is given, and the wrapping key is always named', () =>
  scripted(
    () => awsError('InvalidCiphertextException', 400, ''),
    async (provider, { requests }) => {
      const context = { pubkey: 'GABC', constructor: 'x', 'key id': 'é' }
      await refusal(provider.unwrap(KEY, Uint8Array.of(1, 2, 3), context, call()), 'envelope/unreadable')
      const sent = JSON.parse(requests[0]?.body ?? '')
      assert.deepEqual(sent, { KeyId: KEY, CiphertextBlob: 'AQID', EncryptionContext: context })
    },
  ))

test('an emulator on loopback gets dummy credentials and no redirection by environment; production gets none', async () => {
  await scripted(
    () => awsAnswer(facts()),
    async (provider, { requests }) => {
      await provider.describe(KEY, call())
      assert.match(requests[0]?.headers.get('authorization') ?? '', /Credential=local-kms\//)
    },
  )
})

test('static credentials sign the request, session token included, and none of them travels in clear but the id and token', async () => {
  const { Secret } = await import('../../../src/domain/secret.ts')
  const server = await scriptedServer(() => awsAnswer(facts()))
  const provider = await create(
    {
      kind: 'aws-kms',
      region: 'eu-central-1',
      endpoint: server.url,
      accessKeyId: new Secret('AKIASTATIC', 'id'),
      secretAccessKey: new Secret('very+secret/key', 'secret'),
      sessionToken: new Secret('session-token', 'token'),
    },
    providerWorld(),
  )
  await provider.describe(KEY, call())
  const [request] = server.requests
  assert.match(
    request?.headers.get('authorization') ?? '',
    /Credential=AKIASTATIC\/\d{8}\/eu-central-1\/kms\/aws4_request/,
  )
  assert.equal(request?.headers.get('x-amz-security-token'), 'session-token')
  assert.ok(!`${request?.head}${request?.body}`.includes('very+secret/key'))
  await provider.close()
  await server.close()
})

test('after close nothing is sent', () =>
  scripted(
    () => awsAnswer(facts()),
    async (provider, { requests }) => {
      await provider.close()
      await refusal(provider.describe(KEY, call()), 'provider/unavailable')
      assert.equal(requests.length, 0)
    },
  ))

test('an admin checks that it got the key it asked for', async () => {
  const metadata = (more: Record<string, unknown>) => ({
    KeyMetadata: { Arn: KEY, KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY', ...more },
  })
  for (const answer of [
    {},
    { KeyMetadata: null },
    metadata({ Arn: 'x' }),
    metadata({ Arn: 7 }),
    metadata({ KeySpec: 'RSA_2048' }),
    metadata({ KeyUsage: 'ENCRYPT_DECRYPT' }),
  ]) {
    const server = await scriptedServer(() => awsAnswer(answer))
    const admin = await createAdmin({ kind: 'aws-kms', region: 'eu-central-1', endpoint: server.url }, providerWorld())
    await refusal(admin.create({ scheme: 'ed25519', label: 'x' }, call()), 'provider/malformed')
    await refusal(admin.createWrappingKey({ label: 'x' }, call()), 'provider/malformed')
    await server.close()
  }
  const server = await scriptedServer(() => socket => void socket.destroy())
  const admin = await createAdmin({ kind: 'aws-kms', region: 'eu-central-1', endpoint: server.url }, providerWorld())
  await refusal(admin.create({ scheme: 'ed25519', label: 'x' }, call()), 'provider/ambiguous')
  await server.close()
})
