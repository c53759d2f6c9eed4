import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  GetKeyRotationStatusCommand,
  GetPublicKeyCommand,
  type KeySpec,
  type KeyUsageType,
  ListAliasesCommand,
  ListKeyPoliciesCommand,
  ListKeyRotationsCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  PutKeyPolicyCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateKeyDescriptionCommand,
  paginateListKeys,
} from '@aws-sdk/client-kms'
import { virtualClock } from '../../local-kms/index.ts'
import { bytes, createKey, failure, start } from './support.ts'

const DAY = 86_400_000
const clock = virtualClock(Date.now())
const { client, kms } = await start({ clock })

const describe = async (KeyId: string) => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata!

test('local-kms CreateKey: KeyMetadata is complete and DescribeKey repeats it', async () => {
  const answer = await client.send(new CreateKeyCommand({ Description: 'd', Tags: [{ TagKey: 'a', TagValue: '' }] }))
  const { KeyId, Arn, CreationDate, CurrentKeyMaterialId, ...rest } = answer.KeyMetadata!
  assert.match(KeyId!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(Arn, `arn:aws:kms:us-east-1:000000000000:key/${KeyId}`)
  assert.equal(CreationDate!.getTime(), clock.now())
  assert.match(CurrentKeyMaterialId!, /^[0-9a-f]{64}$/)
  assert.deepEqual(rest, {
    AWSAccountId: '000000000000',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    Description: 'd',
    Enabled: true,
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    KeyManager: 'CUSTOMER',
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyState: 'Enabled',
    KeyUsage: 'ENCRYPT_DECRYPT',
    MultiRegion: false,
    Origin: 'AWS_KMS',
  })
  assert.deepEqual(await describe(Arn), answer.KeyMetadata)
})

const SPECS: [KeySpec, KeyUsageType, Record<string, unknown>][] = [
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', { SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'] }],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY', { SigningAlgorithms: ['ECDSA_SHA_256'] }],
  ['ECC_NIST_P256', 'SIGN_VERIFY', { SigningAlgorithms: ['ECDSA_SHA_256'] }],
  ['RSA_2048', 'ENCRYPT_DECRYPT', { EncryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] }],
  ['HMAC_256', 'GENERATE_VERIFY_MAC', { MacAlgorithms: ['HMAC_SHA_256'] }],
]
for (const [KeySpec, KeyUsage, algorithms] of SPECS) {
  test(`local-kms CreateKey ${KeySpec}: lists its algorithms and no others`, async () => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage }))
    const { EncryptionAlgorithms, SigningAlgorithms, MacAlgorithms } = KeyMetadata!
    const listed = Object.entries({ EncryptionAlgorithms, SigningAlgorithms, MacAlgorithms }).filter(([, v]) => v)
    assert.deepEqual(Object.fromEntries(listed), algorithms)
    assert.ok(!('CurrentKeyMaterialId' in KeyMetadata!))
  })
}

