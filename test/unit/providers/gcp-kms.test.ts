/** What is particular to Cloud KMS, over both transports against scripted answers: requests, integrity, references. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { create } from '../../../providers/gcp-kms/index.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { ed25519ToSpki, secp256k1ToSpki } from '../../../src/bytes/spki.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import type { EnvelopeProvider, SignInput } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import {
  base64,
  CIPHERTEXT,
  crc,
  decryptAnswer,
  ED_PUBLIC,
  encryptAnswer,
  KEY,
  OTHER,
  pemOf,
  publicKeyAnswer,
  RING,
  SECP_PUBLIC,
  SECRET,
  signAnswer,
  VERSION,
  WRAPPING,
} from '../../support/gcp-answers.ts'
import { refusal, spellings } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { type GcpMessage, type GcpScript, type ScriptedGcp, scriptedGcp } from '../../support/scripted-gcp.ts'

const MESSAGE: SignInput = { scheme: 'ed25519', message: new Uint8Array(32).fill(5) }
const DIGEST: SignInput = { scheme: 'ecdsa-secp256k1', digest: digest32(new Uint8Array(32).fill(5)) }
const CONTEXT = { version: '1', pubkey: 'GABC', network: 'testnet' }

async function scripted(
  transport: 'rest' | 'grpc',
  script: GcpScript,
  body: (provider: EnvelopeProvider, server: ScriptedGcp) => Promise<void>,
  more: object = {},
): Promise<void> {
  const server = await scriptedGcp(transport, script)
  const provider = await create({ kind: 'gcp-kms', transport, endpoint: server.url, ...more }, providerWorld())
  try {
    await body(provider, server)
  } finally {
    await provider.close()
    await server.close()
  }
}

const answering =
  (answer: GcpMessage): GcpScript =>
  () => ({ answer })

for (const transport of ['rest', 'grpc'] as const) {
  const over = (title: string) => `${title} [${transport}]`

  test(over('M-04 Ed25519 goes as data with its checksum, and the signature verifies'), () =>
    scripted(
      transport,
      seen => ({ answer: signAnswer(seen) }),
      async (provider, { seen }) => {
        const { signature } = await provider.sign(VERSION, MESSAGE, call())
        assert.ok(ed25519.verify(signature, new Uint8Array(32).fill(5), ED_PUBLIC))
        const [first, ...more] = seen
        assert.equal(more.length, 0)
        assert.equal(first?.name, VERSION)
        assert.equal(first?.request['data'], base64(new Uint8Array(32).fill(5)))
        assert.equal(first?.request['dataCrc32c'], crc(new Uint8Array(32).fill(5)))
        assert.equal(first?.request['digest'], undefined)
        assert.match(first?.headers.get('x-goog-request-reason') ?? '', /^req_test_/)
        assert.equal(first?.headers.get('authorization'), undefined)
      },
    ),
  )

  test(
    over('M-04 secp256k1 goes as digest.sha256, 32 bytes as they are, and high s comes back low (T36)'),
    async () => {
      const digest = digest32(
        Uint8Array.from(Buffer.from('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53', 'hex')),
      )
      // EIP-155: the example of the standard, key 0x4646….
      const r = 0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276n
      const s = 0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83n
      const { n } = secp256k1.Point.CURVE()
      for (const drawn of [s, n - s]) {
        const der = new secp256k1.Signature(r, drawn).toBytes('der')
        await scripted(
          transport,
          seen => ({ answer: { ...signAnswer(seen), signature: base64(der), signatureCrc32c: crc(der) } }),
          async (provider, { seen }) => {
            const { signature } = await provider.sign(VERSION, { scheme: 'ecdsa-secp256k1', digest }, call())
            assert.equal(toHex(signature), r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'))
            assert.ok(secp256k1.verify(signature, digest, SECP_PUBLIC, { prehash: false, lowS: true }))
            assert.deepEqual(seen[0]?.request['digest'], { sha256: base64(digest) })
            assert.equal(seen[0]?.request['digestCrc32c'], crc(digest))
            assert.equal(seen[0]?.request['data'] || undefined, undefined)
          },
        )
      }
    },
  )

  test(
    over('T36 a signature that is no strict DER, or not 64 bytes, is malformed though its checksum fits'),
    async () => {
      const bad = [
        '3081080202008002017f',
        '3006020180020101',
        '3006020100020101',
        '300702020001020101',
        '01'.repeat(64),
      ]
      for (const hex of bad) {
        const wire = Uint8Array.from(Buffer.from(hex, 'hex'))
        await scripted(
          transport,
          seen => ({ answer: { ...signAnswer(seen), signature: base64(wire), signatureCrc32c: crc(wire) } }),
          async provider => void (await refusal(provider.sign(VERSION, DIGEST, call()), 'signature/malformed')),
        )
      }
      for (const length of [1, 63, 65]) {
        const wire = new Uint8Array(length).fill(1)
        await scripted(
          transport,
          seen => ({ answer: { ...signAnswer(seen), signature: base64(wire), signatureCrc32c: crc(wire) } }),
          async provider => void (await refusal(provider.sign(VERSION, MESSAGE, call()), 'signature/malformed')),
        )
      }
    },
  )

  const signLies: readonly (readonly [lie: string, answer: GcpMessage, code: ErrorCode, input?: SignInput])[] = [
    ['another version', { name: OTHER }, 'key/mismatch'],
    ['another key', { name: VERSION.replace('treasury', 'treasure') }, 'key/mismatch'],
    ['the key without its version', { name: KEY }, 'key/mismatch'],
    ['no name', { name: undefined }, 'provider/malformed'],
    ['a signature checksum of something else', { signatureCrc32c: '1' }, 'provider/corrupt'],
    ['no signature checksum', { signatureCrc32c: undefined }, 'provider/corrupt'],
    ['data not verified', { verifiedDataCrc32c: false }, 'provider/corrupt'],
    ['data not mentioned', { verifiedDataCrc32c: undefined }, 'provider/corrupt'],
    ['the digest verified instead', { verifiedDataCrc32c: undefined, verifiedDigestCrc32c: true }, 'provider/corrupt'],
    ['digest not verified', { verifiedDigestCrc32c: false }, 'provider/corrupt', DIGEST],
    ['one bit of the signature', { signature: base64(new Uint8Array(64).fill(9)) }, 'provider/corrupt'],
    ['no signature', { signature: undefined }, 'provider/malformed'],
    ['an HSM key that became software', { protectionLevel: 'SOFTWARE' }, 'key/mismatch', DIGEST],
    ['an external key', { protectionLevel: 'EXTERNAL' }, 'key/mismatch'],
    ['no protection level', { protectionLevel: undefined }, 'key/mismatch'],
  ]
  for (const [lie, answer, code, input = MESSAGE] of signLies) {
    test(over(`M-04 R-14 sign: ${lie} is ${code}`), () =>
      scripted(
        transport,
        seen => ({ answer: { ...signAnswer(seen), ...answer } }),
        async (provider, { seen }) => {
          await refusal(provider.sign(VERSION, input, call()), code)
          assert.equal(seen.length, 1, 'nothing is tried twice')
        },
      ),
    )
  }

  test(over('M-04 describe checks both forms of the public key, its algorithm and its level'), async () => {
    for (const scheme of ['ed25519', 'ecdsa-secp256k1'] as const) {
      await scripted(transport, answering(publicKeyAnswer(scheme)), async provider => {
        const facts = await provider.describe(VERSION, call())
        const publicKey = scheme === 'ed25519' ? ED_PUBLIC : SECP_PUBLIC
        assert.deepEqual(facts, { reference: VERSION, scheme, publicKey, protection: 'unknown' })
      })
    }
    const der = ed25519ToSpki(ED_PUBLIC)
    const asDer = {
      pem: undefined,
      pemCrc32c: undefined,
      publicKeyFormat: 'DER',
      publicKey: { data: base64(der), crc32cChecksum: crc(der) },
    }
    await scripted(transport, answering({ ...publicKeyAnswer('ed25519'), ...asDer }), async provider => {
      assert.deepEqual((await provider.describe(VERSION, call())).publicKey, ED_PUBLIC)
    })
  })

  const foreign = ed25519ToSpki(new Uint8Array(32).fill(9))
  const text = (value: string) => new TextEncoder().encode(value)
  const withPem = (pem: string): GcpMessage => ({ pem, pemCrc32c: crc(text(pem)) })
  const keyLies: readonly (readonly [lie: string, answer: GcpMessage, code: ErrorCode])[] = [
    ['another version', { name: OTHER }, 'key/mismatch'],
    ['no name', { name: undefined }, 'provider/malformed'],
    ['a pem checksum of something else', { pemCrc32c: '4294967295' }, 'provider/corrupt'],
    ['no pem checksum', { pemCrc32c: undefined }, 'provider/corrupt'],
    ['no key at all', { pem: undefined }, 'provider/malformed'],
    ['another pem under the old checksum', { pem: pemOf(foreign) }, 'provider/corrupt'],
    [
      'a pem of another label',
      withPem('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      'provider/malformed',
    ],
    ['a pem with text around', withPem(`x\n${pemOf(foreign)}`), 'provider/malformed'],
    ['a pem that is not base64', withPem(pemOf(foreign).replace('M', '*')), 'provider/malformed'],
    ['the other curve in the pem', withPem(pemOf(secp256k1ToSpki(SECP_PUBLIC))), 'provider/malformed'],
    [
      'der that differs from pem',
      { publicKeyFormat: 'DER', publicKey: { data: base64(foreign), crc32cChecksum: crc(foreign) } },
      'provider/corrupt',
    ],
    [
      'a der checksum of something else',
      { publicKeyFormat: 'DER', publicKey: { data: base64(foreign), crc32cChecksum: '7' } },
      'provider/corrupt',
    ],
    ['a P-256 key', { algorithm: 'EC_SIGN_P256_SHA256' }, 'key/unsupported'],
    ['an RSA key', { algorithm: 'RSA_SIGN_PSS_2048_SHA256' }, 'key/unsupported'],
    ['no algorithm', { algorithm: undefined }, 'key/unsupported'],
    ['secp256k1 outside an HSM', { algorithm: 'EC_SIGN_SECP256K1_SHA256' }, 'key/unsupported'],
    ['an external key', { protectionLevel: 'EXTERNAL' }, 'key/unsupported'],
    ['no protection level', { protectionLevel: undefined }, 'key/unsupported'],
  ]
  for (const [lie, answer, code] of keyLies) {
    test(over(`M-04 R-14 describe: ${lie} is ${code}`), () =>
      scripted(transport, answering({ ...publicKeyAnswer('ed25519'), ...answer }), async provider => {
        await refusal(provider.describe(VERSION, call()), code)
      }),
    )
  }

  test(
    over('M-04 data is not sent to a key that describe saw to be secp256k1; an ECDSA answer to data is another key'),
    () =>
      scripted(
        transport,
        ({ operation, name, request }) => ({
          answer:
            operation === 'GetPublicKey'
              ? publicKeyAnswer('ecdsa-secp256k1', name)
              : {
                  // As the service does: SHA-256 of the data, signed by the key, everything verified.
                  ...signAnswer({ name, request: { digest: { sha256: request['data'] } } }),
                  verifiedDataCrc32c: true,
                },
        }),
        async (provider, { seen }) => {
          await refusal(provider.sign(VERSION, MESSAGE, call()), 'key/mismatch')
          await provider.describe(VERSION, call())
          const before = seen.length
          await refusal(provider.sign(VERSION, MESSAGE, call()), 'key/unsupported')
          assert.equal(seen.length, before)
        },
      ),
  )

  test(over('M-06 wrap and unwrap bind the context as canonical JSON in the associated data'), () =>
    scripted(
      transport,
      ({ operation }) => ({ answer: operation === 'Encrypt' ? encryptAnswer() : decryptAnswer() }),
      async (provider, { seen }) => {
        const secret = new SecretBytes(SECRET.slice(), 'seed')
        assert.deepEqual(await provider.wrap(WRAPPING, secret, CONTEXT, call()), CIPHERTEXT)
        const { plaintext } = await provider.unwrap(WRAPPING, CIPHERTEXT, { ...CONTEXT }, call())
        plaintext.use(bytes => assert.deepEqual(Uint8Array.from(bytes), SECRET))
        plaintext.wipe()
        const aad = text('{"network":"testnet","pubkey":"GABC","version":"1"}')
        for (const { request } of seen) {
          assert.equal(request['additionalAuthenticatedData'], base64(aad))
          assert.equal(request['additionalAuthenticatedDataCrc32c'], crc(aad))
        }
        assert.equal(seen[0]?.request['plaintext'], base64(SECRET))
        assert.equal(seen[0]?.request['plaintextCrc32c'], crc(SECRET))
        assert.equal(seen[1]?.request['ciphertextCrc32c'], crc(CIPHERTEXT))
        assert.deepEqual(
          seen.map(({ name }) => name),
          [WRAPPING, WRAPPING],
        )
      },
    ),
  )

  const envelopeLies: readonly (readonly [lie: string, operation: string, answer: GcpMessage, code: ErrorCode])[] = [
    ['a version of another key', 'Encrypt', { name: VERSION }, 'key/mismatch'],
    ['the key itself', 'Encrypt', { name: WRAPPING }, 'key/mismatch'],
    ['no name', 'Encrypt', { name: undefined }, 'provider/malformed'],
    ['plaintext not verified', 'Encrypt', { verifiedPlaintextCrc32c: false }, 'provider/corrupt'],
    ['context not verified', 'Encrypt', { verifiedAdditionalAuthenticatedDataCrc32c: undefined }, 'provider/corrupt'],
    ['a ciphertext checksum of something else', 'Encrypt', { ciphertextCrc32c: '0' }, 'provider/corrupt'],
    ['no ciphertext', 'Encrypt', { ciphertext: undefined }, 'provider/malformed'],
    ['no protection level', 'Encrypt', { protectionLevel: undefined }, 'provider/corrupt'],
    ['a plaintext checksum of something else', 'Decrypt', { plaintextCrc32c: '5' }, 'provider/corrupt'],
    ['no plaintext checksum', 'Decrypt', { plaintextCrc32c: undefined }, 'provider/corrupt'],
    [
      'one bit of the plaintext',
      'Decrypt',
      { plaintext: base64(SECRET.map((byte, i) => (i === 3 ? byte ^ 1 : byte))) },
      'provider/corrupt',
    ],
    ['no plaintext', 'Decrypt', { plaintext: undefined }, 'provider/malformed'],
    ['an empty plaintext', 'Decrypt', { plaintext: '' }, 'provider/malformed'],
    ['no protection level', 'Decrypt', { protectionLevel: undefined }, 'provider/corrupt'],
  ]
  for (const [lie, operation, answer, code] of envelopeLies) {
    test(over(`M-06 R-14 ${operation}: ${lie} is ${code}, and the secret shows nowhere`), () =>
      scripted(
        transport,
        answering({ ...(operation === 'Encrypt' ? encryptAnswer() : decryptAnswer()), ...answer }),
        async provider => {
          const attempt =
            operation === 'Encrypt'
              ? provider.wrap(WRAPPING, new SecretBytes(SECRET.slice(), 'seed'), CONTEXT, call())
              : provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call())
          await refusal(attempt, code, spellings(SECRET))
        },
      ),
    )
  }

  test(over('T43 only full names with a version sign, and nothing is sent for others'), () =>
    scripted(
      transport,
      seen => ({ answer: signAnswer(seen) }),
      async (provider, { seen }) => {
        const odd = [
          KEY,
          'treasury/1',
          'treasury',
          '',
          `${VERSION}/x`,
          `${KEY}/cryptoKeyVersions/0`,
          `${KEY}/cryptoKeyVersions/01`,
        ]
        for (const reference of [
          ...odd,
          `${KEY}/cryptoKeyVersions/latest`,
          VERSION.replace('treasury', '..'),
          `${VERSION}?x`,
        ]) {
          await refusal(provider.sign(reference, MESSAGE, call()), 'provider/refused')
        }
        for (const reference of [VERSION, RING, 'wrapping', `${WRAPPING}:destroy`]) {
          await refusal(
            provider.wrap(reference, new SecretBytes(SECRET.slice(), 's'), CONTEXT, call()),
            'provider/refused',
          )
          await refusal(provider.unwrap(reference, CIPHERTEXT, CONTEXT, call()), 'provider/refused')
        }
        assert.equal(seen.length, 0)
      },
      { project: 'payments-test', location: 'europe-west3', keyRing: 'signing' },
    ),
  )

  test(
    over('describe takes short names in the configured ring, and a key only while it has one enabled version'),
    async () => {
      const listed = (...states: readonly (readonly [number, string])[]) => ({
        cryptoKeyVersions: states.map(([number, state]) => ({ name: `${KEY}/cryptoKeyVersions/${number}`, state })),
      })
      const script =
        (versions: GcpMessage): GcpScript =>
        ({ operation, name }) =>
          operation === 'ListCryptoKeyVersions' ? { answer: versions } : { answer: publicKeyAnswer('ed25519', name) }
      const ring = { project: 'payments-test', location: 'europe-west3', keyRing: 'signing' }
      await scripted(
        transport,
        script(listed([1, 'DISABLED'], [2, 'ENABLED'], [3, 'DESTROYED'])),
        async (provider, { seen }) => {
          assert.equal((await provider.describe('treasury/1', call())).reference, VERSION)
          assert.equal((await provider.describe('treasury', call())).reference, OTHER)
          assert.equal((await provider.describe(KEY, call())).reference, OTHER)
          assert.deepEqual(
            seen.find(({ operation }) => operation.startsWith('List'))?.request['filter'],
            'state=ENABLED',
          )
          for (const reference of ['treasury/x', 'a/b/c', 'no such name', '']) {
            await refusal(provider.describe(reference, call()), 'provider/refused')
          }
        },
        ring,
      )
      await scripted(transport, script(listed([1, 'ENABLED'], [4, 'ENABLED'])), async provider => {
        const { detail } = await refusal(provider.describe(KEY, call()), 'provider/refused')
        assert.match((detail as { reason: string }).reason, /several enabled versions \(1, 4\)/)
        await refusal(provider.describe('treasury/1', call()), 'provider/refused')
      })
      await scripted(transport, script({}), async provider => {
        const { detail } = await refusal(provider.describe(KEY, call()), 'provider/refused')
        assert.match((detail as { reason: string }).reason, /no enabled version/)
      })
      const elsewhere = { cryptoKeyVersions: [{ name: `${WRAPPING}/cryptoKeyVersions/1`, state: 'ENABLED' }] }
      await scripted(
        transport,
        script(elsewhere),
        async provider => void (await refusal(provider.describe(KEY, call()), 'key/mismatch')),
      )
      const odd = { cryptoKeyVersions: [{ name: 'x', state: 'ENABLED' }] }
      await scripted(
        transport,
        script(odd),
        async provider => void (await refusal(provider.describe(KEY, call()), 'provider/malformed')),
      )
    },
  )

  test(over('limits are kept before anything is sent'), () =>
    scripted(
      transport,
      () => assert.fail('nothing may be sent'),
      async provider => {
        for (const size of [0, 4097]) {
          await refusal(
            provider.sign(VERSION, { scheme: 'ed25519', message: new Uint8Array(size) }, call()),
            'key/unsupported',
          )
          await refusal(
            provider.wrap(WRAPPING, new SecretBytes(new Uint8Array(size), 's'), CONTEXT, call()),
            'provider/refused',
          )
        }
        for (const size of [0, 31, 33]) {
          const input = { scheme: 'ecdsa-secp256k1', digest: new Uint8Array(size) } as unknown as SignInput
          await refusal(provider.sign(VERSION, input, call()), 'key/unsupported')
        }
        await refusal(provider.sign(VERSION, { scheme: 'rsa' } as unknown as SignInput, call()), 'key/unsupported')
        for (const context of [{}, { a: '\ud800' }, { a: 'x'.repeat(5000) }]) {
          await refusal(provider.unwrap(WRAPPING, CIPHERTEXT, context, call()), 'envelope/unreadable')
          await refusal(
            provider.wrap(WRAPPING, new SecretBytes(SECRET.slice(), 's'), context, call()),
            'provider/refused',
          )
        }
        for (const size of [0, 8193]) {
          await refusal(provider.unwrap(WRAPPING, new Uint8Array(size), CONTEXT, call()), 'envelope/unreadable')
        }
      },
    ),
  )

  test(over('T54 an abort ends every call at once: ambiguous only for a signature'), () =>
    scripted(
      transport,
      () => 'hang',
      async (provider, server) => {
        const given = async (run: (signal: AbortSignal) => Promise<unknown>, code: ErrorCode) => {
          const deadline = new AbortController()
          const arrived = server.arrived()
          const outcome = refusal(run(deadline.signal), code)
          await arrived
          const before = performance.now()
          deadline.abort(new Error('deadline'))
          await outcome
          assert.ok(performance.now() - before < 100)
        }
        await given(signal => provider.sign(VERSION, MESSAGE, call(signal)), 'provider/ambiguous')
        await given(signal => provider.describe(VERSION, call(signal)), 'provider/unavailable')
        await given(signal => provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call(signal)), 'provider/unavailable')
        await refusal(provider.sign(VERSION, MESSAGE, call(AbortSignal.abort())), 'provider/unavailable')
        await provider.close()
        await refusal(provider.sign(VERSION, MESSAGE, call()), 'provider/unavailable')
      },
    ),
  )

  test(over('nobody there is unavailable, because nothing can have been signed'), async () => {
    const server = await scriptedGcp('rest', () => 'hang')
    await server.close()
    const provider = await create({ kind: 'gcp-kms', transport, endpoint: server.url }, providerWorld())
    await refusal(provider.sign(VERSION, MESSAGE, call()), 'provider/unavailable')
    await provider.close()
  })

  test(over('32 at a time each get their own answer, and a second close does nothing'), () =>
    scripted(
      transport,
      seen => ({ answer: signAnswer(seen) }),
      async provider => {
        const inputs = Array.from({ length: 32 }, (_, i) => new Uint8Array(32).fill(i))
        const all = await Promise.all(
          inputs.map(message => provider.sign(VERSION, { scheme: 'ed25519', message }, call())),
        )
        for (const [i, { signature }] of all.entries())
          assert.ok(ed25519.verify(signature, inputs[i] as Uint8Array, ED_PUBLIC))
        await provider.close()
        await provider.close()
      },
    ),
  )
}
