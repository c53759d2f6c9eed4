/** M-03: how Vault Transit logs in, renews and logs in again. An hour passes by setting the clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VaultTransitConfig } from '../../../providers/vault-transit/config.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call } from '../../support/provider-world.ts'
import {
  ADDRESS,
  APPROLE,
  bad,
  good,
  INVALID_TOKEN,
  jwtFor,
  login,
  open,
  PERMISSION,
  scene,
  type Script,
  settle,
  sign,
  signed,
} from './vault-support.ts'

const HOUR = 3_600
const minutes = (n: number): number => n * 60_000
const CANARIES = ['secret-id-canary', 'jwt-canary', 't-1', 't-2']

/** A server that hands out t-1, t-2, …, renews them and signs for those that are good. */
function server(
  options: {
    lease?: number
    renewable?: boolean
    renewed?: () => ReturnType<typeof bad>
    good?: (token: string) => boolean
  } = {},
) {
  let made = 0
  const script: Script = ({ path, headers, body }) => {
    if (path.endsWith('/login'))
      return login(`t-${++made}`, options.lease ?? HOUR, options.renewable ?? true, body['role'])
    const token = headers['x-vault-token'] ?? ''
    if (options.good !== undefined && !options.good(token)) return bad(403, INVALID_TOKEN)
    if (path === 'auth/token/renew-self') return options.renewed?.() ?? login(token, options.lease ?? HOUR)
    return signed()
  }
  return scene(script)
}

test('M-03 logs in at the first call and not before, and calls with the token of the login', async () => {
  const at = server()
  const provider = await open(at, APPROLE)
  assert.equal(at.asked.length, 0)
  await sign(provider)
  await sign(provider)
  assert.deepEqual(
    at.asked.map(({ method, path }) => `${method} ${path}`),
    ['POST auth/approle/login', 'POST transit/sign/treasury', 'POST transit/sign/treasury'],
  )
  const [first, second] = at.asked
  assert.deepEqual(first?.body, { role_id: 'role-1', secret_id: 'secret-id-canary' })
  assert.equal(first?.headers['x-vault-token'], undefined)
  assert.equal(second?.headers['x-vault-token'], 't-1')
})

const METHODS: readonly [string, Partial<VaultTransitConfig>, string, object][] = [
  [
    'AppRole elsewhere',
    { ...APPROLE, authMount: 'team/roles' },
    'auth/team/roles/login',
    { role_id: 'role-1', secret_id: 'secret-id-canary' },
  ],
  [
    'Kubernetes',
    { auth: 'kubernetes', role: 'signer', audience: 'vault' },
    'auth/kubernetes/login',
    { role: 'signer', jwt: jwtFor('jwt-canary-0') },
  ],
  [
    'Kubernetes, another file',
    { auth: 'kubernetes', role: 'signer', audience: 'vault', jwtFile: '/sa/token' },
    'auth/kubernetes/login',
    { role: 'signer', jwt: jwtFor('jwt-canary-1') },
  ],
  [
    'JWT from a file',
    { auth: 'jwt', role: 'signer', audience: 'vault', jwtFile: '/sa/token', authMount: 'ci' },
    'auth/ci/login',
    { role: 'signer', jwt: jwtFor('jwt-canary-1') },
  ],
  [
    'JWT as a secret',
    { auth: 'jwt', role: 'signer', audience: 'vault', jwt: new Secret(jwtFor('jwt-canary-2'), 'jwt') },
    'auth/jwt/login',
    { role: 'signer', jwt: jwtFor('jwt-canary-2') },
  ],
]
for (const [title, config, path, body] of METHODS) {
  test(`M-03 ${title}: the login says what the method needs, at its mount`, async () => {
    const at = server()
    at.files = {
      '/var/run/secrets/kubernetes.io/serviceaccount/token': `${jwtFor('jwt-canary-0')}\n`,
      '/sa/token': jwtFor('jwt-canary-1'),
    }
    await sign(await open(at, { kind: 'vault-transit', address: ADDRESS, ...config }))
    assert.equal(at.asked[0]?.path, path)
    assert.deepEqual(at.asked[0]?.body, body)
  })
}

test('M-03 the file with the JWT is read again at every login', async () => {
  const at = server({ renewable: false })
  at.files = { '/sa/token': jwtFor('one') }
  const provider = await open(at, {
    kind: 'vault-transit',
    address: ADDRESS,
    auth: 'jwt',
    role: 'r',
    audience: 'vault',
    jwtFile: '/sa/token',
  })
  await sign(provider)
  at.files = { '/sa/token': jwtFor('two') }
  at.nowMs = minutes(61)
  await sign(provider)
  assert.deepEqual(
    at.asked.filter(({ path }) => path === 'auth/jwt/login').map(({ body }) => body['jwt']),
    [jwtFor('one'), jwtFor('two')],
  )
})