test('local-kms CreateKey: usages that do not fit, missing usage and specs that are not played are refused', async () => {
  const refused = async (input: object) => failure(client.send(new CreateKeyCommand(input)))
  const missing = await refused({ KeySpec: 'ECC_NIST_EDWARDS25519' })
  assert.equal(
    missing.message,
    'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
  )
  for (const input of [
    { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'ENCRYPT_DECRYPT' },
    { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'KEY_AGREEMENT' },
    { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'HMAC_256', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
  ]) {
    assert.equal((await refused(input)).name, 'ValidationException', JSON.stringify(input))
  }
  for (const input of [
    { KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
    { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId: 'cks-1' },
  ]) {
    assert.equal((await refused(input)).name, 'UnsupportedOperationException', JSON.stringify(input))
  }
  assert.equal((await refused({ Policy: 'x' })).name, 'MalformedPolicyDocumentException')
  assert.equal((await refused({ Policy: '{}' })).name, 'MalformedPolicyDocumentException')
})

test('local-kms CreateKey: the older CustomerMasterKeySpec and MultiRegion are understood', async () => {
  const old = await client.send(
    new CreateKeyCommand({ CustomerMasterKeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
  )
  assert.equal(old.KeyMetadata!.KeySpec, 'ECC_NIST_P256')
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ MultiRegion: true }))
  assert.match(KeyMetadata!.KeyId!, /^mrk-[0-9a-f]{32}$/)
  assert.deepEqual(KeyMetadata!.MultiRegionConfiguration, {
    MultiRegionKeyType: 'PRIMARY',
    PrimaryKey: { Arn: KeyMetadata!.Arn, Region: 'us-east-1' },
    ReplicaKeys: [],
  })
})

test('local-kms key ids: id, ARN, alias and alias ARN all lead to the key; what does not exist says so in the service’s words', async () => {
  const { id, arn } = await createKey(client)
  await client.send(new CreateAliasCommand({ AliasName: 'alias/ways', TargetKeyId: arn }))
  const aliasArn = 'arn:aws:kms:us-east-1:000000000000:alias/ways'
  for (const KeyId of [id, arn, 'alias/ways', aliasArn]) assert.equal((await describe(KeyId)).Arn, arn)
  const absent = '12345678-1234-1234-1234-123456789012'
  const cases: [string, string, string][] = [
    [absent, 'NotFoundException', `Key 'arn:aws:kms:us-east-1:000000000000:key/${absent}' does not exist`],
    [arn.replace(id, absent), 'NotFoundException', `Key '${arn.replace(id, absent)}' does not exist`],
    ['fake-key-id', 'NotFoundException', "Invalid keyId 'fake-key-id'"],
    ['alias/no', 'NotFoundException', 'Alias arn:aws:kms:us-east-1:000000000000:alias/no is not found.'],
    [aliasArn.replace('ways', 'no'), 'NotFoundException', `Alias ${aliasArn.replace('ways', 'no')} is not found.`],
    [arn.replace('us-east-1', 'ap-southeast-1'), 'NotFoundException', 'Invalid arn ap-southeast-1'],
    ['arn:aws:s3:::bucket', 'InvalidArnException', 'Invalid arn arn:aws:s3:::bucket'],
  ]
  for (const [KeyId, name, message] of cases) {
    assert.deepEqual(await failure(describe(KeyId)), { name, message, status: 400 })
  }
  // Management operations take no alias
  const managed = await failure(client.send(new DisableKeyCommand({ KeyId: 'alias/ways' })))
  assert.equal(managed.name, 'NotFoundException')
})

test('local-kms deletion: 7 to 30 days on the clock, 30 by default; cancelled keys are Disabled; afterwards the key and its aliases are gone', async () => {
  const { id, arn } = await createKey(client)
  await client.send(new CreateAliasCommand({ AliasName: 'alias/doomed', TargetKeyId: id }))
  for (const PendingWindowInDays of [0, 6, 31, 366]) {
    const refused = await failure(client.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays })))
    assert.equal(refused.name, 'ValidationException', String(PendingWindowInDays))
  }
  const scheduled = await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }))
  assert.equal(scheduled.KeyId, arn)
  assert.equal(scheduled.PendingWindowInDays, 30)
  assert.equal(scheduled.KeyState, 'PendingDeletion')
  assert.equal(scheduled.DeletionDate!.getTime(), clock.now() + 30 * DAY)
  assert.equal((await describe(id)).DeletionDate!.getTime(), scheduled.DeletionDate!.getTime())
  const twice = await failure(client.send(new ScheduleKeyDeletionCommand({ KeyId: id })))
  assert.deepEqual([twice.name, twice.message], ['KMSInvalidStateException', `${arn} is pending deletion.`])

  assert.equal((await client.send(new CancelKeyDeletionCommand({ KeyId: id }))).KeyId, arn)
  const cancelled = await describe(id)
  assert.deepEqual([cancelled.KeyState, cancelled.Enabled, cancelled.DeletionDate], ['Disabled', false, undefined])
  const again = await failure(client.send(new CancelKeyDeletionCommand({ KeyId: id })))
  assert.equal(again.message, `${arn} is not pending deletion.`)

  await client.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: 7 }))
  await clock.advance(7 * DAY - 1)
  assert.equal((await describe('alias/doomed')).KeyState, 'PendingDeletion')
  await clock.advance(1)
  assert.equal((await failure(describe(id))).message, `Key '${arn}' does not exist`)
  assert.equal((await failure(describe('alias/doomed'))).name, 'NotFoundException')
  const { Keys } = await client.send(new ListKeysCommand({ Limit: 1000 }))
  assert.ok(!Keys!.some(key => key.KeyId === id))
})

