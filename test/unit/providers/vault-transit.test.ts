/** What the provider for Vault Transit sends, accepts and refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmin, keyName } from '../../../providers/vault-transit/admin.ts'
import type { EnvelopeContext } from '../../../src/domain/provider.ts'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { refusal, spellings } from '../../support/leaks.ts'
import { call } from '../../support/provider-world.ts'
import {
  bad,
  base64,
  good,
  KEY,
  open,
  REQUEST_ID,
  scene,
  type Script,
  settle,
  sign,
  signed,
  SIGNATURE,
  STATIC,
  type Told,
  TOKEN,
} from './vault-support.ts'

const PUBLIC = new Uint8Array(32).fill(2)
const SEED = Uint8Array.from({ length: 32 }, (_, i) => 250 - i * 5)
const ROW = new TextEncoder().encode(`vault:v1:${base64(new Uint8Array(60).fill(5))}`)
const CONTEXT: EnvelopeContext = Object.freeze({ pubkey: 'G' })

const key = (more: object = {}): Told =>
  good({
    name: 'treasury',
    type: 'ed25519',
    derived: false,
    exportable: false,
    supports_signing: true,
    latest_version: 3,
    keys: { '1': { public_key: base64(PUBLIC) }, '3': { public_key: base64(PUBLIC.map(b => b + 1)) } },
    ...more,
  })
const answering = async (told: Told | Script) => open(scene(typeof told === 'function' ? told : () => told))

test('is frozen, signs Ed25519 only, and says that EVM keys need the envelope', async () => {
  const provider = await answering(signed())
  assert.deepEqual(provider.can, { native: ['ed25519'], envelope: true, rotation: 'in-place', production: true })
  assert.ok(Object.isFrozen(provider) && Object.isFrozen(provider.can) && Object.isFrozen(provider.can.native))
  const at = scene(() => signed())
  const digest = new Uint8Array(32) as never
  const error = await refusal(
    (await open(at)).sign(KEY, { scheme: 'ecdsa-secp256k1', digest }, call()),
    'key/unsupported',
  )
  assert.match(error.message, /as an envelope/)
  assert.equal(at.asked.length, 0)
})

test('a name is resolved to its latest version once, and what is returned is pinned', async () => {
  const at = scene(() => key())
  const provider = await open(at)
  for (const asked of ['treasury', 'transit/treasury', 'transit/treasury@3', 'treasury@3']) {
    const facts = await provider.describe(asked, call())
    assert.deepEqual(facts, {
      reference: 'transit/treasury@3',
      scheme: 'ed25519',
      publicKey: PUBLIC.map(b => b + 1),
      protection: 'software',
    })
  }
  assert.deepEqual((await provider.describe('treasury@1', call())).publicKey, PUBLIC)
  assert.ok(at.asked.every(({ path }) => path === 'transit/keys/treasury'))
})

const DESCRIBED: readonly [string, object, ErrorCode, RegExp?][] = [
  ['another key', { name: 'other' }, 'key/mismatch'],
  ['no name', { name: undefined }, 'provider/malformed'],
  ['another type', { type: 'ecdsa-p256' }, 'key/unsupported', /ecdsa-p256/],
  ['a type that is no word', { type: 'x\n'.repeat(50) }, 'key/unsupported', /unknown/],
  ['a derived key', { derived: true }, 'key/unsupported', /derived/],
  ['nothing of derivation', { derived: undefined }, 'key/unsupported'],
  ['a key that does not sign', { supports_signing: false }, 'key/unsupported'],
  ['a deleted key', { soft_deleted: true }, 'key/unsupported'],
  ['no latest version', { latest_version: undefined }, 'provider/malformed'],
  ['latest version 0', { latest_version: 0 }, 'provider/malformed'],
  ['a latest version that is no whole number', { latest_version: 1.5 }, 'provider/malformed'],
  ['a latest version that is not there', { latest_version: 2 }, 'provider/refused'],
  ['no keys', { keys: null }, 'provider/refused'],
  ['a key of 31 bytes', { keys: { '3': { public_key: base64(new Uint8Array(31)) } } }, 'provider/malformed'],
  ['PEM', { keys: { '3': { public_key: '-----BEGIN' } } }, 'provider/malformed'],
  ['a time instead of a key', { keys: { '3': 1795328388 } }, 'provider/malformed'],
]
for (const [title, more, code, text] of DESCRIBED) {
  test(`describe answered with ${title}: ${code}`, async () => {
    const error = await refusal((await answering(key(more))).describe('treasury', call()), code)
    if (text !== undefined) assert.match(error.message, text)
  })
}

test('what is no pinned reference of this mount is refused before anything is sent', async () => {
  const at = scene(() => signed())
  const provider = await open(at)
  const wrong = [
    '',
    'treasury',
    'treasury@1',
    'transit/treasury',
    'other/treasury@1',
    'transit/treasury@0',
    'transit/treasury@01',
    'transit/treasury@-1',
    'transit/treasury@1@2',
    'transit/treasury@latest',
    'transit/../sys/seal@1',
    'transit/a/b@1',
    'transit/%2e%2e@1',
    'transit/.a@1',
    'transit/a?x=1@1',
    'transit/trésor@1',
    `transit/${'a'.repeat(200)}@1`,
    '__proto__',
    'transit/treasury@9999999999',
  ]
  for (const reference of wrong) {
    await refusal(sign(provider, undefined, reference), 'provider/refused', [TOKEN])
    await refusal(
      provider.unwrap(reference === 'transit/treasury' ? 'transit/w@1' : reference, ROW, CONTEXT, call()),
      'provider/refused',
    )
  }
  for (const reference of ['other/treasury', 'transit/../x', 'a b', 'x'.repeat(3000)])
    await refusal(provider.describe(reference, call()), 'provider/refused')
  assert.equal(at.asked.length, 0)
})

const SIGNED: readonly [string, Told, ErrorCode][] = [
  ['another version in the prefix and in the member', signed(2), 'key/mismatch'],
  ['another version in the prefix', good({ signature: `vault:v2:${SIGNATURE}`, key_version: 1 }), 'key/mismatch'],
  ['another version in the member', good({ signature: `vault:v1:${SIGNATURE}`, key_version: 2 }), 'key/mismatch'],
  ['no version in the member', good({ signature: `vault:v1:${SIGNATURE}` }), 'provider/malformed'],
  ['a version as text', good({ signature: `vault:v1:${SIGNATURE}`, key_version: '1' }), 'provider/malformed'],
  ['no signature', good({ key_version: 1 }), 'provider/malformed'],
  [
    'a list of signatures',
    good({ batch_results: [{ signature: `vault:v1:${SIGNATURE}`, key_version: 1 }] }),
    'provider/malformed',
  ],
  ['no data', good(null), 'provider/malformed'],
  ['63 bytes', good({ signature: `vault:v1:${base64(new Uint8Array(63))}`, key_version: 1 }), 'signature/malformed'],
  ['65 bytes', good({ signature: `vault:v1:${base64(new Uint8Array(65))}`, key_version: 1 }), 'signature/malformed'],
  ['base64url', good({ signature: `vault:v1:${'_'.repeat(86)}==`, key_version: 1 }), 'provider/malformed'],
  ['version 0', good({ signature: `vault:v0:${SIGNATURE}`, key_version: 0 }), 'provider/malformed'],
  ['another prefix', good({ signature: `bao:v1:${SIGNATURE}`, key_version: 1 }), 'provider/malformed'],
]
for (const [title, told, code] of SIGNED) {
  test(`sign answered with ${title}: ${code}`, async () => {
    await refusal(sign(await answering(told)), code, [TOKEN])
  })
}

test('the id of the request goes along, and only when it looks like one', async () => {
  assert.equal((await sign(await answering(signed()))).providerRequestId, REQUEST_ID)
  const odd = { ...(signed().body as object), request_id: 'x\ny z' }
  assert.equal((await sign(await answering({ body: odd }))).providerRequestId, undefined)
})

const BODIES: readonly [string, Told][] = [
  ['no JSON', { body: 'not json' }],
  ['a list', { body: '[]' }],
  ['another content type', { headers: { 'content-type': 'text/html' }, body: signed().body }],
  [
    'a member twice',
    { body: `{"request_id":"${REQUEST_ID}","data":{},"data":{"signature":"vault:v1:${SIGNATURE}","key_version":1}}` },
  ],
  ['a member twice inside', { body: `{"data":{"key_version":2,"key_version":1,"signature":"vault:v1:${SIGNATURE}"}}` }],
  ['half of it', { body: '{"data":{"signature":"vau' }],
  ['something after it', { body: `${JSON.stringify(signed().body)}{}` }],
  ['bytes that are no UTF-8', { body: '{"data":{"signature":"\u{fffe}' }],
  ['another 2xx', { status: 202, body: signed().body }],
  ['nothing', { body: '' }],
]
for (const [title, told] of BODIES) {
  test(`an answer with ${title} is malformed`, async () => {
    const provider = await answering(told)
    await refusal(sign(provider), 'provider/malformed', [TOKEN])
    await refusal(provider.unwrap('transit/w', ROW, CONTEXT, call()), 'provider/malformed', [TOKEN])
  })
}

test('M-06 what is opened is bytes from the wire on: no text of it is ever made', async () => {
  const seen: string[] = []
  const { parse } = JSON
  const decode = TextDecoder.prototype.decode
  JSON.parse = (text: string, ...rest: []) => (seen.push(text), parse(text, ...rest))
  TextDecoder.prototype.decode = function (this: TextDecoder, ...given: Parameters<TextDecoder['decode']>) {
    const text = decode.apply(this, given)
    seen.push(text)
    return text
  }
  try {
    const provider = await answering(good({ plaintext: base64(SEED) }))
    const { plaintext, providerRequestId } = await provider.unwrap('transit/w', ROW, CONTEXT, call())
    plaintext.use(bytes => assert.deepEqual(Uint8Array.from(bytes), SEED))
    plaintext.wipe()
    assert.equal(providerRequestId, REQUEST_ID)
  } finally {
    JSON.parse = parse
    TextDecoder.prototype.decode = decode
  }
  assert.ok(
    seen.some(text => text.includes('"plaintext":""')),
    'the parsers saw the answer',
  )
  for (const spelling of spellings(SEED)) assert.ok(!seen.some(text => text.includes(spelling)))
})

test('M-06 the answer that held it is overwritten, opened or not', async () => {
  for (const [data, works] of [
    [{ plaintext: base64(SEED) }, true],
    [{ plaintext: base64(SEED), key_version: 9 }, false],
    [{ plaintext: `${base64(SEED)}!` }, false],
  ] as const) {
    const at = scene(() => good(data))
    const bodies: Uint8Array[] = []
    const body = new TextEncoder().encode(JSON.stringify(good(data).body))
    const world = {
      ...at.world,
      fetch: async () => {
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            const piece = body.slice()
            bodies.push(piece)
            controller.enqueue(piece)
            controller.close()
          },
        })
        return new Response(stream, { headers: { 'content-type': 'application/json' } })
      },
    }
    const provider = await open({ ...at, world })
    const opening = provider.unwrap('transit/w', ROW, CONTEXT, call())
    if (works) (await opening).plaintext.wipe()
    else await refusal(opening, ['key/mismatch', 'provider/malformed'], spellings(SEED))
    assert.ok(bodies.length > 0 && bodies.every(piece => piece.every(byte => byte === 0)))
  }
})

test('an opened key that comes after the deadline is wiped, and so is the body of a wrap', async () => {
  let answer = (_: Told) => {}
  const at = scene(() => new Promise<Told>(resolve => (answer = resolve)))
  const provider = await open(at)
  const deadline = new AbortController()
  const gone = refusal(
    provider.unwrap('transit/w', ROW, CONTEXT, call(deadline.signal)),
    'provider/unavailable',
    spellings(SEED),
  )
  await settle()
  deadline.abort(new Error('deadline'))
  await gone
  answer(good({ plaintext: base64(SEED) }))
  await settle()

  let sent: Uint8Array | undefined
  const wrapping = scene(() => good({ ciphertext: new TextDecoder().decode(ROW), key_version: 1 }))
  const world = {
    ...wrapping.world,
    fetch: (url: string, init: RequestInit) => ((sent = init.body as Uint8Array), wrapping.world.fetch(url, init)),
  }
  const secret = new SecretBytes(SEED.slice(), 'seed')
  assert.deepEqual(await (await open({ ...wrapping, world })).wrap('transit/w', secret, CONTEXT, call()), ROW)
  assert.equal(wrapping.asked[0]?.body['plaintext'], base64(SEED))
  assert.ok(sent?.every(byte => byte === 0) && !secret.wiped)
})

test('M-06 a row has one spelling: what Vault would also open is unreadable before it is asked', async () => {
  const at = scene(() => good({ plaintext: base64(SEED) }))
  const provider = await open(at)
  const row = new TextDecoder().decode(ROW)
  const others = [
    row.replace(':v1:', ':v0:'),
    row.replace(':v1:', ':v01:'),
    row.replace(':v1:', ':1:'),
    `${row}\n`,
    row.replace('vault', 'VAULT'),
    `${row.slice(0, 20)}\n${row.slice(20)}`,
    `${row}:x`,
    'vault:v1:',
    'vault:v1:QR==',
    `vault:v1:${'A'.repeat(8_000)}`,
  ]
  for (const other of others)
    await refusal(provider.unwrap('transit/w', new TextEncoder().encode(other), CONTEXT, call()), 'envelope/unreadable')
  assert.equal(at.asked.length, 0)
})

test('wrap under a key that is not there makes none: the guard is in the request, and its refusal is typed', async () => {
  const at = scene(({ body }) =>
    // As Vault does when the policy allows `create`: the type decides, and this one cannot encrypt.
    body['type'] === 'ecdsa-p256'
      ? bad(400, 'key type ecdsa-p256 not supported for this operation')
      : good({ ciphertext: 'vault:v1:AAAA', key_version: 1 }),
  )
  const error = await refusal(
    (await open(at)).wrap('transit/w', new SecretBytes(SEED.slice(), 's'), CONTEXT, call()),
    'provider/refused',
    [TOKEN, ...spellings(SEED)],
  )
  assert.match(error.message, /no such wrapping key/)
  for (const told of [
    good({ ciphertext: `vault:v2:${SIGNATURE}`, key_version: 1 }),
    good({ ciphertext: `vault:v1:${SIGNATURE}`, key_version: 2 }),
  ])
    await refusal(
      (await answering(told)).wrap('transit/w', new SecretBytes(SEED.slice(), 's'), CONTEXT, call()),
      'key/mismatch',
    )
})

test("an admin makes keys that cannot leave, under names that are nobody else's, and reads them back", async () => {
  const kept: Record<string, Record<string, unknown>> = {}
  const at = scene(({ method, path, body }) => {
    const name = path.split('/').at(-1) ?? ''
    if (method === 'POST')
      kept[name] = { ...body, name, latest_version: 1, keys: { '1': { public_key: base64(PUBLIC) } } }
    return kept[name] === undefined ? { status: 404, body: { errors: [] } } : good(kept[name])
  })
  const admin = await createAdmin(STATIC, at.world)
  const facts = await admin.create({ scheme: 'ed25519', label: 'Tréasury / main!' }, call())
  assert.equal(facts.reference, 'transit/tr-asury-main-0909090909090909@1')
  assert.deepEqual(at.asked.find(({ method }) => method === 'POST')?.body, {
    type: 'ed25519',
    exportable: false,
    allow_plaintext_backup: false,
    derived: false,
  })
  await refusal(admin.create({ scheme: 'ed25519', label: 'Tréasury / main!' }, call()), 'key/exists')
  assert.equal(at.asked.filter(({ method }) => method === 'POST').length, 1)
  assert.equal(await admin.createWrappingKey({ label: '' }, call()), 'transit/key-0909090909090909')
  assert.equal(keyName('-'.repeat(300), new Uint8Array(8)), 'key-0000000000000000')
  assert.match(keyName('x'.repeat(300), new Uint8Array(8)), /^x{48}-0{16}$/)
})

test('an admin adopts no key: not one that appears in between, not one of another kind', async () => {
  const existing = {
    name: 'a-0909090909090909',
    type: 'ed25519',
    exportable: false,
    allow_plaintext_backup: false,
    derived: false,
    latest_version: 1,
    keys: {},
  }
  const making = (made: Told, read: object) => {
    let reads = 0
    return scene(({ method }) =>
      method === 'POST' ? made : ++reads === 1 ? { status: 404, body: { errors: [] } } : good({ ...existing, ...read }),
    )
  }
  const create = async (at: ReturnType<typeof scene>) =>
    (await createAdmin(STATIC, at.world)).create({ scheme: 'ed25519', label: 'a' }, call())
  await refusal(create(making(good({}, { warnings: ['key a already existed'] }), {})), 'key/exists')
  for (const read of [
    { exportable: true },
    { latest_version: 2 },
    { type: 'aes256-gcm96' },
    { derived: true },
    { allow_plaintext_backup: true },
  ])
    await refusal(create(making(good({}), read)), 'provider/malformed')
  await refusal(
    create(scene(() => bad(404, 'no handler for route "transit/keys/a". route entry not found.'))),
    'provider/refused',
  )
})

test('M-61 a version goes alone: while an older one is kept, stopped or not, nothing is trimmed; once it was trimmed, it is', async () => {
  const held: Record<string, unknown> = {
    ...{ name: 'treasury', latest_version: 3, min_encryption_version: 3, min_decryption_version: 1 },
    min_available_version: 0,
  }
  const at = scene(({ method, path, body }) => {
    if (method === 'POST' && /(config|trim)$/.test(path)) Object.assign(held, body)
    return good({ ...held })
  })
  const admin = await createAdmin(STATIC, at.world)
  // Versions 1 and 2 were stopped by revocations; that of version 1 may be taken back.
  const end = () => admin.scheduleDestroy('transit/treasury@2', { days: 0 }, call())
  for (const kept of [0, 1]) {
    held['min_available_version'] = kept
    await refusal(end(), 'key/unsupported')
  }
  assert.ok(
    at.asked.every(({ method }) => method === 'GET'),
    'nothing was set',
  )
  held['min_available_version'] = 2
  assert.deepEqual(await end(), {})
  assert.equal(held['min_available_version'], 3)
})
