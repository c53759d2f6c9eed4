/** Who we are to Google: tokens of our own making, tokens from Google's library, and none for an emulator. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { cachedToken, type Token } from '../../../providers/gcp-kms/auth.ts'
import { create as createEdge } from '../../../providers/gcp-kms/edge.ts'
import { create } from '../../../providers/gcp-kms/index.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { signAnswer, VERSION } from '../../support/gcp-answers.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { scriptedGcp } from '../../support/scripted-gcp.ts'

const MESSAGE = { scheme: 'ed25519', message: new Uint8Array(32).fill(5) } as const
const EMAIL = 'signer@payments-test.iam.gserviceaccount.com'
const never = new AbortController().signal

const pair = crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' },
  true,
  ['sign', 'verify'],
)

/** A key file as Google makes it. */
async function keyFile(): Promise<Record<string, string>> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', (await pair).privateKey)).toString('base64')
  const label = ['PRIVATE', 'KEY'].join(' ')
  const pem = `-----BEGIN ${label}-----\n${(pkcs8.match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`
  return { type: 'service_account', client_email: EMAIL, private_key: pem, private_key_id: 'kid-1' }
}

/** A world whose wall clock the test turns, and whose network is a table of hosts. */
function worldAt(start: number, fetch: Fetch, environment: ProviderWorld['environment'] = 'development') {
  const world = providerWorld(environment, fetch)
  let now = start
  return {
    world: { ...world, clock: { ...world.clock, now: () => now } },
    advance: (ms: number) => {
      now += ms
    },
  }
}

/** Cloud KMS at its real name, behind the injected fetch: the requests show what would have left this machine. */
function fakeGoogle(more: (url: URL, init: RequestInit) => Response | undefined = () => undefined) {
  const seen: { url: URL; headers: Headers; init: RequestInit }[] = []
  const fetch: Fetch = async (input, init) => {
    const url = new URL(input)
    seen.push({ url, headers: new Headers(init.headers), init })
    const answered = more(url, init)
    if (answered !== undefined) return answered
    assert.equal(url.origin, 'https://cloudkms.googleapis.com', 'nobody else is asked')
    const body = JSON.parse(Buffer.from(init.body as Uint8Array).toString('utf8'))
    return json(signAnswer({ request: body, name: VERSION }))
  }
  return { fetch, seen, kms: () => seen.filter(({ url }) => url.hostname === 'cloudkms.googleapis.com') }
}
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

const sign = (provider: EnvelopeProvider) => provider.sign(VERSION, MESSAGE, call())

for (const [where, open] of [
  ['machines', create],
  ['the edge', createEdge],
] as const) {
  test(`a service account signs its own token for Cloud KMS alone, renewed before it ends, on ${where}`, async () => {
    const start = Date.UTC(2026, 10, 22)
    const google = fakeGoogle()
    const { world, advance } = worldAt(start, google.fetch)
    const file = await keyFile()
    const provider = await open(
      { kind: 'gcp-kms', credentials: new Secret(JSON.stringify(file), 'key'), quotaProject: 'billing' },
      world,
    )
    const tokens = async () => {
      await sign(provider)
      const { headers } = google.seen.at(-1) ?? assert.fail()
      assert.equal(headers.get('x-goog-user-project'), 'billing')
      return headers.get('authorization')?.replace('Bearer ', '') ?? ''
    }
    const first = await tokens()
    const { payload, protectedHeader } = await jwtVerify(first, (await pair).publicKey, {
      issuer: EMAIL,
      subject: EMAIL,
      audience: 'https://cloudkms.googleapis.com/',
      currentDate: new Date(start + 1_000),
    })
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 3_600)
    assert.deepEqual(protectedHeader, { alg: 'RS256', typ: 'JWT', kid: 'kid-1' })
    assert.equal('scope' in payload, false)
    advance(54 * 60_000)
    assert.equal(await tokens(), first)
    advance(2 * 60_000)
    const second = await tokens()
    assert.notEqual(second, first)
    assert.equal(decodeProtectedHeader(second).alg, 'RS256')
    assert.equal(google.seen.length, 3, 'no token endpoint is asked')
    await provider.close()
  })
}