test('local-kms states: management refuses what the state table refuses', async () => {
  const pending = await createKey(client)
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: pending.id, PendingWindowInDays: 7 }))
  const KeyId = pending.id
  for (const command of [
    new EnableKeyCommand({ KeyId }),
    new DisableKeyCommand({ KeyId }),
    new UpdateKeyDescriptionCommand({ KeyId, Description: '' }),
    new TagResourceCommand({ KeyId, Tags: [] }),
    new UntagResourceCommand({ KeyId, TagKeys: [] }),
    new CreateAliasCommand({ AliasName: 'alias/late', TargetKeyId: KeyId }),
    new EnableKeyRotationCommand({ KeyId }),
    new RotateKeyOnDemandCommand({ KeyId }),
  ]) {
    const refused = await failure(client.send(command as EnableKeyCommand))
    assert.deepEqual(
      [refused.name, refused.message],
      ['KMSInvalidStateException', `${pending.arn} is pending deletion.`],
    )
  }
  const importing = await createKey(client, { Origin: 'EXTERNAL' })
  const enable = await failure(client.send(new EnableKeyCommand({ KeyId: importing.id })))
  assert.equal(enable.message, `${importing.arn} is pending import.`)
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: importing.id }))
  await client.send(new CancelKeyDeletionCommand({ KeyId: importing.id }))
  assert.equal((await describe(importing.id)).KeyState, 'PendingImport')
})

test('local-kms Enable and Disable: both are repeatable and answer without a body', async () => {
  const { id } = await createKey(client)
  for (const [command, state] of [
    [DisableKeyCommand, 'Disabled'],
    [EnableKeyCommand, 'Enabled'],
  ] as const) {
    await client.send(new command({ KeyId: id }))
    await client.send(new command({ KeyId: id }))
    assert.equal((await describe(id)).KeyState, state)
  }
  await client.send(new UpdateKeyDescriptionCommand({ KeyId: id, Description: 'new' }))
  assert.equal((await describe(id)).Description, 'new')
})

test('local-kms ListKeys: pages by Marker, every key once, a made-up marker is InvalidMarkerException', async () => {
  const { client } = await start()
  const made = new Set<string>()
  for (let i = 0; i < 7; i++) made.add((await createKey(client)).arn)
  const seen: string[] = []
  const sizes: number[] = []
  for await (const page of paginateListKeys({ client, pageSize: 3 }, {})) {
    sizes.push(page.Keys!.length)
    seen.push(...page.Keys!.map(key => key.KeyArn!))
  }
  assert.deepEqual(sizes, [3, 3, 1])
  assert.deepEqual(new Set(seen), made)
  assert.equal(seen.length, 7)
  const last = await client.send(new ListKeysCommand({}))
  assert.deepEqual([last.Truncated, last.NextMarker], [false, undefined])
  const refused = await failure(client.send(new ListKeysCommand({ Marker: 'nonsense' })))
  assert.deepEqual([refused.name, refused.status], ['InvalidMarkerException', 400])
})

test('local-kms tags: set, overwrite, remove, page; doubles, reserved names and more than 50 are TagException', async () => {
  const { id } = await createKey(client)
  const list = async (input: object = {}) => client.send(new ListResourceTagsCommand({ KeyId: id, ...input }))
  const tag = async (...names: string[]) =>
    client.send(new TagResourceCommand({ KeyId: id, Tags: names.map(TagKey => ({ TagKey, TagValue: 'v' })) }))
  await tag('b', 'a', 'c')
  await client.send(new TagResourceCommand({ KeyId: id, Tags: [{ TagKey: 'a', TagValue: '2' }] }))
  await client.send(new UntagResourceCommand({ KeyId: id, TagKeys: ['c', 'never'] }))
  assert.deepEqual((await list()).Tags, [
    { TagKey: 'a', TagValue: '2' },
    { TagKey: 'b', TagValue: 'v' },
  ])
  const first = await list({ Limit: 1 })
  assert.deepEqual([first.Truncated, first.Tags!.length], [true, 1])
  assert.equal((await list({ Limit: 1, Marker: first.NextMarker })).Tags![0]!.TagKey, 'b')
  assert.equal((await failure(tag('x', 'x'))).message, 'Duplicate tag keys')
  assert.equal((await failure(tag('AWS:x'))).name, 'TagException')
  const many = await failure(tag(...Array.from({ length: 49 }, (_, i) => `n${i}`)))
  assert.equal(many.message, 'Too many tags')
  assert.equal((await list()).Tags!.length, 2)
})

