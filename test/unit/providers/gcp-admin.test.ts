/** Making keys, and the doctor, over both transports against scripted answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmin } from '../../../providers/gcp-kms/admin.ts'
import { createDoctor } from '../../../providers/gcp-kms/doctor.ts'
import { Secret } from '../../../src/domain/secret.ts'
import type { Finding, Patient } from '../../../src/domain/doctor.ts'
import type { Scheme } from '../../../src/domain/provider.ts'
import { KEY, publicKeyAnswer, RING, VERSION, WRAPPING } from '../../support/gcp-answers.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import {
  type GcpMessage,
  type GcpReply,
  type GcpScript,
  type GcpSeen,
  scriptedGcp,
} from '../../support/scripted-gcp.ts'

const IN_RING = { kind: 'gcp-kms', project: 'payments-test', location: 'europe-west3', keyRing: 'signing' } as const

/** Time that passes as soon as somebody waits for it. */
function patientWorld() {
  const world = providerWorld()
  let slept = 0
  const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted()
    slept += ms
  }
  return { world: { ...world, clock: { ...world.clock, sleep } }, slept: () => slept }
}

/** A service that makes what it is asked for; a version is ready after it was looked at `pending` times. */
function maker(pending: number, bend: (answer: GcpMessage) => GcpMessage = answer => answer): GcpScript {
  let looked = 0
  return ({ operation, name, request }) => {
    switch (operation) {
      case 'CreateCryptoKey': {
        // REST sends the key itself as the body, gRPC in a member.
        const { purpose } = (request['cryptoKey'] ?? request) as { purpose: string }
        return { answer: bend({ name: `${name}/cryptoKeys/${String(request['cryptoKeyId'])}`, purpose }) }
      }
      case 'GetCryptoKeyVersion':
        return { answer: { name, state: looked++ < pending ? 'PENDING_GENERATION' : 'ENABLED' } }
      default:
        return { answer: publicKeyAnswer(name.includes('evm') ? 'ecdsa-secp256k1' : 'ed25519', name) }
    }
  }
}

