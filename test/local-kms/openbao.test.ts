import assert from 'node:assert/strict'
import { constants, createHash, publicEncrypt, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { aeskwp } from '@noble/ciphers/aes.js'
import { GROUPS } from './openbao-requests.ts'
import { JWT_LINES, kubernetesLines, startCluster } from './openbao-logins.ts'
import { findBao, play, startBao } from './openbao-support.ts'
import { ask, serve } from './vault-support.ts'

/** The same requests to a real OpenBao and to local-kms. What is left to differ stands in local-kms/vault/README.md. */
// Keys of RSA-4096 take their time on a busy machine
const TIMEOUT = 120_000
const binary = findBao()
const skip = binary === undefined && 'no OpenBao here: put `bao` on the path or name it in COUNTERSIGN_BAO'

const real = binary === undefined ? undefined : await startBao(binary)
const own = await serve()
after(() => real?.stop())

const cluster = await startCluster()
after(() => cluster.stop())
// Logins come first: the last group ends with both servers sealed
const ALL: Readonly<Record<string, readonly string[]>> = {
  'JWT logins': JWT_LINES,
  'Kubernetes logins': kubernetesLines(cluster.url),
  'after the logins': ['DELETE sys/auth/jwt', 'DELETE sys/auth/kubernetes', 'GET auth/token/lookup-self'],
  ...GROUPS,
}

/** Requests that may differ, with why. */
const LEFT: Readonly<Record<string, string>> = {
  'PUT sys/policies/acl/m3 {"policy":"{\\"path\\": "}': 'JSON that ends too early is a policy there, and refused here',
}

test('local-kms answers the table of requests alike in two runs, and never by an internal error', {
  timeout: TIMEOUT,
}, async () => {
  const lines = Object.values(ALL).flat()
  assert.ok(lines.length >= 120, `${lines.length} requests`)
  const [first, second] = [await serve(), await serve()]
  const once = await play(first.url, lines)
  assert.deepEqual(await play(second.url, lines), once)
  assert.deepEqual(
    once.filter(({ shape }) => shape.includes('internal error')),
    [],
  )
  const statuses = new Set(once.map(({ status }) => status))
  for (const status of [200, 204, 400, 403, 404, 405, 429, 500, 503]) assert.ok(statuses.has(status), `${status}`)
})

let count = 0
const differences: string[] = []
for (const [group, lines] of Object.entries(ALL)) {
  test(`OpenBao and local-kms answer alike: ${group} (${lines.length})`, { skip, timeout: TIMEOUT }, async () => {
    const theirs = await play(real!.url, lines)
    const ours = await play(own.url, lines)
    const wrong: string[] = []
    for (const [i, { request, status, shape }] of theirs.entries()) {
      count++
      const mine = ours[i]!
      if (mine.status === status && mine.shape === shape) continue
      differences.push(request)
      if (LEFT[request] === undefined)
        wrong.push(`${request}\n  OpenBao   ${status} ${shape}\n  local-kms ${mine.status} ${mine.shape}`)
    }
    assert.deepEqual(wrong, [])
  })
}

test('OpenBao and local-kms were asked often enough', { skip }, () => {
  assert.ok(count >= 120, `${count} requests`)
  assert.deepEqual(differences.toSorted(), Object.keys(LEFT).toSorted())
})

// ---- the same material on both sides

// Both were sealed by the last group: they come up again, ours by any key
let [theirs, ours] = ['', '']
const b64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')

async function importAt(url: string, name: string, material: Uint8Array, body: Record<string, unknown>): Promise<void> {
  const { json } = await ask(url, 'GET', 'transit/wrapping_key')
  const ephemeral = randomBytes(32)
  const key = { key: json.data.public_key as string, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  const ciphertext = b64(Buffer.concat([publicEncrypt(key, ephemeral), aeskwp(ephemeral).encrypt(material)]))
  const answer = await ask(url, 'POST', `transit/keys/${name}/import`, { ciphertext, ...body })
  assert.equal(answer.status, 204, answer.text)
}

const edDer = (seed: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])

test('OpenBao and local-kms with the same keys: signatures, HMACs and ciphertexts are those of the other', {
  skip,
}, async () => {
  const second = await startBao(binary!)
  const fresh = await serve()
  ;[theirs, ours] = [second.url, fresh.url]
  try {
    const seed = createHash('sha256').update('an ed25519 seed').digest()
    const secret = createHash('sha256').update('a symmetric key').digest()
    for (const url of [theirs, ours]) {
      await ask(url, 'POST', 'sys/mounts/transit', { type: 'transit' })
      await importAt(url, 'ed', edDer(seed), { type: 'ed25519' })
      await importAt(url, 'mac', secret, { type: 'hmac' })
      for (const type of ['aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']) {
        await importAt(url, type, secret, { type })
        await importAt(url, `${type}-derived`, secret, { type, derived: true })
      }
      await importAt(url, 'aes128-gcm96', secret.subarray(0, 16), { type: 'aes128-gcm96' })
    }
    const both = async (path: string, body: unknown): Promise<[any, any]> => [
      (await ask(theirs, 'POST', path, body)).json.data,
      (await ask(ours, 'POST', path, body)).json.data,
    ]
    for (const input of ['', 'hello', 'x'.repeat(5000)]) {
      const [a, b] = await both('transit/sign/ed', { input: b64(input) })
      assert.equal(a.signature, b.signature)
      for (const algorithm of [
        'sha2-224',
        'sha2-256',
        'sha2-384',
        'sha2-512',
        'sha3-224',
        'sha3-256',
        'sha3-384',
        'sha3-512',
      ]) {
        const [c, d] = await both(`transit/hmac/mac/${algorithm}`, { input: b64(input) })
        assert.equal(c.hmac, d.hmac, algorithm)
        const [e, f] = await both(`transit/hash/${algorithm}`, { input: b64(input) })
        assert.equal(e.sum, f.sum, algorithm)
      }
    }
    let opened = 0
    for (const name of ['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']) {
      for (const more of [{}, { associated_data: b64('row 7') }]) {
        for (const suffix of name === 'aes128-gcm96' ? [''] : ['', '-derived']) {
          const context = suffix === '' ? {} : { context: b64('tenant') }
          for (const [from, to] of [
            [theirs, ours],
            [ours, theirs],
          ] as const) {
            const sealed = await ask(from, 'POST', `transit/encrypt/${name}${suffix}`, {
              plaintext: b64('a secret'),
              ...context,
              ...more,
            })
            const { ciphertext } = sealed.json.data
            const plain = await ask(to, 'POST', `transit/decrypt/${name}${suffix}`, { ciphertext, ...context, ...more })
            assert.equal(plain.json.data.plaintext, b64('a secret'), `${name}${suffix}`)
            const wrong = await ask(to, 'POST', `transit/decrypt/${name}${suffix}`, {
              ciphertext,
              ...context,
              associated_data: b64('row 8'),
            })
            assert.match(wrong.json.errors[0], /^(cipher|chacha20poly1305): message authentication failed$/)
            opened++
          }
        }
      }
    }
    assert.equal(opened, 28)
    await crossVerify()
    await crossConvergent()
  } finally {
    await second.stop()
  }
})

/** Public keys travel; what one side signed the other verifies. */
async function crossVerify(): Promise<void> {
  const types = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-2048']
  for (const type of types) {
    for (const [from, to] of [
      [theirs, ours],
      [ours, theirs],
    ] as const) {
      const made = await ask(from, 'POST', `transit/keys/${type}-signer`, { type })
      const name = `${type}-public-${from === theirs ? 'a' : 'b'}`
      const { public_key } = made.json.data.keys['1']
      const taken = await ask(to, 'POST', `transit/keys/${name}/import`, { type, public_key })
      assert.equal(taken.status, 204, taken.text)
      const terms = type.startsWith('rsa')
        ? [
            {},
            { signature_algorithm: 'pkcs1v15', hash_algorithm: 'sha2-512' },
            { salt_length: 'hash', hash_algorithm: 'sha3-256' },
            { salt_length: '20', hash_algorithm: 'sha1' },
          ]
        : [{}, { marshaling_algorithm: 'jws' }, { hash_algorithm: 'sha2-512' }, { hash_algorithm: 'sha3-384' }]
      for (const term of terms) {
        const signed = await ask(from, 'POST', `transit/sign/${type}-signer`, { input: b64('pay'), ...term })
        const { signature } = signed.json.data
        const yes = await ask(to, 'POST', `transit/verify/${name}`, { input: b64('pay'), signature, ...term })
        assert.equal(yes.json.data.valid, true, `${type} ${JSON.stringify(term)}`)
        const no = await ask(to, 'POST', `transit/verify/${name}`, { input: b64('pay more'), signature, ...term })
        assert.equal(no.json.data.valid, false)
      }
    }
  }
}

/** Made here, exported there: derived and convergent keys cannot be imported as such, so the shapes are compared. */
async function crossConvergent(): Promise<void> {
  for (const url of [theirs, ours]) {
    await ask(url, 'POST', 'transit/keys/conv', { derived: true, convergent_encryption: true })
    const seal = async (text: string) =>
      (await ask(url, 'POST', 'transit/encrypt/conv', { plaintext: b64(text), context: b64('c') })).json.data.ciphertext
    assert.equal(await seal('a'), await seal('a'))
    assert.notEqual(await seal('a'), await seal('b'))
  }
}