test('a token the service does not accept is asked for once more, by the next call', async () => {
  let refuse = true
  const google = fakeGoogle(url =>
    url.hostname === 'cloudkms.googleapis.com' && refuse
      ? json({ error: { code: 401, status: 'UNAUTHENTICATED' } }, 401)
      : undefined,
  )
  const { world, advance } = worldAt(Date.UTC(2026, 0, 1), google.fetch)
  const provider = await create(
    { kind: 'gcp-kms', credentials: new Secret(JSON.stringify(await keyFile()), 'key') },
    world,
  )
  await refusal(sign(provider), 'provider/refused')
  refuse = false
  advance(1_000)
  await sign(provider)
  const [one, two] = google.seen.map(({ headers }) => headers.get('authorization'))
  assert.notEqual(one, two)
  await provider.close()
})

test('a key that is no key is refused at the first call, and shows nowhere', async () => {
  const google = fakeGoogle()
  const { world } = worldAt(0, google.fetch)
  const label = ['PRIVATE', 'KEY'].join(' ')
  const file = {
    ...(await keyFile()),
    private_key: `-----BEGIN ${label}-----\ncanary+canary\n-----END ${label}-----\n`,
  }
  const provider = await create({ kind: 'gcp-kms', credentials: new Secret(JSON.stringify(file), 'key') }, world)
  await refusal(sign(provider), 'provider/refused', ['canary+canary'])
  assert.equal(google.seen.length, 0)
  await provider.close()
})

test('an access token goes as it is, over both transports', async () => {
  for (const transport of ['rest', 'grpc'] as const) {
    const server = await scriptedGcp(transport, seen => ({ answer: signAnswer(seen) }))
    const config = {
      kind: 'gcp-kms',
      transport,
      endpoint: server.url,
      accessToken: new Secret('ya29.token', 't'),
      quotaProject: 'billing',
    } as const
    const provider = await create(config, providerWorld())
    await sign(provider)
    assert.equal(server.seen[0]?.headers.get('authorization'), 'Bearer ya29.token')
    assert.equal(server.seen[0]?.headers.get('x-goog-user-project'), 'billing')
    if (transport === 'grpc') {
      assert.equal(server.seen[0]?.headers.get('x-goog-request-params'), `name=${encodeURIComponent(VERSION)}`)
    }
    await provider.close()
    await server.close()
  }
})

test('one fetch a token however many wait; a waiter that gives up ends nothing; a failure is not remembered', async () => {
  let asked = 0
  let now = 0
  const gates: { resolve: (token: Token) => void; reject: (error: Error) => void }[] = []
  const clock = { ...providerWorld().clock, now: () => now }
  const tokens = cachedToken(clock, () => {
    asked++
    return new Promise((resolve, reject) => gates.push({ resolve, reject }))
  })
  const leaver = new AbortController()
  const waiting = [tokens.get(never), tokens.get(never)]
  const left = tokens.get(leaver.signal)
  leaver.abort(new Error('deadline'))
  await assert.rejects(left, /deadline/)
  assert.equal(asked, 1)
  gates[0]?.resolve({ token: 'one', issuedAt: 0, expiresAt: 3_600_000 })
  assert.deepEqual(await Promise.all(waiting), ['one', 'one'])
  now = 3_299_000
  assert.equal(await tokens.get(never), 'one')
  now = 3_300_000
  const failing = tokens.get(never)
  gates[1]?.reject(new Error('no'))
  await assert.rejects(failing, /no/)
  const again = tokens.get(never)
  gates[2]?.resolve({ token: 'short', issuedAt: now, expiresAt: now + 60_000 })
  assert.equal(await again, 'short')
  // Five minutes before the end would be before its beginning: a short life is renewed in its last fifth.
  now += 47_000
  assert.equal(await tokens.get(never), 'short')
  now += 2_000
  const third = tokens.get(never)
  gates[3]?.resolve({ token: 'three', issuedAt: now, expiresAt: now + 3_600_000 })
  assert.equal(await third, 'three')
  assert.equal(asked, 4)
})