test('local-kms policies: the default one, a new one, no other name', async () => {
  const { id } = await createKey(client)
  const get = async (PolicyName?: string) => client.send(new GetKeyPolicyCommand({ KeyId: id, PolicyName }))
  const before = JSON.parse((await get()).Policy!) as { Statement: { Action: string }[] }
  assert.equal(before.Statement[0]!.Action, 'kms:*')
  const Policy = '{"Version":"2012-10-17","Statement":[]}'
  await client.send(new PutKeyPolicyCommand({ KeyId: id, PolicyName: 'default', Policy }))
  assert.equal((await get('default')).Policy, Policy)
  assert.equal((await failure(get('other'))).name, 'NotFoundException')
  const put = await failure(client.send(new PutKeyPolicyCommand({ KeyId: id, PolicyName: 'other', Policy })))
  assert.equal(put.name, 'UnsupportedOperationException')
  const { PolicyNames } = await client.send(new ListKeyPoliciesCommand({ KeyId: id }))
  assert.deepEqual(PolicyNames, ['default'])
})

test('local-kms aliases: create, list, move, delete, with the refusals of each', async () => {
  const one = await createKey(client)
  const two = await createKey(client)
  const signer = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const create = async (AliasName: string, TargetKeyId = one.id) =>
    client.send(new CreateAliasCommand({ AliasName, TargetKeyId }))
  const move = async (AliasName: string, TargetKeyId: string) =>
    client.send(new UpdateAliasCommand({ AliasName, TargetKeyId }))
  const remove = async (AliasName: string) => client.send(new DeleteAliasCommand({ AliasName }))
  const arnOf = (name: string) => `arn:aws:kms:us-east-1:000000000000:${name}`
  await create('alias/one')
  await create('alias/two')
  const { Aliases } = await client.send(new ListAliasesCommand({ KeyId: one.id }))
  assert.deepEqual(
    Aliases!.map(alias => [alias.AliasName, alias.AliasArn, alias.TargetKeyId]),
    ['alias/one', 'alias/two'].map(name => [name, arnOf(name), one.id]),
  )
  assert.ok(Aliases![0]!.CreationDate instanceof Date && Aliases![0]!.LastUpdatedDate instanceof Date)
  await move('alias/one', two.arn)
  assert.equal((await describe('alias/one')).Arn, two.arn)
  await remove('alias/two')

  const refusals: [Promise<unknown>, string, string | undefined][] = [
    [create('alias/one'), 'AlreadyExistsException', `An alias with the name ${arnOf('alias/one')} already exists`],
    [create('one'), 'ValidationException', undefined],
    [create('alias/a b'), 'ValidationException', undefined],
    [create('alias/a:b'), 'InvalidAliasNameException', undefined],
    [create('alias/aws/s3'), 'NotAuthorizedException', undefined],
    [create('alias/x', '12345678-1234-1234-1234-123456789012'), 'NotFoundException', undefined],
    [move('alias/two', one.id), 'NotFoundException', `Alias ${arnOf('alias/two')} is not found.`],
    [remove('alias/two'), 'NotFoundException', `Alias ${arnOf('alias/two')} is not found.`],
    [move('alias/one', signer.id), 'ValidationException', undefined],
  ]
  for (const [call, name, message] of refusals) {
    const refused = await failure(call)
    assert.equal(refused.name, name)
    assert.equal(refused.status, 400)
    if (message !== undefined) assert.equal(refused.message, message)
  }
  for (let i = 0; i < 50; i++) await create(`alias/many-${i}`, signer.id)
  assert.equal((await failure(create('alias/many-50', signer.id))).name, 'LimitExceededException')
  assert.equal((await failure(move('alias/one', signer.id))).name, 'ValidationException')
})

test('local-kms aliases: with a lag, readers see the old state for so long while writers see the new one', async () => {
  const lagging = virtualClock(Date.now())
  const { client } = await start({ clock: lagging, aliasLagMs: 1000 })
  const one = await createKey(client)
  const two = await createKey(client)
  const target = async () => (await client.send(new DescribeKeyCommand({ KeyId: 'alias/slow' }))).KeyMetadata!.KeyId
  await client.send(new CreateAliasCommand({ AliasName: 'alias/slow', TargetKeyId: one.id }))
  assert.equal((await failure(target())).name, 'NotFoundException')
  const twice = client.send(new CreateAliasCommand({ AliasName: 'alias/slow', TargetKeyId: one.id }))
  assert.equal((await failure(twice)).name, 'AlreadyExistsException')
  await lagging.advance(1000)
  assert.equal(await target(), one.id)
  await client.send(new UpdateAliasCommand({ AliasName: 'alias/slow', TargetKeyId: two.id }))
  assert.equal(await target(), one.id)
  await lagging.advance(1000)
  assert.equal(await target(), two.id)
  await client.send(new DeleteAliasCommand({ AliasName: 'alias/slow' }))
  assert.equal(await target(), two.id)
  await lagging.advance(1000)
  assert.equal((await failure(target())).name, 'NotFoundException')
})

