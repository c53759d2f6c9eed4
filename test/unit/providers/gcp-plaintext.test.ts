/** Where an opened key is, and where it is not: between the wire and the caller. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { create } from '../../../providers/gcp-kms/index.ts'
import { encodeRequest } from '../../../providers/gcp-kms/rest-request.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { base64, CIPHERTEXT, crc, decryptAnswer, encryptAnswer, WRAPPING } from '../../support/gcp-answers.ts'
import { refusal, spellings } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { scriptedGcp } from '../../support/scripted-gcp.ts'

const SEED = Uint8Array.from({ length: 32 }, (_, i) => 90 + i)
const CONTEXT = { pubkey: 'GABC' }
const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' }
const ENDPOINT = { kind: 'gcp-kms', endpoint: 'http://127.0.0.1:1' } as const

/** Everything JavaScript would turn bytes into text with, or text into bytes, watched while `body` runs. */
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
  watch(JSON, 'stringify')
  watch(TextDecoder.prototype, 'decode')
  watch(TextEncoder.prototype, 'encode')
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

test('D03 neither the plaintext of Decrypt nor that of Encrypt is ever a string over REST; the rest is', async () => {
  const answers = [{ ...decryptAnswer(), plaintext: base64(SEED), plaintextCrc32c: crc(SEED) }, encryptAnswer()].map(
    each => new TextEncoder().encode(JSON.stringify(each)),
  )
  const bodies: string[] = []
  const world = providerWorld('development', async (_input, init) => {
    bodies.push(Buffer.from(init?.body as Uint8Array).toString('latin1'))
    return new Response(answers[bodies.length - 1] ?? null, { headers: JSON_TYPE })
  })
  const provider = await create(ENDPOINT, world)
  let opened: SecretBytes | undefined
  const unwrapping = await stringsMadeDuring(async () => {
    opened = (await provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call())).plaintext
  })
  opened?.use(bytes => assert.deepEqual(Uint8Array.from(bytes), SEED))
  assert.ok(
    unwrapping.some(each => each.includes('usedPrimary')),
    'the watch must see what is read',
  )
  for (const spelling of spellings(SEED)) assert.ok(!unwrapping.some(each => each.includes(spelling)))

  const secret = new SecretBytes(SEED.slice(), 'seed')
  const toHide = providerWorld('development', async () => new Response(answers[1] ?? null, { headers: JSON_TYPE }))
  const wrapper = await create(ENDPOINT, toHide)
  const wrapping = await stringsMadeDuring(async () => void (await wrapper.wrap(WRAPPING, secret, CONTEXT, call())))
  assert.ok(wrapping.some(each => each.includes('additionalAuthenticatedData')))
  for (const spelling of spellings(SEED)) assert.ok(!wrapping.some(each => each.includes(spelling)))
  assert.ok(!secret.wiped)
})

test('the bytes of a Decrypt answer are overwritten, also when the answer is refused', async () => {
  const text = base64(SEED)
  const sum = crc(SEED)
  const rest = `"plaintextCrc32c":"${sum}","protectionLevel":"SOFTWARE"`
  const rows: readonly (readonly [
    body: string,
    code: 'ok' | 'provider/malformed' | 'provider/corrupt',
    type?: string,
    status?: number,
  ])[] = [
    [`{"plaintext":"${text}",${rest}}`, 'ok'],
    [`{"plaintext":"${text}","plaintextCrc32c":"1","protectionLevel":"SOFTWARE"}`, 'provider/corrupt'],
    [`{"plaintext":"${text}","plaintextCrc32c":1,"protectionLevel":"SOFTWARE"}`, 'provider/malformed'],
    [`{"plaintext":"${text}","plaintext":"${text}",${rest}}`, 'provider/malformed'],
    [`{"plaintext":"${text}`, 'provider/malformed'],
    [`{"plaintext":"${text.replace('W', '\\u0057')}",${rest}}`, 'provider/malformed'],
    [`{"plaintext":"",${rest}}`, 'provider/malformed'],
    [`{"plaintext":null,${rest}}`, 'provider/malformed'],
    [`{"plaintext":{"a":"${text}"},${rest}}`, 'provider/malformed'],
    [`{${rest}}`, 'provider/malformed'],
    [`{"plaintext":"${text}",${rest}}`, 'provider/malformed', 'text/html'],
    [`{"plaintext":"${text}","error":{"status":"NOT_FOUND"}}`, 'provider/malformed', 'application/json', 404],
  ]
  for (const [body, code, type = 'application/json', status = 200] of rows) {
    const chunk = new TextEncoder().encode(body)
    const stream = new ReadableStream<Uint8Array>({
      start: controller => (controller.enqueue(chunk), controller.close()),
    })
    const headers = new Headers({ 'content-type': type })
    const world = providerWorld(
      'development',
      async () => ({ status, headers, body: stream, redirected: false, type: 'basic' }) as Response,
    )
    const provider = await create(ENDPOINT, world)
    const opening = provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call())
    if (code === 'ok') (await opening).plaintext.wipe()
    else await refusal(opening, code, [text, ...spellings(SEED)])
    assert.ok(
      chunk.every(byte => byte === 0),
      body,
    )
  }
})

