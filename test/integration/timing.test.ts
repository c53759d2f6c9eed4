/**
 * What a stranger could learn with a clock: nothing. In the test command, what can be counted is: the same questions to the
 * same rooms, the same number of turns, the same bytes. The long form measures: 100,000 samples a class, |t| < 4.5.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthenticator } from '../../src/access/authenticate.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { createLogin, type Login, type LoginChallenge } from '../../src/access/login.ts'
import { equalBytes } from '../../src/bytes/equal.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { TransactionBuilder } from '@stellar/stellar-sdk/base'
import { manualClock } from '../support/audit-world.ts'
import { type GateRig, openGate } from '../support/gate-rig.ts'
import { admin, evmPerson, type Person, stellarPerson } from '../support/login-world.ts'
import { NOW } from '../support/rig.ts'
import { compare, degreesOfFreedom, describeClass, T_MAX, turnsOf, welchT, crop } from '../support/welch.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const SAMPLES = LONG ? Number(process.env['COUNTERSIGN_TIMING_SAMPLES'] ?? 100_000) : 0
/** Requests of each class that are told apart, so that no class is one text with a place of its own in some cache. */
const POOL = 64

const near = (actual: number, expected: number, within: number): void =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`)

// ── the statistics ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("T65 Welch's t and its degrees of freedom on known data", () => {
  // Student's sleep data; t.test(extra ~ group, data = sleep) of R says t = -1.8608, df = 17.776.
  const first = describeClass([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2])
  const second = describeClass([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
  near(first.mean, 0.75, 1e-12)
  near(second.mean, 2.33, 1e-12)
  near(welchT(first, second), -1.8608, 0.00005)
  near(degreesOfFreedom(first, second), 17.776, 0.0005)
  assert.equal(welchT(second, first), -welchT(first, second))
  // Small enough to do by hand: means 2 and 6, variances 1 and 4, 3 and 3 samples.
  const [x, y] = [describeClass([1, 2, 3]), describeClass([4, 6, 8])]
  near(welchT(x, y), -4 / Math.sqrt(5 / 3), 1e-12)
  near(degreesOfFreedom(x, y), (5 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2), 1e-12)
  assert.equal(welchT(describeClass([1, 1]), describeClass([1, 1])), 0)
  assert.equal(welchT(describeClass([2, 2]), describeClass([1, 1])), Number.POSITIVE_INFINITY)
  assert.deepEqual(crop([1, 2, 100], [3, 4, 5, 6, 7, 8, 9], 0.8), [
    [1, 2],
    [3, 4, 5, 6, 7, 8, 9],
  ])
})

/** Every method call of what is given, by name. */
function watched<T extends object>(real: T, calls: string[], name: string): T {
  return new Proxy(real, {
    get: (target, member, receiver) => {
      const value: unknown = Reflect.get(target, member, receiver)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        calls.push(`${name}.${String(member)}`)
        return (value as (...given: unknown[]) => unknown).apply(target, given)
      }
    },
  })
}

const report = (what: string, { t, meanA, meanB, count }: Awaited<ReturnType<typeof compare>>): void => {
  console.log(
    `T65 ${what}: t = ${t.toFixed(2)}, ${meanA.toFixed(3)} and ${meanB.toFixed(3)} µs, ${count} samples a class`,
  )
  assert.ok(Math.abs(t) < T_MAX, `${what}: t = ${t}`)
}
const measured = (title: string, body: () => Promise<void>): void => {
  if (LONG) test(title, { timeout: 3_600_000 }, body)
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const nameOf = (at: number, exists: boolean): string => `vault-${String(at * 2 + (exists ? 0 : 1)).padStart(4, '0')}`
const KNOWN = Array.from({ length: POOL }, (_, at) => nameOf(at, true))
const UNKNOWN = Array.from({ length: POOL }, (_, at) => nameOf(at, false))
/** A name as a request brings it: a text of its own, that no table has seen. */
const heard = (name: string): string => Buffer.from(name).toString('latin1')
const MANY = 1_000_000
const UNLIMITED = { 'admission.limits.perToken.count': MANY, 'admission.limits.failures.count': MANY }
const BODY = new TextEncoder().encode(JSON.stringify({ type: 'stellar-transaction', xdr: 'AAAA' }))

const openKeys = (calls: string[] = []): Promise<GateRig> =>
  openGate({
    flags: UNLIMITED,
    keys: ['mine', ...KNOWN],
    catalogue: real => watched(real, calls, 'catalogue'),
    ledger: real => watched(real, calls, 'ledger'),
  })
const scopes = ['read:mine', 'sign:mine', 'explain:mine']

const VERBS: Readonly<Record<string, (rig: GateRig, key: string, token: string) => Promise<unknown>>> = {
  read: ({ signer }, key, token) => signer.getKey({ key, ...asking(token) }),
  sign: ({ signer }, key, token) => signer.sign({ key, body: BODY, idempotencyKey: 'k', ...asking(token) }),
  explain: ({ signer }, key, token) => signer.explain({ key, body: BODY, ...asking(token) }),
}
const asking = (token: string) => ({ authorization: `Bearer ${token}`, requestId: 'r_1', peer: '192.0.2.1' })

for (const [verb, ask] of Object.entries(VERBS)) {
  test(`T65 ${verb}: of two keys a caller may not use, the one that exists costs the same questions and turns as the other`, async () => {
    const calls: string[] = []
    const rig = await openKeys(calls)
    const token = await rig.issuer.issue({ subject: 'payments', scopes })
    await ask(rig, KNOWN[0] ?? '', token).catch(() => {}) // its signature is verified once
    const seen = new Set<string>()
    for (let at = 0; at < POOL; at++) {
      for (const key of [KNOWN[at] ?? '', UNKNOWN[at] ?? '']) {
        calls.length = 0
        rig.refusals.length = 0
        const turns = await turnsOf(() => ask(rig, key, token))
        const [refused] = rig.refusals
        seen.add(JSON.stringify([turns, calls, { ...refused, auditId: '', key: '' }]))
      }
    }
    assert.equal(seen.size, 1, [...seen].join('\n'))
    assert.deepEqual(calls, ['ledger.isRevoked'], 'the catalogue is not asked before the scope is judged')
  })

  measured(`T65 ${verb}: a key that exists and one that does not, for a caller who may use neither`, async () => {
    const rig = await openKeys()
    const token = await rig.issuer.issue({ subject: 'payments', scopes })
    report(
      `${verb}, key exists or not`,
      await compare({
        samples: SAMPLES,
        run: (which, n) => ask(rig, heard((which === 0 ? KNOWN : UNKNOWN)[n % POOL] ?? ''), token),
        between: () => {
          rig.refusals.length = 0
        },
      }),
    )
  })
}

test('T65 HTTP: status, headers and bytes are the same for a key that exists and one that does not', async () => {
  const rig = await openKeys()
  const token = await rig.issuer.issue({ subject: 'payments', scopes })
  const seen = new Set<string>()
  for (const key of [...KNOWN.slice(0, 8), ...UNKNOWN.slice(0, 8)]) {
    for (const [path, method] of [
      [`/v1/keys/${key}`, 'GET'],
      [`/v1/keys/${key}/sign`, 'POST'],
      [`/v1/keys/${key}/explain`, 'POST'],
    ] as const) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': 'k' }
      const response = await rig.http(path, { method, headers, ...(method === 'GET' ? {} : { body: BODY }) })
      const told = [...response.headers].map(([name, value]) => (name === 'x-request-id' ? name : `${name}: ${value}`))
      const text = (await response.text()).replaceAll(/r_[0-9a-f]{32}/g, 'r_').replaceAll(key, 'KEY')
      assert.equal(response.status, 403)
      seen.add(JSON.stringify([path.replace(key, 'KEY'), told, text]))
    }
  }
  assert.equal(seen.size, 3, [...seen].join('\n'))
})

// ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Tokens that another key signed under the name of ours, for ids that are revoked and ids that never were. */
async function forgedTokens(rig: GateRig) {
  const stranger = createDevIssuer({ clock: rig.clock })
  const kid = rig.issuer.jwks.keys[0]?.kid
  const claims = async (revoked: boolean) => {
    const good = await rig.issuer.issue({ subject: 'payments', scopes })
    const [, payload = ''] = good.split('.')
    const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }
    if (revoked) {
      const at = rig.clock.now()
      await rig.ledger.record({
        id: jti,
        subject: 'payments',
        issuedBy: 'x',
        issuedAt: at,
        expiresAt: at + 900_000,
        grants: '{}',
      })
      await rig.ledger.revoke(jti, at, at + 900_000)
      assert.equal(await rig.ledger.isRevoked(jti), true)
    }
    const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ: 'at+jwt' })).toString('base64url')
    const other = await stranger.issue({ subject: 'payments', scopes })
    const signature = other.split('.')[2] ?? ''
    return `${header}.${payload}.${signature}`
  }
  const make = (revoked: boolean) => Promise.all(Array.from({ length: POOL }, () => claims(revoked)))
  return { revoked: await make(true), never: await make(false) }
}

test('T65 a forged token tells nothing of its id: revoked or never issued, the ledger is not asked and the answer is one', async () => {
  const calls: string[] = []
  const rig = await openKeys(calls)
  const { revoked, never } = await forgedTokens(rig)
  calls.length = 0
  const verify = crypto.subtle.verify
  const seen = new Set<string>()
  try {
    for (const token of [...revoked, ...never]) {
      let verifications = 0
      crypto.subtle.verify = function (...given: Parameters<typeof verify>) {
        verifications++
        return verify.apply(crypto.subtle, given)
      }
      const response = await rig.http('/v1/keys/mine', { headers: { authorization: `Bearer ${token}` } })
      const text = (await response.text()).replaceAll(/r_[0-9a-f]{32}/g, 'r_')
      seen.add(JSON.stringify([response.status, text, verifications, calls]))
    }
  } finally {
    crypto.subtle.verify = verify
  }
  assert.equal(seen.size, 1, [...seen].join('\n'))
  assert.match([...seen][0] ?? '', /^\[401,.*,1,\[\]\]$/)
})

measured('T65 forged tokens: an id that is revoked and one that never was', async () => {
  const rig = await openKeys()
  const { revoked, never } = await forgedTokens(rig)
  report(
    'forged token, id revoked or never issued',
    await compare({
      samples: SAMPLES,
      run: (which, n) => rig.signer.getKey({ key: 'mine', ...asking((which === 0 ? revoked : never)[n % POOL] ?? '') }),
      between: () => {
        rig.refusals.length = 0
      },
    }),
  )
})

/** A certificate's thumbprint is what a token is compared by here: wrong in its first character, or in its last. */
async function thumbprints() {
  const clock = manualClock(NOW)
  const issuer = createDevIssuer({ clock })
  const right = Buffer.alloc(32, 7).toString('base64url')
  const token = await issuer.issue({ subject: 'payments', scopes, confirmation: { 'x5t#S256': right } })
  const rules = { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock }
  const authenticate = createAuthenticator({ ...rules, publicUrls: [] })
  const bytes = (at: number, value: number) => {
    const wrong = Buffer.alloc(32, 7)
    wrong[at] = value
    return wrong.toString('base64url')
  }
  const first = Array.from({ length: POOL }, (_, at) => bytes(0, at + 8))
  const last = Array.from({ length: POOL }, (_, at) => bytes(31, at + 8))
  const ask = (certificateThumbprint: string) =>
    authenticate({
      authorization: `Bearer ${token}`,
      certificateThumbprint,
      method: 'GET',
      path: '/',
      body: new Uint8Array(),
      peer: '192.0.2.1',
    })
  await ask(right)
  return { ask, first, last }
}

test('T65 a certificate that is wrong in its first or in its last byte takes the same turns and gets the same answer', async () => {
  const { ask, first, last } = await thumbprints()
  const seen = new Set<string>()
  for (const each of [...first, ...last]) {
    const turns = await turnsOf(() => ask(each))
    const error = await ask(each).catch((problem: { code: string; detail: object }) => [problem.code, problem.detail])
    seen.add(JSON.stringify([turns, error]))
  }
  assert.equal(seen.size, 1, [...seen].join('\n'))
})

measured('T65 a certificate that is wrong in its first or in its last byte', async () => {
  const { ask, first, last } = await thumbprints()
  report(
    'thumbprint, first or last byte',
    await compare({ samples: SAMPLES, run: (which, n) => ask((which === 0 ? first : last)[n % POOL] ?? '') }),
  )
})

/** Reads of an array, in order. */
function spied(bytes: Uint8Array, reads: number[]): Uint8Array {
  return new Proxy(bytes, {
    get: (target, member) => {
      if (typeof member === 'string' && /^\d+$/.test(member)) reads.push(Number(member))
      return Reflect.get(target, member, target) as unknown
    },
  })
}

test('T65 the comparison of secrets reads every byte of both, wherever the first difference is', () => {
  const all = Array.from({ length: 32 }, (_, at) => at)
  for (const at of [undefined, 0, 15, 31]) {
    const [a, b] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(7)]
    if (at !== undefined) b[at] = 8
    const [readsA, readsB]: [number[], number[]] = [[], []]
    assert.equal(equalBytes(spied(a, readsA), spied(b, readsB)), at === undefined)
    assert.deepEqual([readsA, readsB], [all, all])
  }
})

const REPEATED = 32
const compareBytes = (equal: (a: Uint8Array, b: Uint8Array) => boolean, length: number) => {
  const right = new Uint8Array(length).fill(7)
  const wrong = [0, length - 1].map(place =>
    Array.from({ length: POOL }, (_, at) => {
      const bytes = right.slice()
      bytes[place] = at + 8
      return bytes
    }),
  )
  // One place in memory for both classes: what is measured is the comparison, and not where an array lies.
  const other = new Uint8Array(length)
  let sink = 0
  return compare({
    samples: SAMPLES,
    prepare: (which, n) => other.set(wrong[which]?.[n % POOL] ?? right),
    run: () => {
      for (let turn = 0; turn < REPEATED; turn++) sink += equal(right, other) ? 1 : 0
      return sink
    },
  })
}

measured('T65 secrets that differ in their first or in their last byte, 32 at a time', async () => {
  report('equalBytes, first or last byte', await compareBytes(equalBytes, 32))
})

measured('T65 the method notices a comparison that stops at the first difference', async () => {
  const early = (a: Uint8Array, b: Uint8Array): boolean => {
    for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
    return true
  }
  const { t } = await compareBytes(early, 32)
  console.log(`T65 positive control: t = ${t.toFixed(2)}`)
  assert.ok(Math.abs(t) > T_MAX * 4, `t = ${t}`)
})

// ── logins ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const PASSPHRASE = 'Test SDF Network ; September 2015'

/** Administrators and strangers of one kind, and a login that counts what it asks. */
async function openLogin(kind: 'stellar' | 'evm', calls: string[], people: number) {
  const clock = manualClock(NOW)
  const store = openMemoryStore()
  const person = (fill: number): Person => (kind === 'stellar' ? stellarPerson(fill) : evmPerson(fill))
  const known = Array.from({ length: people }, (_, at) => person(2 * at + 2))
  const unknown = Array.from({ length: people }, (_, at) => person(2 * at + 3))
  for (const { address } of known) await store.admins.add(admin(address, ['operator']))
  const { address: serverAccount, signHash } = stellarPerson(1)
  const login = createLogin({
    sep10: {
      serverAccount,
      homeDomain: 'sign.example',
      webAuthDomain: 'sign.example',
      networkPassphrase: PASSPHRASE,
      sign: async hash => signHash(hash),
    },
    eip4361: { domain: 'sign.example', uri: 'https://sign.example', statement: 'Log in.', chainIds: [1] },
    admins: watched(store.admins, calls, 'admins'),
    // Kept by nobody: a campaign would fill it, and how full it is says nothing of who asks.
    challenges: {
      issue: async () => void calls.push('challenges.issue'),
      use: async () => (calls.push('challenges.use'), false),
    },
    clock,
    random: { bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
    issue: async () => 'token',
  })
  return { login, known, unknown }
}

/** What somebody else signs in the name of `owner`. */
function forged(challenge: LoginChallenge, by: Person): object {
  if (challenge.kind === 'eip-4361') return { message: challenge.message, signature: by.signText(challenge.message) }
  const transaction = TransactionBuilder.fromXDR(challenge.transaction, challenge.networkPassphrase)
  transaction.addSignature(by.address, Buffer.from(by.signHash(transaction.hash())).toString('base64'))
  return { transaction: transaction.toXDR() }
}
const answersOf = (login: Login, people: readonly Person[], by: Person) =>
  Promise.all(people.map(async ({ address }) => forged(await login.challenge({ address }), by)))

for (const kind of ['stellar', 'evm'] as const) {
  const mallory = kind === 'stellar' ? stellarPerson(200) : evmPerson(200)
  test(`T65 ${kind} login: a challenge, and an answer that somebody else signed, ask nothing of who is an administrator`, async () => {
    const calls: string[] = []
    const { login, known, unknown } = await openLogin(kind, calls, 8)
    const asked = new Set<string>()
    for (const { address } of [...known, ...unknown]) {
      calls.length = 0
      const challenge = await login.challenge({ address })
      const size = challenge.kind === 'sep-10' ? challenge.transaction.length : challenge.message.length
      asked.add(JSON.stringify([calls, challenge.kind, size]))
    }
    assert.deepEqual(
      [...asked].map(each => (JSON.parse(each) as unknown[])[0]),
      [['challenges.issue']],
    )
    const answered = new Set<string>()
    for (const answer of [...(await answersOf(login, known, mallory)), ...(await answersOf(login, unknown, mallory))]) {
      calls.length = 0
      const error = await login
        .answer(answer)
        .catch((problem: { code: string; detail: object }) => [problem.code, problem.detail])
      answered.add(JSON.stringify([error, calls]))
    }
    assert.equal(answered.size, 1, [...answered].join('\n'))
    assert.match([...answered][0] ?? '', /"login\/refused".*\[\]\]$/)
  })

  measured(`T65 ${kind} login: a challenge for an administrator and for a stranger`, async () => {
    const calls: string[] = []
    const { login, known, unknown } = await openLogin(kind, calls, POOL)
    report(
      `${kind} challenge, administrator or not`,
      await compare({
        samples: SAMPLES,
        run: (which, n) => login.challenge({ address: (which === 0 ? known : unknown)[n % POOL]?.address }),
        between: () => {
          calls.length = 0
        },
      }),
    )
  })

  measured(
    `T65 ${kind} login: an answer signed by somebody else, for an administrator and for a stranger`,
    async () => {
      const calls: string[] = []
      const { login, known, unknown } = await openLogin(kind, calls, POOL)
      const [a, b] = [await answersOf(login, known, mallory), await answersOf(login, unknown, mallory)]
      report(
        `${kind} forged answer, administrator or not`,
        await compare({ samples: SAMPLES, run: (which, n) => login.answer((which === 0 ? a : b)[n % POOL]) }),
      )
    },
  )
}