for (const transport of ['rest', 'grpc'] as const) {
  const opened = async (script: GcpScript, world = patientWorld().world, more: object = {}) => {
    const server = await scriptedGcp(transport, script)
    const admin = await createAdmin({ ...IN_RING, transport, endpoint: server.url, ...more }, world)
    return { server, admin }
  }

  test(`an admin makes keys of the right algorithm and level and waits until they are generated [${transport}]`, async () => {
    const time = patientWorld()
    const { server, admin } = await opened(maker(3), time.world)
    const made = await admin.create({ scheme: 'ed25519', label: 'Treasury / Stellar' }, call())
    assert.match(made.reference, /cryptoKeys\/Treasury---Stellar-[0-9a-f]{16}\/cryptoKeyVersions\/1$/)
    assert.equal(time.slept(), 1_500)
    const evm = await admin.create({ scheme: 'ecdsa-secp256k1', label: 'evm' }, call())
    assert.equal(evm.scheme, 'ecdsa-secp256k1')
    const wrapping = await admin.createWrappingKey({ label: '' }, call())
    assert.match(wrapping, new RegExp(`^${RING}/cryptoKeys/key-[0-9a-f]{16}$`))
    const templates = server.seen
      .filter(({ operation }) => operation === 'CreateCryptoKey')
      .map(({ request }) => (request['cryptoKey'] ?? request) as { purpose: string; versionTemplate: object })
    assert.deepEqual(
      templates.map(({ purpose, versionTemplate }) => ({ purpose, versionTemplate })),
      [
        { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_ED25519', protectionLevel: 'SOFTWARE' } },
        {
          purpose: 'ASYMMETRIC_SIGN',
          versionTemplate: { algorithm: 'EC_SIGN_SECP256K1_SHA256', protectionLevel: 'HSM' },
        },
        {
          purpose: 'ENCRYPT_DECRYPT',
          versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' },
        },
      ],
    )
    const other = await admin.create({ scheme: 'ed25519', label: 'x'.repeat(200) }, call())
    assert.ok((other.reference.split('/')[7] ?? '').length <= 63)
    await server.close()
  })

  test(`an id that exists, an answer about another key, and a version that fails are errors [${transport}]`, async () => {
    const exists = await opened(() => ({ problem: { status: 'ALREADY_EXISTS' } }))
    await refusal(exists.admin.createWrappingKey({ label: 'a' }, call()), 'provider/refused')
    await exists.server.close()
    for (const bend of [{ name: KEY }, { purpose: 'MAC' }, { name: undefined }]) {
      const lying = await opened(maker(0, answer => ({ ...answer, ...bend })))
      await refusal(lying.admin.createWrappingKey({ label: 'a' }, call()), 'provider/malformed')
      await lying.server.close()
    }
    const failed = await opened(seen =>
      seen.operation === 'GetCryptoKeyVersion' ? { answer: { state: 'GENERATION_FAILED' } } : maker(0)(seen),
    )
    await refusal(failed.admin.create({ scheme: 'ed25519', label: 'a' }, call()), 'provider/refused')
    await refusal(failed.admin.create({ scheme: 'rsa' as Scheme, label: 'a' }, call()), 'key/unsupported')
    await failed.server.close()
    const lost = await opened(() => ({ problem: { status: 'INTERNAL' } }))
    await refusal(lost.admin.createWrappingKey({ label: 'a' }, call()), 'provider/ambiguous')
    await lost.server.close()
  })

  test(`waiting for a key ends with the deadline of the call [${transport}]`, async () => {
    const world = providerWorld()
    const deadline = new AbortController()
    const sleep = async (): Promise<void> => {
      deadline.abort(new Error('deadline'))
      throw new Error('deadline')
    }
    const { server, admin } = await opened(maker(1_000), { ...world, clock: { ...world.clock, sleep } })
    await refusal(admin.create({ scheme: 'ed25519', label: 'a' }, call(deadline.signal)), 'provider/unavailable')
    await server.close()
  })
}

test('without a key ring no keys are made', async () => {
  const error = await refusal(createAdmin({ kind: 'gcp-kms', project: 'p' }, providerWorld()), 'config/invalid')
  assert.equal((error.detail as unknown as { problems: { path: string }[] }).problems[0]?.path, 'keyRing')
})

const USES: readonly Patient[] = [
  { reference: VERSION, use: 'sign', scheme: 'ed25519' },
  { reference: WRAPPING, use: 'unwrap' },
  { reference: WRAPPING, use: 'wrap' },
]
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  sign: ['cloudkms.cryptoKeyVersions.useToSign', 'cloudkms.cryptoKeyVersions.viewPublicKey'],
  unwrap: ['cloudkms.cryptoKeyVersions.useToDecrypt'],
  wrap: ['cloudkms.cryptoKeyVersions.useToEncrypt'],
}
const ALL = [...Object.values(NEEDED).flat(), 'cloudkms.cryptoKeys.get']

interface Ward {
  readonly held?: readonly string[]
  readonly bend?: (seen: GcpSeen) => GcpReply | undefined
}

function ward({ held = ALL, bend = () => undefined }: Ward): GcpScript {
  return seen => {
    const bent = bend(seen)
    if (bent !== undefined) return bent
    const { operation, name, request } = seen
    if (operation === 'TestIamPermissions') {
      return { answer: { permissions: (request['permissions'] as string[]).filter(each => held.includes(each)) } }
    }
    if (operation === 'GetPublicKey') return { answer: publicKeyAnswer('ed25519', name) }
    return {
      answer: {
        name,
        purpose: 'ENCRYPT_DECRYPT',
        primary: { name: `${name}/cryptoKeyVersions/1`, state: 'ENABLED', protectionLevel: 'SOFTWARE' },
      },
    }
  }
}

async function examined(
  transport: 'rest' | 'grpc',
  script: GcpScript,
  patients = USES,
  more: object = {},
): Promise<Finding[]> {
  const server = await scriptedGcp(transport, script)
  const doctor = await createDoctor({ kind: 'gcp-kms', transport, endpoint: server.url, ...more }, providerWorld())
  try {
    const found: Finding[] = []
    for await (const finding of doctor.examine(patients, call())) found.push(finding)
    return found
  } finally {
    await doctor.close()
    await server.close()
  }
}

const bad = (found: readonly Finding[]) => found.filter(({ outcome }) => outcome === 'failed')
const of = (found: readonly Finding[], check: string) => found.filter(each => each.check === check)