test('M-03 a token file is read at the first call, again when a minute old, and at once when the token is refused', async () => {
  const at = server({ good: token => token !== 'old' })
  at.files = { '/sink': 'first\n' }
  const provider = await open(at, { kind: 'vault-transit', address: ADDRESS, tokenFile: '/sink' })
  const tokens = () => at.asked.map(({ headers }) => headers['x-vault-token'])
  await sign(provider)
  at.files = { '/sink': 'second' }
  at.nowMs = 59_999
  await sign(provider)
  at.nowMs = 60_000
  await sign(provider)
  assert.deepEqual(tokens(), ['first', 'first', 'second'])
  at.files = { '/sink': 'old' }
  at.nowMs = 200_000
  await refusal(sign(provider), 'provider/refused')
  assert.deepEqual(tokens().slice(3), ['old'], 'the same token is not tried twice')
  at.files = { '/sink': 'old' }
  const late = sign(provider)
  at.files = { '/sink': 'third' }
  await late
  assert.deepEqual(tokens().slice(4), ['old', 'third'])
  delete at.files['/sink']
  at.nowMs = 400_000
  assert.match((await refusal(sign(provider), 'provider/unavailable')).message, /cannot be read/)
})

test('M-03 a one-hour lease: no renewal before two thirds of it, one at two thirds, beside the call', async () => {
  const at = server()
  const provider = await open(at, APPROLE)
  for (let m = 0; m < 40; m++) {
    at.nowMs = minutes(m)
    await sign(provider)
  }
  await settle()
  assert.equal(at.count('auth/token/renew-self'), 0)
  at.nowMs = minutes(40)
  await sign(provider)
  await settle()
  assert.equal(at.count('auth/token/renew-self'), 1)
  assert.equal(at.asked.find(({ path }) => path.endsWith('renew-self'))?.headers['x-vault-token'], 't-1')
  // 24 hours of a call a minute: a renewal every 40 minutes, and never a second login.
  for (let m = 41; m < 24 * 60; m++) {
    at.nowMs = minutes(m)
    await sign(provider)
    await settle()
  }
  assert.equal(at.count('auth/token/renew-self'), 35)
  assert.equal(at.count('auth/approle/login'), 1)
})

test('M-03 no call waits for a renewal: it goes on with the token it has', async () => {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const at = scene(async ({ path, headers }) => {
    if (path.endsWith('/login')) return login('t-1', HOUR)
    if (path.endsWith('renew-self')) {
      await held
      return login(headers['x-vault-token'] ?? '', HOUR)
    }
    return signed()
  })
  const provider = await open(at, APPROLE)
  await sign(provider)
  at.nowMs = minutes(45)
  await Promise.all(Array.from({ length: 10 }, () => sign(provider)))
  assert.equal(at.count('auth/token/renew-self'), 1)
  release()
  await settle()
  at.nowMs = minutes(46)
  await sign(provider)
  await settle()
  assert.equal(at.count('auth/token/renew-self'), 1)
})

for (const [title, renewed] of [
  ['refused', () => bad(400, 'lease is not renewable')],
  ['refused by policy', () => bad(403, PERMISSION)],
  ['short, because the longest life is near', () => login('t-1', 600)],
] as const) {
  test(`M-03 a renewal that is ${title} leads to a login`, async () => {
    const at = server({ renewed })
    const provider = await open(at, APPROLE)
    await sign(provider)
    at.nowMs = minutes(41)
    await sign(provider)
    await settle()
    assert.deepEqual([at.count('auth/token/renew-self'), at.count('auth/approle/login')], [1, 2])
    await sign(provider)
    assert.equal(at.asked.at(-1)?.headers['x-vault-token'], 't-2')
  })
}

test('M-03 max TTL of four hours: renewed while it gives a full lease, then logged in for again, and no call fails', async () => {
  let loggedInAt = 0
  let made = 0
  const at = scene(({ path, headers }) => {
    if (path.endsWith('/login')) {
      loggedInAt = at.nowMs
      return login(`t-${++made}`, HOUR)
    }
    const leftSeconds = Math.floor(loggedInAt / 1_000 + 4 * HOUR - at.nowMs / 1_000)
    if (path.endsWith('renew-self')) return login(headers['x-vault-token'] ?? '', Math.min(HOUR, leftSeconds))
    return leftSeconds > 0 && headers['x-vault-token'] === `t-${made}` ? signed() : bad(403, INVALID_TOKEN)
  })
  const provider = await open(at, APPROLE)
  for (let m = 0; m < 24 * 60; m++) {
    at.nowMs = minutes(m)
    await sign(provider)
    await settle()
  }
  assert.ok(made >= 6 && made <= 8, `${made} logins in 24 hours`)
})

