import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { type AnySignerError, type ErrorCode, type ErrorDetail, SignerError } from '../../../src/domain/errors.ts'
import type { ResolvedKey } from '../../../src/domain/key.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { PROBLEMS } from '../../../src/http/problem.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { v1 } from '../../fuzz/xdr-corpus.ts'
import { EXAMPLE, openRig, problemOf, type Rig, type RigOptions, type SignOptions } from '../../support/rig.ts'

/** Where the refusal stands in the log: alone, as a whole pair, or (at the door, before anybody was asked) alone and without a name. */
type Trace = 'early' | 'refused' | 'failed' | 'door'

interface Case {
  readonly what: string
  readonly code: ErrorCode
  readonly status: number
  readonly trace: Trace
  readonly options?: RigOptions
  readonly request?: SignOptions | ((rig: Rig) => SignOptions | Promise<SignOptions>)
  /** How often the key service is asked: never, unless the refusal is its own. */
  readonly calls?: number
}

const fail = <C extends ErrorCode>(code: C, detail: ErrorDetail[C]): RigOptions => ({
  provider: real => ({ ...real, sign: () => Promise.reject(new SignerError(code, detail)) }),
})
const body = (value: unknown): SignOptions => ({ body: typeof value === 'string' ? value : JSON.stringify(value) })
const policy = (document: PolicyDocument): RigOptions => ({ policy: document })
const resolving = (change: (key: ResolvedKey) => ResolvedKey): RigOptions => ({
  catalogue: real => ({
    ...real,
    resolve: async name => {
      const found = await real.resolve(name)
      return found === undefined ? undefined : change(found)
    },
  }),
})
const answering = (plaintext: Uint8Array): RigOptions => ({
  custody: 'envelope',
  provider: (real): EnvelopeProvider => ({
    ...real,
    unwrap: async () => ({ plaintext: new SecretBytes(plaintext.slice(), 'of a test') }),
  }),
})
const about = { provider: 'mock', reason: 'a test says so' }