for (const transport of ['rest', 'grpc'] as const) {
  test(`doctor: all is well, in the order of the checks, and nothing is signed [${transport}]`, async () => {
    const asked: string[] = []
    const found = await examined(transport, ward({ bend: ({ operation }) => void asked.push(operation) }))
    assert.deepEqual(bad(found), [])
    const order = ['configuration', 'reachable', 'clock', 'credentials', 'key', 'permission', 'latency']
    const places = found.map(({ check }) => order.indexOf(check))
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
    assert.deepEqual(new Set(asked), new Set(['TestIamPermissions', 'GetPublicKey', 'GetCryptoKey']))
    assert.equal(of(found, 'clock')[0]?.outcome, transport === 'rest' ? 'ok' : 'skipped')
    assert.deepEqual(
      of(found, 'permission').map(({ permission }) => permission),
      Object.values(NEEDED).flat(),
    )
    assert.equal(of(found, 'latency')[0]?.facts?.['samples'], 5)
    for (const { outcome, meaning, fix } of found) {
      assert.ok(outcome === 'ok' || meaning !== undefined)
      assert.ok(outcome !== 'failed' || fix !== undefined)
    }
  })

  for (const permission of Object.values(NEEDED).flat()) {
    test(`doctor: without ${permission} exactly that is named, with the command that grants it [${transport}]`, async () => {
      const found = await examined(transport, ward({ held: ALL.filter(each => each !== permission) }), USES, {
        accessToken: new Secret('canary-token', 't'),
      })
      const failures = bad(found)
      assert.deepEqual(
        failures.map(each => each.permission),
        [permission],
      )
      assert.match(
        failures[0]?.fix ?? '',
        /^gcloud kms keys add-iam-policy-binding (treasury|wrapping) --keyring signing --location europe-west3 --project payments-test --member MEMBER --role roles\/cloudkms\.[a-zA-Z]+$/,
      )
      assert.ok(!JSON.stringify(found).includes('canary-token'))
    })
  }
}

test('doctor: the optional right is not asked for, rights that are too wide are warned of', async () => {
  const without = await examined('rest', ward({ held: Object.values(NEEDED).flat() }))
  assert.deepEqual(bad(without), [])
  assert.deepEqual(
    of(without, 'key').map(({ outcome }) => outcome),
    ['ok', 'skipped', 'skipped'],
  )
  const wide = ['cloudkms.cryptoKeyVersions.destroy', 'cloudkms.cryptoKeys.setIamPolicy']
  const found = await examined('rest', ward({ held: [...ALL, ...wide] }), USES.slice(0, 1))
  const warnings = found.filter(({ outcome }) => outcome === 'warning')
  assert.deepEqual(
    warnings.map(({ permission }) => permission),
    wide,
  )
  assert.ok(warnings.every(({ fix }) => fix?.includes('get-iam-policy treasury')))
})

test('doctor: testIamPermissions that is refused is said to be, not taken for missing rights', async () => {
  let probes = 0
  const found = await examined(
    'rest',
    ward({
      bend: ({ operation }) =>
        operation === 'TestIamPermissions' && probes++ > 0
          ? { problem: { status: 'PERMISSION_DENIED', message: 'vendor words' } }
          : undefined,
    }),
    USES.slice(0, 1),
  )
  assert.deepEqual(bad(found), [])
  for (const each of of(found, 'permission')) {
    assert.equal(each.outcome, 'skipped')
    assert.equal(each.vendorError, 'PERMISSION_DENIED: vendor words')
  }
})

const KEY_ROWS: readonly (readonly [what: string, reply: GcpReply, meaning: RegExp, fix: RegExp])[] = [
  [
    'a disabled version',
    { problem: { status: 'FAILED_PRECONDITION', message: 'current state is: DISABLED.' } },
    /not enabled/,
    /versions enable 1 --key treasury/,
  ],
  [
    'a version that is being generated',
    { problem: { status: 'FAILED_PRECONDITION', message: 'current state is: PENDING_GENERATION.' } },
    /generated/,
    /wait/,
  ],
  ['no such version', { problem: { status: 'NOT_FOUND' } }, /no such key/, /versions list --key treasury/],
  ['a denial', { problem: { status: 'PERMISSION_DENIED' } }, /lacks a right/, /get-iam-policy/],
  [
    'an API that is off',
    {
      problem: {
        status: 'PERMISSION_DENIED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED' }],
      },
    },
    /not enabled in the project/,
    /gcloud services enable cloudkms\.googleapis\.com --project payments-test/,
  ],
  ['a quota', { problem: { status: 'RESOURCE_EXHAUSTED' } }, /quota/, /quota/],
  ['a fault', { problem: { status: 'INTERNAL' } }, /could not answer/, /again/],
  [
    'a key of another algorithm',
    { answer: { ...publicKeyAnswer('ed25519'), algorithm: 'EC_SIGN_P256_SHA256' } },
    /cannot sign for a chain/,
    /asymmetric-signing/,
  ],
  [
    'a public key that was damaged',
    { answer: { ...publicKeyAnswer('ed25519'), pemCrc32c: '1' } },
    /cannot be trusted/,
    /between/,
  ],
  ['a key of the other scheme', { answer: publicKeyAnswer('ecdsa-secp256k1') }, /binding says ed25519/, /bind/],
]
for (const [what, reply, meaning, fix] of KEY_ROWS) {
  test(`doctor: ${what} is found, with what to do`, async () => {
    const found = await examined(
      'rest',
      ward({ bend: ({ operation }) => (operation === 'GetPublicKey' ? reply : undefined) }),
      USES.slice(0, 1),
    )
    const [failure, ...more] = bad(found)
    assert.equal(more.length, 0)
    assert.equal(failure?.check, 'key')
    assert.match(failure?.meaning ?? '', meaning)
    assert.match(failure?.fix ?? '', fix)
  })
}