test('M-03 a token that cannot be renewed is replaced by a login at two thirds', async () => {
  const at = server({ renewable: false })
  const provider = await open(at, APPROLE)
  await sign(provider)
  at.nowMs = minutes(40)
  await sign(provider)
  await settle()
  assert.deepEqual([at.count('auth/token/renew-self'), at.count('auth/approle/login')], [0, 2])
})

test('M-03 a renewal that gets no answer is tried again later, and the token is used to its end', async () => {
  const at = server({ renewed: () => bad(503, 'Vault is sealed') })
  const provider = await open(at, APPROLE)
  await sign(provider)
  for (const m of [40, 41, 44, 44.5]) {
    at.nowMs = minutes(m)
    await sign(provider)
    await settle()
  }
  // Asked at 40, then after a quarter of what was left: 45.
  assert.equal(at.count('auth/token/renew-self'), 1)
  at.nowMs = minutes(46)
  await sign(provider)
  await settle()
  assert.equal(at.count('auth/token/renew-self'), 2)
  at.nowMs = minutes(60)
  await sign(provider)
  assert.equal(at.count('auth/approle/login'), 2, 'after its end there is a login before the call')
})

test('M-03 a token without an end is never renewed', async () => {
  const at = server({ lease: 0 })
  const provider = await open(at, APPROLE)
  await sign(provider)
  at.nowMs = minutes(60 * 24 * 365)
  await sign(provider)
  await settle()
  assert.equal(at.asked.length, 3)
})

test('M-03 50 callers without a token wait for one login, and so do 50 whose token ended', async () => {
  const at = server()
  const provider = await open(at, APPROLE)
  await Promise.all(Array.from({ length: 50 }, () => sign(provider)))
  assert.equal(at.count('auth/approle/login'), 1)
  at.nowMs = minutes(120)
  await Promise.all(Array.from({ length: 50 }, () => sign(provider)))
  assert.deepEqual([at.count('auth/approle/login'), at.count('transit/sign/treasury')], [2, 100])
})

test('M-03 a token that was revoked: 50 callers refused at once lead to one login, and every call is done', async () => {
  let revoked = false
  const at = server({ good: token => !(revoked && token === 't-1') })
  const provider = await open(at, APPROLE)
  await sign(provider)
  revoked = true
  await Promise.all(Array.from({ length: 50 }, () => sign(provider)))
  assert.deepEqual([at.count('auth/approle/login'), at.count('transit/sign/treasury')], [2, 101])
})

test('M-03 refused again with the new token: one repetition, then the refusal; and no storm of logins', async () => {
  let made = 0
  const at = scene(({ path }) => (path.endsWith('/login') ? login(`t-${++made}`, HOUR) : bad(403, PERMISSION)))
  const provider = await open(at, APPROLE)
  const error = await refusal(sign(provider), 'provider/refused', CANARIES)
  assert.match(error.message, /denies this operation/)
  assert.deepEqual([made, at.count('transit/sign/treasury')], [2, 2])
  for (let i = 0; i < 20; i++) await refusal(sign(provider), 'provider/refused', CANARIES)
  assert.deepEqual([made, at.count('transit/sign/treasury')], [2, 22])
  at.nowMs = 60_000
  await refusal(sign(provider), 'provider/refused', CANARIES)
  assert.equal(made, 3, 'a minute later it is worth a try: somebody may have mended the policy')
})

test('M-03 a key that policy denies does not keep the others from a login when the token ends, as OpenBao says it', async () => {
  let made = 0
  let alive = 't-2'
  const at = scene(({ path, headers }) => {
    if (path.endsWith('/login')) return login(`t-${++made}`, HOUR)
    const token = headers['x-vault-token'] ?? ''
    if (token < alive) return bad(403, 'permission denied')
    return path.endsWith('/denied') ? bad(403, PERMISSION) : signed()
  })
  alive = 't-0'
  const provider = await open(at, APPROLE)
  const denied = () => provider.sign('transit/denied@1', { scheme: 'ed25519', message: new Uint8Array(32) }, call())
  await refusal(denied(), 'provider/refused')
  await refusal(denied(), 'provider/refused')
  assert.equal(made, 2, 'the second refusal is believed')
  alive = 't-3'
  await sign(provider)
  assert.equal(made, 3)
  // A server that knows no token at all, not even a fresh one, is not asked for more and more of them.
  alive = 't-9'
  for (let i = 0; i < 20; i++) await refusal(sign(provider), 'provider/refused')
  assert.equal(made, 4)
})