test('local-kms rotation: on demand and by date; old ciphertext still opens, new one names the new material', async () => {
  const { id, arn } = await createKey(client)
  const encrypt = async () =>
    (await client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }))).CiphertextBlob!
  const materialOf = async (CiphertextBlob: Uint8Array) =>
    (await client.send(new DecryptCommand({ CiphertextBlob }))).KeyMaterialId
  const first = await encrypt()
  await client.send(new RotateKeyOnDemandCommand({ KeyId: id }))
  const second = await encrypt()
  await client.send(new EnableKeyRotationCommand({ KeyId: id, RotationPeriodInDays: 90 }))
  const status = await client.send(new GetKeyRotationStatusCommand({ KeyId: id }))
  assert.deepEqual([status.KeyRotationEnabled, status.RotationPeriodInDays, status.KeyId], [true, 90, arn])
  assert.equal(status.NextRotationDate!.getTime(), clock.now() + 90 * DAY)
  await clock.advance(181 * DAY)
  const fourth = await encrypt()
  const ids = [await materialOf(first), await materialOf(second), await materialOf(fourth)]
  assert.equal(new Set(ids).size, 3)
  assert.equal((await describe(id)).CurrentKeyMaterialId, ids[2])
  const { Rotations } = await client.send(new ListKeyRotationsCommand({ KeyId: id }))
  assert.deepEqual(
    Rotations!.map(r => r.RotationType),
    ['ON_DEMAND', 'AUTOMATIC', 'AUTOMATIC'],
  )
  const all = await client.send(new ListKeyRotationsCommand({ KeyId: id, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }))
  assert.deepEqual(all.Rotations!.map(r => r.KeyMaterialState).slice(-2), ['NON_CURRENT', 'CURRENT'])
  assert.equal(all.Rotations!.length, 4)
  await client.send(new DisableKeyRotationCommand({ KeyId: id }))
  assert.equal((await client.send(new GetKeyRotationStatusCommand({ KeyId: id }))).KeyRotationEnabled, false)

  const signer = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const refused = await failure(client.send(new EnableKeyRotationCommand({ KeyId: signer.id })))
  assert.equal(refused.name, 'UnsupportedOperationException')
  for (let i = 0; i < 24; i++) await client.send(new RotateKeyOnDemandCommand({ KeyId: id }))
  assert.equal((await failure(client.send(new RotateKeyOnDemandCommand({ KeyId: id })))).name, 'LimitExceededException')
})

const STATES = [
  ['Disabled', 'DisabledException', 'is disabled.'],
  ['PendingImport', 'KMSInvalidStateException', 'is pending import.'],
  ['Unavailable', 'KMSInvalidStateException', 'is unavailable.'],
  ['Creating', 'KMSInvalidStateException', 'is creating.'],
] as const

test('local-kms key states: every cryptographic call and GetPublicKey refuse as in A.3, DescribeKey works', async () => {
  const signer = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const sealer = await createKey(client)
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: sealer.id, Plaintext: bytes('x') }))
  const calls = (): [string, Promise<unknown>][] => [
    [
      signer.arn,
      client.send(new SignCommand({ KeyId: signer.id, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512' })),
    ],
    [signer.arn, client.send(new GetPublicKeyCommand({ KeyId: signer.id }))],
    [sealer.arn, client.send(new EncryptCommand({ KeyId: sealer.id, Plaintext: bytes('x') }))],
    [sealer.arn, client.send(new DecryptCommand({ CiphertextBlob }))],
  ]
  for (const [state, name, words] of STATES) {
    for (const { id } of [signer, sealer]) kms.setKeyState(id, state)
    for (const [arn, call] of calls()) {
      assert.deepEqual(await failure(call), { name, message: `${arn} ${words}`, status: 400 })
    }
    assert.equal((await describe(signer.id)).KeyState, state)
    assert.equal((await describe(signer.id)).Enabled, false)
  }
  for (const { id } of [signer, sealer]) kms.setKeyState(id, 'Enabled')
  for (const { id } of [signer, sealer]) await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }))
  for (const [arn, call] of calls()) {
    const message = `${arn} is pending deletion.`
    assert.deepEqual(await failure(call), { name: 'KMSInvalidStateException', message, status: 400 })
  }
})