test('doctor: a wrapping key of another purpose or without an enabled primary is found', async () => {
  const bend = (answer: GcpMessage): Ward => ({
    bend: ({ operation }) => (operation === 'GetCryptoKey' ? { answer } : undefined),
  })
  const purpose = await examined('rest', ward(bend({ name: WRAPPING, purpose: 'ASYMMETRIC_SIGN' })), USES.slice(1, 2))
  assert.match(bad(purpose)[0]?.meaning ?? '', /purpose ASYMMETRIC_SIGN/)
  const primary = { name: `${WRAPPING}/cryptoKeyVersions/4`, state: 'DISABLED' }
  const state = await examined(
    'rest',
    ward(bend({ name: WRAPPING, purpose: 'ENCRYPT_DECRYPT', primary })),
    USES.slice(1, 2),
  )
  assert.match(bad(state)[0]?.fix ?? '', /versions enable 4 --key wrapping/)
})

test('doctor: a reference that is none, no patients at all', async () => {
  const odd = await examined('rest', ward({}), [{ reference: 'treasury', use: 'sign' }])
  assert.equal(bad(odd)[0]?.check, 'key')
  assert.deepEqual(bad(await examined('rest', ward({}), [])), [])
})

test('doctor: a clock that is off, a token that is not accepted, an endpoint that is not there', async () => {
  const clock = (offset: number): Ward => ({
    bend: ({ operation }) =>
      operation === 'TestIamPermissions'
        ? { answer: { permissions: ALL }, headers: { date: new Date(Date.now() + offset).toUTCString() } }
        : undefined,
  })
  const late = of(await examined('rest', ward(clock(60_000))), 'clock')[0]
  assert.equal(late?.outcome, 'warning')
  assert.match(late?.meaning ?? '', /behind/)
  const ahead = of(await examined('rest', ward(clock(-600_000))), 'clock')[0]
  assert.equal(ahead?.outcome, 'failed')
  assert.match(ahead?.fix ?? '', /timedatectl/)

  const token = await examined('rest', () => ({ problem: { status: 'UNAUTHENTICATED', message: 'vendor words' } }))
  assert.deepEqual(
    bad(token).map(({ check }) => check),
    ['credentials'],
  )
  assert.equal(
    of(token, 'key').every(({ outcome }) => outcome === 'skipped'),
    true,
  )

  const gone = await scriptedGcp('rest', () => 'hang')
  await gone.close()
  for (const transport of ['rest', 'grpc'] as const) {
    const doctor = await createDoctor({ kind: 'gcp-kms', transport, endpoint: gone.url }, providerWorld())
    const found: Finding[] = []
    for await (const finding of doctor.examine(USES, call())) found.push(finding)
    await doctor.close()
    assert.deepEqual(
      bad(found).map(({ check }) => check),
      ['reachable'],
    )
  }
})

test('doctor: credentials that give no token are the finding, and the service is not blamed', async () => {
  const label = ['PRIVATE', 'KEY'].join(' ')
  const file = {
    type: 'service_account',
    client_email: 'a@b.example',
    private_key: `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`,
  }
  const found = await examined('rest', () => assert.fail('nothing may be sent'), USES, {
    credentials: new Secret(JSON.stringify(file), 'k'),
  })
  assert.deepEqual(
    bad(found).map(({ check }) => check),
    ['credentials'],
  )
  assert.equal(of(found, 'reachable')[0]?.outcome, 'skipped')
})