test('a token of the configuration is not replaced, whatever the answer', async () => {
  const at = scene(() => bad(403, INVALID_TOKEN))
  await refusal(sign(await open(at)), 'provider/refused', ['hvs.unit-token'])
  assert.equal(at.asked.length, 1)
})

test('a 403 that is not in the form of Vault is no reason to log in or to ask again', async () => {
  let made = 0
  const at = scene(({ path }) =>
    path.endsWith('/login')
      ? login(`t-${++made}`, HOUR)
      : { status: 403, headers: { 'content-type': 'text/html' }, body: '<html>' },
  )
  await refusal(sign(await open(at, APPROLE)), 'provider/malformed')
  assert.deepEqual([made, at.asked.length], [1, 2])
})

test('M-03 a failed login is told to all who wait, leaks nothing, and the next call tries again', async () => {
  let fail = true
  const at = scene(({ path, body }) => {
    if (!path.endsWith('/login')) return signed()
    return fail ? bad(400, `invalid role or secret ID ${String(body['secret_id'])}`) : login('t-1', HOUR)
  })
  const provider = await open(at, APPROLE)
  const refused = () => refusal(sign(provider), 'provider/refused', CANARIES, ['invalid role'])
  const [error] = await Promise.all([refused(), refused(), refused()])
  assert.match(error.message, /Login: Vault refuses the login/)
  assert.match(String((error as Error).cause), /invalid role or secret ID \[secret/)
  assert.equal(at.asked.length, 1)
  fail = false
  await sign(provider)
})

for (const [title, answer] of [
  ['no token', good(null, { auth: { lease_duration: 1, renewable: true } })],
  ['no auth', good({})],
  ['a lease that is no number', good(null, { auth: { client_token: 't', lease_duration: '3600', renewable: true } })],
  ['a negative lease', good(null, { auth: { client_token: 't', lease_duration: -1, renewable: true } })],
  [
    'a token that is no header',
    good(null, { auth: { client_token: 't-canary\r\nx: y', lease_duration: 1, renewable: true } }),
  ],
] as const) {
  test(`a login answered with ${title} is malformed`, async () => {
    await refusal(
      sign(
        await open(
          scene(() => answer),
          APPROLE,
        ),
      ),
      'provider/malformed',
      ['t-canary', 'secret-id-canary'],
    )
  })
}

test('a caller who gives up while waiting for the login leaves it to the others', async () => {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const at = scene(async ({ path }) => {
    if (!path.endsWith('/login')) return signed()
    await held
    return login('t-1', HOUR)
  })
  const provider = await open(at, APPROLE)
  const impatient = new AbortController()
  const gone = refusal(sign(provider, impatient.signal), 'provider/unavailable', CANARIES)
  const stays = sign(provider)
  await settle()
  impatient.abort(new Error('deadline'))
  await gone
  release()
  await stays
  assert.deepEqual([at.count('auth/approle/login'), at.count('transit/sign/treasury')], [1, 1])
})

test('a login that never ends is given up, and another one begins', async () => {
  let first = true
  const at = scene(({ path }) => {
    if (!path.endsWith('/login')) return signed()
    if (!first) return login('t-1', HOUR)
    first = false
    return new Promise(() => {})
  })
  const provider = await open(at, APPROLE)
  const deadline = new AbortController()
  const gone = refusal(sign(provider, deadline.signal), 'provider/unavailable')
  await settle()
  at.nowMs = 10_001
  await sign(provider)
  deadline.abort(new Error('deadline'))
  await gone
})

test('closing ends a login that is under way', async () => {
  const at = scene(() => new Promise(() => {}))
  const provider = await open(at, APPROLE)
  const waiting = refusal(sign(provider), 'provider/unavailable', CANARIES)
  await settle()
  await provider.close()
  await waiting
  await refusal(sign(provider), 'provider/unavailable')
  assert.equal(at.asked.length, 1)
})

test('a token with a character that is no header is refused before a runtime can quote it', async () => {
  const at = scene(() => signed())
  const config = { kind: 'vault-transit', address: ADDRESS, token: new Secret('canary\nline', 'token') } as const
  await refusal(sign(await open(at, config)), 'provider/refused', ['canary\nline', 'canary'])
  assert.equal(at.asked.length, 0)
})