const CASES: readonly Case[] = [
  // What the caller sent
  { what: 'no JSON', code: 'request/malformed', status: 400, trace: 'early', request: body('{') },
  { what: 'an array', code: 'request/malformed', status: 400, trace: 'early', request: body([]) },
  { what: 'no type', code: 'request/malformed', status: 400, trace: 'early', request: body({ xdr: EXAMPLE }) },
  {
    what: 'a type of the wrong type',
    code: 'request/malformed',
    status: 400,
    trace: 'early',
    request: body({ type: 7 }),
  },
  {
    what: 'an unknown field',
    code: 'payload/invalid',
    status: 400,
    trace: 'early',
    request: body({ type: 'stellar-transaction', xdr: EXAMPLE, network: 'public' }),
  },
  {
    what: 'xdr of the wrong type',
    code: 'payload/invalid',
    status: 400,
    trace: 'early',
    request: body({ type: 'stellar-transaction', xdr: 7 }),
  },
  {
    what: 'a body over 64 KiB',
    code: 'request/too-large',
    status: 413,
    trace: 'door',
    request: body(`"${'x'.repeat(65_536)}"`),
  },
  {
    what: 'no JSON type',
    code: 'request/unsupported-media',
    status: 415,
    trace: 'door',
    request: { type: 'text/plain' },
  },
  {
    what: 'no idempotency key',
    code: 'idempotency/missing',
    status: 400,
    trace: 'early',
    request: { idempotencyKey: undefined },
  },
  {
    what: 'a blank in it',
    code: 'idempotency/malformed',
    status: 400,
    trace: 'early',
    request: { idempotencyKey: 'a b' },
  },
  {
    what: 'malformed XDR',
    code: 'payload/invalid',
    status: 400,
    trace: 'early',
    request: { xdr: EXAMPLE.slice(0, -8) },
  },
  {
    what: 'trailing XDR',
    code: 'payload/invalid',
    status: 400,
    trace: 'early',
    request: { xdr: `${EXAMPLE.slice(0, -4)}AAAAAAAA` },
  },
  {
    what: 'a payload of another chain',
    code: 'payload/unsupported',
    status: 400,
    trace: 'early',
    request: body({ type: 'evm-transaction', rlp: '0x' }),
  },

  // Who asks
  { what: 'no token', code: 'token/missing', status: 401, trace: 'early', request: { token: undefined } },
  { what: 'no such token', code: 'token/invalid', status: 401, trace: 'early', request: { token: 'a.b.c' } },
  {
    what: 'an expired token',
    code: 'token/invalid',
    status: 401,
    trace: 'early',
    request: async rig => {
      const token = await rig.token(['sign:*'], 60)
      rig.clock.advance(91_000)
      return { token }
    },
  },
  {
    what: 'a token for another key',
    code: 'access/denied',
    status: 403,
    trace: 'early',
    request: async rig => ({ token: await rig.token(['sign:other']) }),
  },
  {
    what: 'a token that may only read',
    code: 'access/denied',
    status: 403,
    trace: 'early',
    request: async rig => ({ token: await rig.token(['read:treasury']) }),
  },

  // What policy says
  {
    what: 'T32 a raw digest',
    code: 'policy/denied',
    status: 403,
    trace: 'refused',
    request: body({ type: 'raw-digest', digest: '00'.repeat(32) }),
  },
  { what: 'the strict default', code: 'policy/denied', status: 403, trace: 'refused', options: policy({ version: 1 }) },
  {
    what: 'another network in the policy',
    code: 'policy/denied',
    status: 403,
    trace: 'refused',
    options: policy({ version: 1, network: 'public' }),
  },
  {
    what: 'I8 nothing to judge',
    code: 'policy/undecided',
    status: 403,
    trace: 'refused',
    request: { xdr: v1({ operations: [] }).toXdr('base64') },
  },

  // Keys
  { what: 'no such key', code: 'key/unknown', status: 404, trace: 'early', request: { key: 'nobody' } },
  {
    what: 'I4 a policy that does not have the hash on record',
    code: 'key/mismatch',
    status: 503,
    trace: 'early',
    options: resolving(found => ({ ...found, key: { ...found.key, policyHash: '00'.repeat(32) } })),
  },
  {
    what: 'I4 a policy that is none',
    code: 'key/mismatch',
    status: 503,
    trace: 'early',
    options: resolving(found => ({ ...found, key: { ...found.key, policy: '{"version":2}' } })),
  },
  {
    what: 'a version without binding',
    code: 'key/mismatch',
    status: 503,
    trace: 'early',
    options: resolving(found => ({ ...found, bindings: [] })),
  },
  {
    what: 'a binding that may not serve here',
    code: 'key/unsupported',
    status: 422,
    trace: 'early',
    options: {
      mayServe: () => {
        throw new SignerError('key/unsupported', { key: 'treasury', wanted: 'public', reason: 'a test says so' })
      },
    },
  },
  {
    what: 'a provider that cannot sign',
    code: 'key/unsupported',
    status: 422,
    trace: 'failed',
    options: { provider: real => ({ ...real, can: { ...real.can, native: [] } }) },
  },
  {
    what: 'a version that is retired',
    code: 'key/not-active',
    status: 409,
    trace: 'early',
    request: async rig => {
      await rig.store.keys.setState('treasury', 1, 'retired')
      return {}
    },
  },

  // The key service
  ...(['provider/unavailable', 'provider/ambiguous', 'provider/refused', 'provider/malformed'] as const).map(code => ({
    what: 'says the key service',
    code,
    status: PROBLEMS[code].status,
    trace: 'failed' as const,
    options: fail(code, about),
    calls: 1,
  })),
  {
    what: 'says the key service',
    code: 'signature/malformed',
    status: 502,
    trace: 'failed',
    options: fail('signature/malformed', { reason: 'a test says so' }),
    calls: 1,
  },
  {
    what: 'zeros for a signature',
    code: 'signature/unverified',
    status: 502,
    trace: 'failed',
    options: { provider: real => ({ ...real, sign: async () => ({ signature: signature64(new Uint8Array(64)) }) }) },
    calls: 1,
  },
  {
    what: 'a throw nobody foresaw',
    code: 'internal',
    status: 500,
    trace: 'failed',
    options: {
      provider: real => ({ ...real, sign: () => Promise.reject(new TypeError('undefined is not a function')) }),
    },
    calls: 1,
  },
  {
    what: 'T41 ciphertext bound to another key',
    code: 'envelope/unreadable',
    status: 502,
    trace: 'failed',
    options: {
      custody: 'envelope',
      catalogue: real => real,
      provider: real => ({
        ...real,
        unwrap: (key, ciphertext, context, call) => real.unwrap(key, ciphertext, { ...context, key: 'other' }, call),
      }),
    },
    calls: 1,
  },
  {
    what: 'another seed inside',
    code: 'envelope/mismatch',
    status: 502,
    trace: 'failed',
    options: answering(new Uint8Array(32).fill(7)),
    calls: 1,
  },
  {
    what: 'no seed inside',
    code: 'envelope/unreadable',
    status: 502,
    trace: 'failed',
    options: answering(new Uint8Array(31)),
    calls: 1,
  },

  // The house
  {
    what: 'the store does not answer',
    code: 'store/unavailable',
    status: 503,
    trace: 'early',
    options: {
      idempotency: real => ({
        ...real,
        reserve: () => Promise.reject(new SignerError('store/unavailable', { reason: 'a test says so' })),
      }),
    },
  },
  {
    what: 'the log has no room for another intent',
    code: 'service/overloaded',
    status: 503,
    trace: 'early',
    options: {
      audit: real => ({
        get state() {
          return real.state
        },
        close: real.close,
        append: () => Promise.reject(new SignerError('service/overloaded', { retryAfterMs: 1_000 })),
      }),
    },
  },
  {
    what: 'the log is closed',
    code: 'service/stopping',
    status: 503,
    trace: 'early',
    request: async rig => {
      await rig.log.close()
      return {}
    },
  },
  { what: 'the door is full', code: 'service/overloaded', status: 503, trace: 'door', options: { concurrency: 0 } },
]

