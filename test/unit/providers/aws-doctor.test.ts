/** The examination of an AWS KMS set-up: each thing that can be wrong is named, alone, with what to do. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { type LocalKms, type LocalKmsOptions, startLocalKms } from '../../../local-kms/index.ts'
import { vendorErrorOf } from '../../../providers/aws-kms/doctor-words.ts'
import { createDoctor } from '../../../providers/aws-kms/doctor.ts'
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import type { Finding, Patient } from '../../../src/domain/doctor.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { rendered } from '../../support/iam-aws.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const ACCOUNT = '000000000000'
const arn = (digit: number) =>
  `arn:aws:kms:us-east-1:${ACCOUNT}:key/${`${digit}`.repeat(8)}-1111-4111-8111-111111111111`
const [STELLAR, EVM, WRAPPING] = [arn(1), arn(2), arn(3)] as const
const SIGNER = `arn:aws:iam::${ACCOUNT}:role/signer`
const CONTEXT = { pubkey: 'GADDRESS', key: 'treasury', version: '1', network: 'testnet' }

interface Statement {
  actions: string[]
  resources?: string[]
  conditions?: Record<string, Record<string, string | string[]>>
}
const allowed = (permission: string): Statement => RIGHTS[permission]!
const sign = (SigningAlgorithm: string, MessageType: string) => ({
  StringEquals: { 'kms:SigningAlgorithm': SigningAlgorithm, 'kms:MessageType': MessageType },
})
const context = {
  Null: { 'kms:EncryptionContext:pubkey': 'false' },
  'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['pubkey', 'key', 'version', 'network'] },
}
const RIGHTS: Record<string, Statement> = {
  'kms:Sign': { actions: ['kms:Sign'], resources: [STELLAR], conditions: sign('ED25519_SHA_512', 'RAW') },
  'kms:GetPublicKey': { actions: ['kms:GetPublicKey'], resources: [STELLAR, EVM] },
  'kms:Decrypt': { actions: ['kms:Decrypt'], resources: [WRAPPING], conditions: context },
  'kms:Encrypt': { actions: ['kms:Encrypt'], resources: [WRAPPING], conditions: context },
}
const EVM_SIGN: Statement = { actions: ['kms:Sign'], resources: [EVM], conditions: sign('ECDSA_SHA_256', 'DIGEST') }

async function begin(role: object = { allow: [...Object.values(RIGHTS), EVM_SIGN] }, options: LocalKmsOptions = {}) {
  const kms = await startLocalKms({
    sigv4: 'lenient',
    seed: {
      version: 1,
      credentials: [{ accessKeyId: 'base', secretAccessKey: 'canary-base', allow: [{ actions: ['sts:AssumeRole'] }] }],
      roles: [{ arn: SIGNER, ...role }],
      keys: [
        { arn: STELLAR, spec: 'ECC_NIST_EDWARDS25519', aliases: ['alias/treasury'] },
        { arn: EVM, spec: 'ECC_SECG_P256K1' },
        { arn: WRAPPING, spec: 'SYMMETRIC_DEFAULT' },
        { arn: arn(4), spec: 'RSA_2048' },
      ],
    } as never,
    ...options,
  })
  after(() => kms.close())
  return kms
}

const config = (kms: LocalKms, more: Partial<AwsKmsConfig> = {}): AwsKmsConfig => ({
  kind: 'aws-kms',
  region: 'us-east-1',
  endpoint: kms.aws,
  stsEndpoint: kms.aws,
  accessKeyId: new Secret('base', 'id'),
  secretAccessKey: new Secret('canary-base', 'secret'),
  roleArn: SIGNER,
  ...more,
})

const ALL: readonly Patient[] = [
  { reference: STELLAR, use: 'sign', scheme: 'ed25519' },
  { reference: EVM, use: 'sign', scheme: 'ecdsa-secp256k1' },
  { reference: WRAPPING, use: 'unwrap', context: CONTEXT },
  { reference: WRAPPING, use: 'wrap', context: CONTEXT },
]
const ONE = ALL.slice(0, 1)

async function examine(
  settings: AwsKmsConfig,
  patients: readonly Patient[] = ALL,
  more: { fetch?: Fetch; world?: Partial<ProviderWorld>; signal?: AbortSignal } = {},
): Promise<Finding[]> {
  const world = { ...providerWorld('development', more.fetch), ...more.world }
  const doctor = await createDoctor(settings, world)
  const findings: Finding[] = []
  for await (const finding of doctor.examine(patients, call(more.signal))) findings.push(finding)
  await doctor.close()
  const text = JSON.stringify(findings)
  assert.ok(!text.includes('canary'), 'a secret shows in a finding')
  for (const { outcome, meaning, fix } of findings) {
    if (outcome !== 'ok') assert.ok(meaning, JSON.stringify(findings))
    if (outcome === 'failed') assert.ok(fix, JSON.stringify(findings))
  }
  return findings
}

const brief = (findings: readonly Finding[]) =>
  findings.map(({ check, outcome, permission, reference }) =>
    [check, outcome, permission, reference === undefined ? undefined : reference.split('/')[1]?.[0]]
      .filter(part => part !== undefined)
      .join(' '),
  )
const bad = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== 'ok')
const only = (findings: readonly Finding[]): Finding => {
  assert.equal(bad(findings).length, 1, JSON.stringify(bad(findings), undefined, 1))
  return bad(findings)[0]!
}

test('M-65 a set-up as it should be: every check, in order, and nothing is signed, wrapped or opened', async () => {
  const kms = await begin()
  const findings = await examine(config(kms))
  assert.deepEqual(brief(findings), [
    'reachable ok',
    'clock ok',
    'credentials ok',
    'key ok 1',
    'key ok 2',
    'key skipped 3', // without kms:DescribeKey, which it does not need
    'key skipped 3',
    'permission ok kms:GetPublicKey 1',
    'permission ok kms:Sign 1',
    'permission ok kms:GetPublicKey 2',
    'permission ok kms:Sign 2',
    'permission ok kms:Decrypt 3',
    'permission ok kms:Encrypt 3',
    'latency ok 1',
  ])
  assert.deepEqual(findings[2]?.facts, {
    identity: `arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign`,
    account: ACCOUNT,
    source: 'role',
  })
  assert.deepEqual(findings[3]?.facts, {
    scheme: 'ed25519',
    spec: 'ECC_NIST_EDWARDS25519',
    state: 'Enabled',
    protection: 'unknown',
    arn: STELLAR,
  })
  const { facts } = findings.at(-1)!
  assert.equal(facts?.['samples'], 5)
  assert.ok(Number(facts?.['p50Ms']) >= 0 && Number(facts?.['p50Ms']) <= Number(facts?.['maxMs']))
  const crypto = kms.audit().filter(({ eventName }) => ['Sign', 'Decrypt', 'Encrypt'].includes(eventName))
  assert.ok(crypto.length >= 6)
  for (const { eventName, requestParameters, errorCode } of crypto) {
    assert.equal(requestParameters?.['dryRun'], true, eventName)
    assert.match(errorCode ?? '', /DryRunOperationException|AccessDeniedException/)
  }
  assert.equal(kms.calls()['AssumeRole'], 1)
})

for (const permission of ['kms:Sign', 'kms:GetPublicKey', 'kms:Decrypt', 'kms:Encrypt']) {
  test(`M-65 without ${permission} exactly that is named, with the statement to add`, async () => {
    const kms = await begin({
      allow: [
        ...Object.keys(RIGHTS)
          .filter(name => name !== permission)
          .map(allowed),
        EVM_SIGN,
      ],
    })
    const patients = ALL.filter(({ reference }) => reference !== EVM)
    const failed = (await examine(config(kms), patients)).filter(({ outcome }) => outcome === 'failed')
    assert.deepEqual(brief(failed), [`permission failed ${permission} ${permission.endsWith('crypt') ? 3 : 1}`])
    const [{ fix, vendorError, meaning }] = failed as [Finding]
    const resource = permission.endsWith('crypt') ? WRAPPING : STELLAR
    assert.equal(
      vendorError,
      `AccessDeniedException: User: arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign is not authorized to perform: ` +
        `${permission} on resource: ${resource} because no identity-based policy allows the ${permission} action`,
    )
    assert.equal(meaning, `our identity may not ${permission} here: no identity-based policy allows it`)
    // What the fix says to add is what was missing: added, everything is well again.
    const document = /^aws iam put-role-policy --role-name signer --policy-name \S+ --policy-document '(.*)'$/.exec(
      fix ?? '',
    )
    const again = await begin({
      allow: [
        ...Object.keys(RIGHTS)
          .filter(name => name !== permission)
          .map(allowed),
        EVM_SIGN,
      ],
      policies: [JSON.parse(document?.[1] ?? '')],
    })
    const cured = await examine(config(again), patients)
    assert.deepEqual(
      bad(cured).filter(({ check }) => check !== 'key'),
      [],
    )
  })
}

test('M-72 the policies that deploy/ gives are enough for what they are for, and no more', async () => {
  const read = (name: string) => readFileSync(new URL(`../../../deploy/iam/aws/${name}.json`, import.meta.url), 'utf8')
  const values = {
    signing_key_arns: [STELLAR],
    wrapping_key_arns: [WRAPPING],
    addresses: [CONTEXT.pubkey],
    network: CONTEXT.network,
    signing_algorithm: 'ED25519_SHA_512',
    message_type: 'RAW',
  }
  const policies = ['signer-native', 'signer-decrypt', 'signer-boundary'].map(name =>
    JSON.parse(rendered(read(name), values)),
  )
  const kms = await begin({ policies })
  const findings = await examine(config(kms), [ALL[0]!, ALL[2]!])
  assert.deepEqual(
    bad(findings).filter(({ check }) => check !== 'key'),
    [],
  )
  // Without a row to ask with, the made-up context is rightly refused, and it is said that it was made up.
  const [asked] = (await examine(config(kms), [{ reference: WRAPPING, use: 'unwrap' }])).filter(
    ({ outcome }) => outcome === 'failed',
  )
  assert.match(asked?.meaning ?? '', /asked with a made-up context/)
  assert.equal(asked?.permission, 'kms:Decrypt')
})

test('M-72 rights that are too many are warned of, each with the condition that narrows it', async () => {
  const kms = await begin({ allow: [{ actions: ['kms:*'] }] })
  const findings = await examine(config(kms), ALL.slice(0, 3))
  assert.deepEqual(brief(bad(findings)), [
    'permission warning kms:Sign 1',
    'permission warning kms:Sign 2',
    'permission warning kms:Decrypt 3',
    'permission warning kms:Encrypt 3',
  ])
  const [ed, ec, open, wrap] = bad(findings)
  assert.match(ed?.fix ?? '', /"kms:SigningAlgorithm":"ED25519_SHA_512","kms:MessageType":"RAW"/)
  assert.match(ec?.fix ?? '', /"kms:SigningAlgorithm":"ECDSA_SHA_256","kms:MessageType":"DIGEST"/)
  assert.match(open?.meaning ?? '', /without a context/)
  assert.match(wrap?.meaning ?? '', /may also wrap/)
  // Who imports keys wraps: no warning when the same key is there for that, too.
  const both = await examine(config(kms), [ALL[2]!, ALL[3]!])
  assert.deepEqual(brief(bad(both)), ['permission warning kms:Decrypt 3'])
  assert.deepEqual(findings.find(({ check, reference }) => check === 'key' && reference === WRAPPING)?.facts, {
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    state: 'Enabled',
    arn: WRAPPING,
  })
})

test('an explicit deny is told apart from a missing allow', async () => {
  const kms = await begin({ deny: [{ actions: ['kms:Sign'] }], allow: Object.values(RIGHTS) })
  const finding = only(await examine(config(kms), ONE))
  assert.equal(finding.permission, 'kms:Sign')
  assert.match(finding.meaning ?? '', /^an identity-based policy denies kms:Sign in so many words/)
  assert.match(finding.fix ?? '', /out of the statement with "Effect": "Deny"/)
})

test('the key: disabled, to be deleted, awaiting import, unknown, of another kind, of another scheme, not pinned', async () => {
  const kms = await begin({})
  const keyOf = async (patient: Patient, state?: string) => {
    if (state !== undefined) kms.setKeyState(patient.reference, state)
    const findings = await examine(config(kms), [patient])
    if (state !== undefined) kms.setKeyState(patient.reference, 'Enabled')
    return findings.find(({ check }) => check === 'key')!
  }
  const disabled = await keyOf(ALL[0]!, 'Disabled')
  assert.deepEqual([disabled.outcome, disabled.facts?.['state']], ['failed', 'Disabled'])
  assert.equal(disabled.fix, `aws kms enable-key --key-id ${STELLAR}`)
  assert.match((await keyOf(ALL[0]!, 'PendingImport')).fix ?? '', /get-parameters-for-import/)
  assert.match((await keyOf(ALL[0]!, 'Unavailable')).meaning ?? '', /does nothing/)
  assert.match((await keyOf(ALL[2]!, 'Disabled')).fix ?? '', /enable-key/)
  const unknown = await keyOf({ reference: arn(9), use: 'sign' })
  assert.match(unknown.vendorError ?? '', /^NotFoundException: Key '.*' does not exist$/)
  assert.match(unknown.fix ?? '', /the ARN is of us-east-1/)
  assert.equal((await keyOf({ reference: arn(9), use: 'unwrap' })).outcome, 'failed')
  assert.match((await keyOf({ reference: 'arn:aws:s3:::x', use: 'sign' })).meaning ?? '', /cannot read the reference/)
  const rsa = await keyOf({ reference: arn(4), use: 'sign' })
  assert.match(rsa.meaning ?? '', /another KeySpec/)
  assert.match((await keyOf({ reference: STELLAR, use: 'unwrap' })).meaning ?? '', /no key for wrapping/)
  assert.match((await keyOf({ reference: WRAPPING, use: 'sign' })).meaning ?? '', /another kind/)
  const crossed = await keyOf({ reference: EVM, use: 'sign', scheme: 'ed25519' })
  assert.match(crossed.meaning ?? '', /is for ecdsa-secp256k1, and the binding says ed25519/)
  const alias = await keyOf({ reference: 'alias/treasury', use: 'sign' })
  assert.deepEqual([alias.outcome, alias.fix], ['warning', `pin ${STELLAR}`])
})

test('a key whose state forbids it: rights are still told apart from state', async () => {
  const kms = await begin()
  kms.setKeyState(STELLAR, 'Disabled')
  const findings = await examine(config(kms), ONE)
  assert.deepEqual(brief(bad(findings)), ['key failed 1', 'permission skipped kms:Sign 1'])
  assert.equal(findings.find(({ permission }) => permission === 'kms:GetPublicKey')?.outcome, 'ok')
})

test('without kms:GetPublicKey and without a scheme the right algorithm is found by asking', async () => {
  const kms = await begin({ allow: [EVM_SIGN] })
  const findings = await examine(config(kms), [{ reference: EVM, use: 'sign' }])
  assert.deepEqual(brief(findings.slice(3, -1)), [
    'key skipped 2',
    'permission failed kms:GetPublicKey 2',
    'permission ok kms:Sign 2',
  ])
})

test('R-14 reachable: name, connection, TLS, redirect and silence are told apart, and the rest is skipped', async () => {
  const kms = await begin()
  const gone = await begin()
  await gone.close()
  const of = async (settings: AwsKmsConfig, more = {}) => {
    const findings = await examine(settings, ONE, more)
    assert.deepEqual(brief(findings.slice(1)), [
      'clock skipped',
      'credentials skipped',
      'key skipped',
      'permission skipped',
      'latency skipped',
    ])
    return findings[0]!
  }
  const name = await of(config(kms, { endpoint: 'https://kms.nowhere.invalid' }))
  assert.equal(name.facts?.['stage'], 'name')
  assert.match(name.fix ?? '', /getent hosts kms\.nowhere\.invalid/)
  const closed = await of(config(gone))
  assert.equal(closed.facts?.['stage'], 'connection')
  assert.match(closed.fix ?? '', /nc -vz 127\.0\.0\.1 \d+/)
  const plain = await of(config(kms, { endpoint: kms.aws.replace('http:', 'https:') }))
  assert.ok(['tls', 'answer'].includes(String(plain.facts?.['stage'])), JSON.stringify(plain))
  const fetchOf = (answer: () => Response) => ({ fetch: async () => answer() })
  const redirect = await of(
    config(kms),
    fetchOf(() => new Response(null, { status: 302, headers: { location: 'https://x' } })),
  )
  assert.match(redirect.meaning ?? '', /redirect/)
  const silent = await of(config(kms), { signal: AbortSignal.abort(new Error('deadline')) })
  assert.match(silent.meaning ?? '', /no answer came in time/)
})

test('something that is not AWS KMS answers', async () => {
  const kms = await begin()
  const fetch: Fetch = async (url, init) => {
    const answer = await globalThis.fetch(url, init)
    const headers = new Headers(answer.headers)
    headers.delete('x-amzn-requestid')
    return new Response(await answer.arrayBuffer(), { status: answer.status, headers })
  }
  const [first] = await examine(config(kms), ONE, { fetch })
  assert.deepEqual([first?.check, first?.outcome], ['reachable', 'warning'])
})

test('the clock: fine, off, and too far off for AWS', async () => {
  const kms = await begin()
  const at = async (offsetMs: number) => {
    const { clock } = providerWorld()
    const world = { clock: { ...clock, now: () => Date.now() + offsetMs } }
    return (await examine(config(kms), ONE, { world })).find(({ check }) => check === 'clock')!
  }
  const near = (value: unknown, wanted: number) => assert.ok(Math.abs(Number(value) - wanted) < 3_000, String(value))
  const fine = await at(0)
  assert.equal(fine.outcome, 'ok')
  near(fine.facts?.['offsetMs'], 0)
  const off = await at(90_000)
  assert.equal(off.outcome, 'warning')
  near(off.facts?.['offsetMs'], 90_000)
  const far = await at(-400_000)
  assert.equal(far.outcome, 'failed')
  assert.match(far.meaning ?? '', /clock is (399|400|401) seconds behind/)
  assert.match(far.fix ?? '', /timedatectl set-ntp true/)
  const undated: Fetch = async (url, init) => {
    const answer = await globalThis.fetch(url, init)
    const headers = new Headers(answer.headers)
    headers.delete('date')
    return new Response(await answer.arrayBuffer(), { status: answer.status, headers })
  }
  const none = await examine(config(kms), ONE, { fetch: undated })
  assert.equal(none.find(({ check }) => check === 'clock')?.outcome, 'skipped')
})

test('credentials: refused role, no credentials, not accepted, STS out of reach', async () => {
  const kms = await begin({ trust: { externalId: 'x1' } })
  const of = async (settings: AwsKmsConfig, world: Partial<ProviderWorld> = {}) =>
    (await examine(settings, ONE, { world })).find(({ check }) => check === 'credentials')!
  const role = await of(config(kms))
  assert.equal(role.outcome, 'failed')
  assert.equal(
    role.vendorError,
    `AccessDenied: User: arn:aws:iam::${ACCOUNT}:user/base is not authorized to perform: sts:AssumeRole on resource: ${SIGNER}`,
  )
  assert.match(role.fix ?? '', /allow these credentials sts:AssumeRole on arn:aws:iam::000000000000:role\/signer/)
  const file = await of(
    config(kms, {
      accessKeyId: undefined,
      secretAccessKey: undefined,
      webIdentityTokenFile: '/nowhere/token',
    }),
  )
  assert.match(file.meaning ?? '', /cannot be read/)
  assert.match(file.vendorError ?? '', /ENOENT/)
  const wrong = await of(config(kms, { roleArn: undefined, secretAccessKey: new Secret('wrong', 'secret') }))
  assert.match(wrong.vendorError ?? '', /^SignatureDoesNotMatch: /)
  assert.match(wrong.fix ?? '', /aws iam create-access-key/)
  const gone = await begin()
  await gone.close()
  const settings = config(kms, { roleArn: undefined, stsEndpoint: gone.aws })
  assert.equal((await of(settings)).outcome, 'warning')
  const local = await of(config(kms, { roleArn: undefined, stsEndpoint: undefined }))
  assert.deepEqual([local.outcome, local.facts?.['source']], ['skipped', 'static keys'])
})

test('no credentials anywhere: the sources that were looked at and every way to give some', async () => {
  const kms = await begin()
  const names = ['AWS_EC2_METADATA_DISABLED', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE', 'AWS_ACCESS_KEY_ID']
  const kept = names.map(name => [name, process.env[name]] as const)
  for (const name of names) process.env[name] = '/nowhere'
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
  delete process.env['AWS_ACCESS_KEY_ID']
  try {
    const settings = config(kms, { accessKeyId: undefined, secretAccessKey: undefined, roleArn: undefined })
    const findings = await examine(settings, ONE, { world: { environment: 'production' } })
    const finding = findings.find(({ check }) => check === 'credentials')!
    assert.match(finding.meaning ?? '', /looked at environment, shared files, SSO/)
    assert.match(finding.fix ?? '', /instance profile or a service account/)
    const unknown = config(kms, { ...settings, profile: 'absent' })
    const [, , profile] = await examine(unknown, ONE)
    assert.match(profile?.fix ?? '', /aws sts get-caller-identity --profile absent/)
  } finally {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
})

test('a service that knows no dry run of this kind, or none at all', async () => {
  const kms = await begin()
  const message = "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint"
  kms.addFaults({ operation: 'Decrypt', times: 0, fault: { kind: 'error', name: 'ValidationException', message } })
  const decrypt = (await examine(config(kms), [ALL[2]!])).find(({ permission }) => permission === 'kms:Decrypt')!
  assert.equal(decrypt.outcome, 'skipped')
  assert.match(decrypt.meaning ?? '', /IGNORE_CIPHERTEXT/)
  kms.clearFaults()
  const deaf: Fetch = async (url, init) => {
    const body = await new Response(init.body ?? '').text()
    return globalThis.fetch(url, { ...init, body: body.replace('"DryRun":true', '"DryRun":null') })
  }
  const off = await begin(undefined, { sigv4: 'off' })
  const signed = (await examine(config(off), ONE, { fetch: deaf })).find(({ permission }) => permission === 'kms:Sign')!
  assert.equal(signed.outcome, 'skipped')
  assert.match(signed.meaning ?? '', /did what it was only to check/)
})

test('trouble on the way is no verdict on rights', async () => {
  const kms = await begin()
  kms.addFaults({ operation: 'Sign', times: 0, fault: { kind: 'error', name: 'ThrottlingException' } })
  const finding = only(await examine(config(kms), ONE))
  assert.deepEqual([finding.permission, finding.outcome], ['kms:Sign', 'skipped'])
  assert.match(finding.meaning ?? '', /throttling/)
  kms.clearFaults()
  kms.addFaults({ operation: 'GetPublicKey', times: 0, fault: { kind: 'status', status: 503 } })
  const findings = await examine(config(kms), ONE)
  assert.deepEqual(brief(bad(findings)), ['key failed 1', 'permission skipped kms:GetPublicKey 1', 'latency skipped'])
})

test('nobody to examine: the connection and the identity are looked at all the same', async () => {
  const kms = await begin()
  assert.deepEqual(brief(await examine(config(kms), [])), [
    'reachable ok',
    'clock ok',
    'credentials ok',
    'latency skipped',
  ])
})

test('T51 what AWS says of a signature it refuses is told without the session token it repeats', () => {
  const message = `The request signature we calculated does not match. The Canonical String for this request should have been
'POST\n/\n\nhost:kms.us-east-1.amazonaws.com\nx-amz-security-token:canary/session+token==\nx-amz-target:TrentService.Sign\n'`
  const { vendorError = '' } = vendorErrorOf(Object.assign(new Error(message), { name: 'InvalidSignatureException' }))
  assert.ok(!vendorError.includes('canary') && vendorError.includes('x-amz-target:TrentService.Sign'), vendorError)
})