test('a key that arrives after the caller gave up is not kept', async () => {
  for (const transport of ['rest', 'grpc'] as const) {
    const deadline = new AbortController()
    const server = await scriptedGcp(transport, () => {
      deadline.abort()
      return { answer: decryptAnswer() }
    })
    const provider = await create({ kind: 'gcp-kms', transport, endpoint: server.url }, providerWorld())
    await refusal(provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call(deadline.signal)), 'provider/unavailable')
    await provider.close()
    await server.close()
  }
})

test('requests are written as the JSON mapping of protobuf says, base64 for every length', () => {
  for (let length = 0; length < 260; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
    const { body } = encodeRequest('Decrypt', {
      name: 'k',
      fields: { ciphertext: bytes, ciphertextCrc32c: 4294967295 },
    })
    assert.deepEqual(JSON.parse(Buffer.from(body ?? []).toString('utf8')), {
      ciphertext: base64(bytes),
      ciphertextCrc32c: '4294967295',
    })
  }
  const all = Uint8Array.from({ length: 256 * 3 }, (_, i) => ((i / 3) | 0) ^ (i % 3 === 0 ? 0 : 0xa5))
  const { body } = encodeRequest('Encrypt', { name: 'k', fields: { plaintext: all } })
  assert.equal(JSON.parse(Buffer.from(body ?? []).toString('utf8')).plaintext, base64(all))
  const { path } = encodeRequest('CreateCryptoKey', { name: 'r', cryptoKeyId: 'a&b', fields: { cryptoKey: {} } })
  assert.equal(path, 'r/cryptoKeys?cryptoKeyId=a%26b')
  const list = encodeRequest('ListCryptoKeyVersions', { name: 'k', fields: { pageSize: 2, filter: 'state=ENABLED' } })
  assert.equal(list.path, 'k/cryptoKeyVersions?pageSize=2&filter=state%3DENABLED')
})

const blind = 'Deno' in globalThis ? 'starts a process the way Bun and Node do' : false
test("D03 Google's client set to log everything does not log an opened key, because its logging methods are not used", {
  skip: blind,
}, async () => {
  const server = await scriptedGcp('grpc', () => ({
    answer: { ...decryptAnswer(), plaintext: base64(SEED), plaintextCrc32c: crc(SEED) },
  }))
  const child = fileURLToPath(new URL('../../support/gcp-logging-child.ts', import.meta.url))
  const output = async (whose: 'ours' | 'theirs') => {
    const env = { ...process.env, GOOGLE_SDK_NODE_LOGGING: '*' }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [child, server.url, WRAPPING, whose], {
      env,
    })
    assert.match(stdout, /done/)
    return stdout + stderr
  }
  try {
    // As JSON prints a Buffer.
    const printed = [...spellings(SEED), SEED.join(',')]
    const theirs = await output('theirs')
    assert.ok(
      printed.some(each => theirs.includes(each)),
      'the control must log the key',
    )
    const ours = await output('ours')
    for (const each of printed) assert.ok(!ours.includes(each))
  } finally {
    await server.close()
  }
})