for (const { what, code, status, trace, options, request, calls = 0 } of CASES) {
  test(`${code}: ${what} (${status})`, async () => {
    const rig = await openRig(options)
    const asked = typeof request === 'function' ? await request(rig) : (request ?? {})
    const response = await rig.sign(asked)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = await problemOf(response)
    assert.equal(problem.code, code, JSON.stringify(problem))
    assert.equal(response.status, status)
    assert.equal(problem.status, status)
    assert.equal(PROBLEMS[code].status, status)
    assert.ok(!('signature' in problem))
    assert.equal(rig.signatures(), calls, 'calls of the key service')
    await checkTrace(rig, trace, code, String(problem['requestId']))
  })
}

async function checkTrace(rig: Rig, trace: Trace, code: ErrorCode, requestId: string): Promise<void> {
  const records = (await rig.records()).filter((record: AuditRecord) => record.kind !== 'event')
  const early = rig.refusals.map(({ errorCode, result }) => [errorCode, result])
  if (trace === 'door' || trace === 'early') {
    assert.deepEqual(records, [])
    assert.deepEqual(early, [[code, 'refused']])
    assert.equal(rig.refusals[0]?.requestId, requestId)
    const unknown = trace === 'door' || code.startsWith('token/')
    assert.equal(rig.refusals[0]?.actor?.subject, unknown ? 'unknown' : 'tester')
    return
  }
  const [intent, outcome, ...more] = records
  assert.deepEqual(more, [])
  assert.deepEqual(early, [])
  assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome')
  assert.equal(intent.auditId, outcome.auditId)
  assert.equal(outcome.requestId, requestId)
  assert.equal(outcome.result, trace)
  assert.equal(outcome.errorCode, code)
  assert.equal(outcome.signature, undefined)
  const decisions: Partial<Record<ErrorCode, string>> = { 'policy/denied': 'deny', 'policy/undecided': 'undecided' }
  assert.equal(intent.decision, decisions[code] ?? 'allow')
  assert.equal(outcome.decision, intent.decision)
}

test('every refusal gives the idempotency key back, and nothing but `mismatch` and `in-flight` depends on it', async () => {
  const troubles: (AnySignerError | undefined)[] = [
    new SignerError('provider/unavailable', about),
    new SignerError('provider/ambiguous', about),
    undefined,
  ]
  let broken = 0
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const trouble = troubles[broken++]
        if (trouble !== undefined) throw trouble
        return real.sign(...given)
      },
    }),
  })
  const codes: unknown[] = []
  for (let n = 0; n < 4; n++) {
    const response = await rig.sign({ idempotencyKey: 'same' })
    codes.push(response.ok ? response.headers.get('idempotency-replayed') : (await problemOf(response)).code)
  }
  assert.deepEqual(codes, ['provider/unavailable', 'provider/ambiguous', null, 'true'])
  assert.equal(rig.signatures(), 3)
})

test('a request stopped before its intent is on record holds nothing: neither its idempotency key nor the index head', async () => {
  let full = true
  const rig = await openRig({
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: (...entries) =>
        full ? Promise.reject(new SignerError('service/overloaded', { retryAfterMs: 1_000 })) : real.append(...entries),
    }),
  })
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'service/overloaded')
  full = false
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
})