/** Runs with another environment; the library reads it by itself. */
async function withEnvironment(values: Record<string, string | undefined>, body: () => Promise<void>): Promise<void> {
  const before = Object.fromEntries(Object.keys(values).map(name => [name, process.env[name]]))
  const set = (all: Record<string, string | undefined>): void => {
    for (const [name, value] of Object.entries(all)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
  set(values)
  try {
    await body()
  } finally {
    set(before)
  }
}

const STS = 'https://sts.googleapis.com/v1/token'
const federation = (subjectFile: string) => ({
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: STS,
  service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${EMAIL}:generateAccessToken`,
  credential_source: { file: subjectFile },
})

test('workload identity: the subject token is exchanged and the account impersonated, all of it through our fetch, once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcp-wif-'))
  const subject = join(folder, 'token')
  writeFileSync(subject, 'subject.jwt')
  const google = fakeGoogle((url, init) => {
    if (url.href === STS) {
      const form = new URLSearchParams(init.body as string)
      assert.equal(form.get('subject_token'), 'subject.jwt')
      assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:token-exchange')
      return json({ access_token: 'federated', expires_in: 3600, token_type: 'Bearer', issued_token_type: 'x' })
    }
    if (url.hostname === 'iamcredentials.googleapis.com') {
      assert.equal(new Headers(init.headers).get('authorization'), 'Bearer federated')
      assert.deepEqual(JSON.parse(init.body as string).scope, ['https://www.googleapis.com/auth/cloudkms'])
      return json({ accessToken: 'ya29.impersonated', expireTime: new Date(Date.now() + 3_600_000).toISOString() })
    }
    return undefined
  })
  try {
    const credentials = new Secret(JSON.stringify(federation(subject)), 'wif')
    const provider = await create({ kind: 'gcp-kms', credentials }, providerWorld('production', google.fetch))
    await Promise.all([sign(provider), sign(provider), sign(provider)])
    await sign(provider)
    for (const { headers } of google.kms()) assert.equal(headers.get('authorization'), 'Bearer ya29.impersonated')
    assert.equal(google.kms().length, 4)
    assert.equal(google.seen.filter(({ url }) => url.href === STS).length, 1)
    assert.ok(google.seen.every(({ init }) => init.redirect === 'manual'))
    await provider.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('workload identity that is refused is refused, a subject token that is not there is unavailable, and neither shows the token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcp-wif-'))
  const subject = join(folder, 'token')
  writeFileSync(subject, 'canary.subject.jwt')
  const google = fakeGoogle(url =>
    url.href === STS ? json({ error: 'invalid_grant', error_description: 'vendor words' }, 400) : undefined,
  )
  try {
    const open = (file: string) =>
      create(
        { kind: 'gcp-kms', credentials: new Secret(JSON.stringify(federation(file)), 'wif') },
        providerWorld('production', google.fetch),
      )
    const provider = await open(subject)
    await refusal(sign(provider), 'provider/refused', ['canary.subject.jwt'], ['vendor words'])
    assert.equal(google.kms().length, 0)
    await provider.close()
    const absent = await open(join(folder, 'nothing'))
    await refusal(sign(absent), 'provider/unavailable')
    await absent.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a redirect of the token endpoint is not followed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcp-wif-'))
  const subject = join(folder, 'token')
  writeFileSync(subject, 'subject.jwt')
  const google = fakeGoogle(url =>
    url.href === STS ? new Response(null, { status: 307, headers: { location: 'https://evil.example/' } }) : undefined,
  )
  try {
    const credentials = new Secret(JSON.stringify(federation(subject)), 'wif')
    const provider = await create({ kind: 'gcp-kms', credentials }, providerWorld('production', google.fetch))
    await refusal(sign(provider), 'provider/unavailable')
    assert.ok(google.seen.every(({ url }) => url.hostname === 'sts.googleapis.com'))
    await provider.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('application-default credentials: the file of GOOGLE_APPLICATION_CREDENTIALS signs its own token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcp-adc-'))
  const path = join(folder, 'key.json')
  writeFileSync(path, JSON.stringify(await keyFile()))
  const google = fakeGoogle()
  try {
    await withEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: path }, async () => {
      const provider = await create({ kind: 'gcp-kms' }, providerWorld('production', google.fetch))
      await sign(provider)
      const token = google.seen[0]?.headers.get('authorization')?.replace('Bearer ', '') ?? ''
      const { payload } = await jwtVerify(token, (await pair).publicKey, { issuer: EMAIL })
      assert.equal(payload['scope'], 'https://www.googleapis.com/auth/cloudkms')
      assert.equal(google.seen.length, 1)
      await provider.close()
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('application-default credentials: user credentials are refreshed through our fetch; the quota project of the file is sent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcp-adc-'))
  const path = join(folder, 'adc.json')
  writeFileSync(
    path,
    JSON.stringify({
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 's',
      refresh_token: 'r',
      quota_project_id: 'from-file',
    }),
  )
  const google = fakeGoogle(url =>
    url.hostname === 'oauth2.googleapis.com'
      ? json({ access_token: 'ya29.user', expires_in: 3600, token_type: 'Bearer' })
      : undefined,
  )
  try {
    await withEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: path }, async () => {
      const provider = await create({ kind: 'gcp-kms' }, providerWorld('production', google.fetch))
      await Promise.all([sign(provider), sign(provider)])
      for (const { headers } of google.kms()) {
        assert.equal(headers.get('authorization'), 'Bearer ya29.user')
        assert.equal(headers.get('x-goog-user-project'), 'from-file')
      }
      assert.equal(google.seen.length, 3)
      await provider.close()
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('application-default credentials: the metadata server, asked once for as long as its token lasts', async () => {
  const asked: string[] = []
  const metadata = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(request.headers['metadata-flavor'] === 'Google' ? 200 : 403, {
      'metadata-flavor': 'Google',
      'content-type': 'application/json',
    })
    response.end(
      request.url?.includes('/token') === true
        ? JSON.stringify({ access_token: 'ya29.metadata', expires_in: 3599, token_type: 'Bearer' })
        : 'googleapis.com',
    )
  })
  metadata.listen(0, '127.0.0.1')
  await once(metadata, 'listening')
  const { port } = metadata.address() as { port: number }
  const google = fakeGoogle()
  const environment = {
    GCE_METADATA_HOST: `127.0.0.1:${port}`,
    METADATA_SERVER_DETECTION: 'assume-present',
    GOOGLE_APPLICATION_CREDENTIALS: undefined,
    CLOUDSDK_CONFIG: '/nonexistent',
  }
  try {
    await withEnvironment(environment, async () => {
      const provider = await create({ kind: 'gcp-kms' }, providerWorld('production', google.fetch))
      await Promise.all([sign(provider), sign(provider)])
      await sign(provider)
      for (const { headers } of google.kms()) assert.equal(headers.get('authorization'), 'Bearer ya29.metadata')
      assert.equal(asked.filter(url => url.includes('/token')).length, 1)
      await provider.close()
    })
  } finally {
    metadata.closeAllConnections()
    metadata.close()
  }
})

test("T51 an emulator on loopback gets nobody's credentials, however many there are; production asks for them", async () => {
  const server = await scriptedGcp('rest', seen => ({ answer: signAnswer(seen) }))
  const folder = mkdtempSync(join(tmpdir(), 'gcp-adc-'))
  const path = join(folder, 'key.json')
  writeFileSync(path, JSON.stringify(await keyFile()))
  try {
    await withEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: path }, async () => {
      for (const environment of ['development', 'staging', 'production'] as const) {
        const provider = await create({ kind: 'gcp-kms', endpoint: server.url }, providerWorld(environment))
        await sign(provider)
        const sent = server.seen.at(-1)?.headers.get('authorization')
        assert.equal(sent === undefined, environment !== 'production', environment)
        await provider.close()
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
    await server.close()
  }
})

test('no credentials anywhere: said so, and nothing was sent to the service', async () => {
  const google = fakeGoogle()
  const environment = {
    GOOGLE_APPLICATION_CREDENTIALS: undefined,
    CLOUDSDK_CONFIG: '/nonexistent',
    METADATA_SERVER_DETECTION: 'none',
  }
  await withEnvironment(environment, async () => {
    const provider = await create({ kind: 'gcp-kms' }, providerWorld('production', google.fetch))
    const { detail } = await refusal(sign(provider), 'provider/unavailable')
    assert.match((detail as { reason: string }).reason, /no Google credentials/)
    assert.equal(google.seen.length, 0)
    await provider.close()
  })
})
