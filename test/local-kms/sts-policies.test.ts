/** The IAM that local-kms plays: the operators and condition keys that policies for signing keys use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  type KMSClient,
  ReEncryptCommand,
  SignCommand,
} from '@aws-sdk/client-kms'
import { decide, fits, type PolicyDocument } from '../../local-kms/aws/policy.ts'
import { type SeedDocument, startLocalKms } from '../../local-kms/index.ts'
import { bytes, clientOf, failure, start } from './support.ts'

const SIGN = 'arn:aws:kms:us-east-1:000000000000:key/11111111-1111-4111-8111-111111111111'
const WRAP = 'arn:aws:kms:us-east-1:000000000000:key/33333333-3333-4333-8333-333333333333'
const keys: NonNullable<SeedDocument['keys']> = [
  { arn: SIGN, spec: 'ECC_NIST_EDWARDS25519', aliases: ['alias/pay'] },
  { arn: WRAP, spec: 'SYMMETRIC_DEFAULT' },
]

type Conditions = Record<string, Record<string, string | string[]>>

/** A client whose only statement is this one. */
async function may(actions: string[], conditions: Conditions, resources?: string[]): Promise<KMSClient> {
  const allow = [{ actions, conditions, ...(resources === undefined ? {} : { resources }) }]
  const { client } = await start({
    seed: { version: 1, credentials: [{ accessKeyId: 'test', secretAccessKey: 'test', allow }], keys: [...keys] },
  })
  return client
}

const denied = async (call: Promise<unknown>) => assert.equal((await failure(call)).name, 'AccessDeniedException')
const dry = async (call: Promise<unknown>) => assert.equal((await failure(call)).name, 'DryRunOperationException')
const sign = (more: object = {}) =>
  new SignCommand({ KeyId: SIGN, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512', ...more })
const encrypt = (EncryptionContext?: Record<string, string>) =>
  new EncryptCommand({
    KeyId: WRAP,
    Plaintext: bytes('x'),
    ...(EncryptionContext === undefined ? {} : { EncryptionContext }),
    DryRun: true,
  })

test('patterns: any text, any character, exact else; linear on hostile ones', () => {
  const rows: [string, string, boolean][] = [
    ['kms:Sign', 'kms:Sign', true],
    ['kms:Sign', 'kms:SignX', false],
    ['kms:*', 'kms:Sign', true],
    ['kms:*Key', 'kms:GetPublicKey', true],
    ['kms:*Key', 'kms:GetPublicKeys', false],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['**', 'anything', true],
  ]
  for (const [pattern, text, wanted] of rows) assert.equal(fits(pattern, text), wanted, `${pattern} ${text}`)
  const from = performance.now()
  assert.equal(fits('*a'.repeat(50), 'a'.repeat(2_000) + 'b'), false)
  assert.ok(performance.now() - from < 500)
})

test('kms:SigningAlgorithm and kms:MessageType, with RAW where the request names none', async () => {
  const client = await may(['kms:Sign'], {
    StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'KMS:MESSAGETYPE': ['RAW', 'X'] },
  })
  assert.ok((await client.send(sign())).Signature)
  await client.send(sign({ MessageType: 'RAW' }))
  await denied(
    client.send(sign({ SigningAlgorithm: 'ED25519_PH_SHA_512', MessageType: 'DIGEST', Message: new Uint8Array(64) })),
  )
})

test('kms:EncryptionContext:<key>, its Null, and every name by ForAllValues', async () => {
  const client = await may(['kms:Encrypt'], {
    StringEquals: { 'kms:EncryptionContext:pubkey': ['G1', 'G2'], 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' },
    Null: { 'kms:EncryptionContext:version': 'false' },
    'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['pubkey', 'version'] },
  })
  await dry(client.send(encrypt({ pubkey: 'G2', version: '1' })))
  await denied(client.send(encrypt({ pubkey: 'G3', version: '1' })))
  await denied(client.send(encrypt({ pubkey: 'G1' })))
  await denied(client.send(encrypt({ pubkey: 'G1', version: '1', more: '1' })))
  await denied(client.send(encrypt()))
  // Values are compared exactly, names are not, as the service does.
  await denied(client.send(encrypt({ pubkey: 'g1', version: '1' })))
})

test('ForAllValues holds of nothing, so a missing context needs Null beside it', async () => {
  const client = await may(['kms:Encrypt'], {
    'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['pubkey'] },
  })
  await dry(client.send(encrypt()))
  await denied(client.send(encrypt({ other: '1' })))
  const any = await may(['kms:Encrypt'], { 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': ['pubkey'] } })
  await denied(any.send(encrypt()))
  await dry(any.send(encrypt({ pubkey: '1', other: '2' })))
})

test('re-encryption needs two rights, each with its side of the context', async () => {
  const { client: admin, kms } = await start({ seed: { version: 1, keys: [...keys] } })
  const EncryptionContext = { pubkey: 'G1' }
  const sealed = await admin.send(new EncryptCommand({ KeyId: WRAP, Plaintext: bytes('x'), EncryptionContext }))
  const move = new ReEncryptCommand({
    CiphertextBlob: sealed.CiphertextBlob,
    SourceEncryptionContext: EncryptionContext,
    DestinationEncryptionContext: { pubkey: 'G2' },
    DestinationKeyId: WRAP,
    DryRun: true,
  })
  const from = {
    actions: ['kms:ReEncryptFrom'],
    conditions: { StringEquals: { 'kms:EncryptionContext:pubkey': 'G1' } },
  }
  const to = { actions: ['kms:ReEncryptTo'], conditions: { StringEquals: { 'kms:EncryptionContext:pubkey': 'G2' } } }
  const as = async (allow: (typeof from)[]) => {
    const other = await startLocalKms({
      seed: { version: 1, credentials: [{ accessKeyId: 'test', secretAccessKey: 'test', allow }], keys: [...keys] },
    })
    other.restore(kms.snapshot())
    try {
      return (await failure(clientOf(other).send(move))).message
    } finally {
      await other.close()
    }
  }
  assert.match(await as([from, to]), /would have succeeded/)
  assert.match(await as([to]), /not authorized to perform: kms:ReEncryptFrom on/)
  assert.match(await as([from]), /not authorized to perform: kms:ReEncryptTo on/)
})

test('key facts: spec, usage, origin, aliases, and the alias that the request names', async () => {
  const create = await may(['kms:CreateKey'], {
    StringEquals: { 'kms:KeyUsage': 'SIGN_VERIFY', 'kms:KeySpec': ['ECC_NIST_EDWARDS25519', 'ECC_SECG_P256K1'] },
    Bool: { 'kms:MultiRegion': 'false' },
  })
  await create.send(new CreateKeyCommand({ KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' }))
  await denied(create.send(new CreateKeyCommand({})))
  await denied(
    create.send(new CreateKeyCommand({ KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY', MultiRegion: true })),
  )
  const bySpec = await may(['kms:DescribeKey'], { StringLike: { 'kms:KeySpec': 'ECC_*' } })
  await bySpec.send(new DescribeKeyCommand({ KeyId: SIGN }))
  await denied(bySpec.send(new DescribeKeyCommand({ KeyId: WRAP })))
  const byAlias = await may(['kms:Sign'], { StringEquals: { 'kms:RequestAlias': 'alias/pay' } })
  await byAlias.send(sign({ KeyId: 'alias/pay' }))
  await byAlias.send(sign({ KeyId: 'arn:aws:kms:us-east-1:000000000000:alias/pay' }))
  await denied(byAlias.send(sign()))
  const byResource = await may(['kms:*'], { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/p*' } })
  await byResource.send(sign())
  await denied(byResource.send(new DescribeKeyCommand({ KeyId: WRAP })))
  await denied(byResource.send(new CreateAliasCommand({ AliasName: 'alias/new', TargetKeyId: WRAP })))
  const pairs = await may(['kms:GenerateDataKey*'], { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_SECG_P256K1' } })
  await dry(pairs.send(new GenerateDataKeyPairCommand({ KeyId: WRAP, KeyPairSpec: 'ECC_SECG_P256K1', DryRun: true })))
  await denied(pairs.send(new GenerateDataKeyCommand({ KeyId: WRAP, KeySpec: 'AES_256' })))
})

test('whole policies as IAM has them: NotAction, NotResource, several documents, a deny in any of them', () => {
  const request = (action: string, resource = SIGN, context: [string, string][] = []) => ({
    action,
    resource,
    context: new Map(context),
  })
  const policies: PolicyDocument[] = [
    {
      Version: '2012-10-17',
      Statement: [
        { Sid: 'All', Effect: 'Allow', NotAction: 'kms:Schedule*', NotResource: [WRAP] },
        { Effect: 'Deny', Action: 'KMS:DISABLE*', Resource: '*' },
      ],
    },
    { Statement: { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: WRAP } },
  ]
  assert.equal(decide({ policies }, request('kms:Sign')), 'allowed')
  assert.equal(decide({ policies }, request('kms:ScheduleKeyDeletion')), 'not allowed')
  assert.equal(decide({ policies }, request('kms:DisableKey')), 'denied')
  assert.equal(decide({ policies }, request('kms:Sign', WRAP)), 'not allowed')
  assert.equal(decide({ policies }, request('kms:Decrypt', WRAP)), 'allowed')
  assert.equal(decide({}, request('kms:Sign')), 'allowed')
  assert.equal(decide({ deny: [{ actions: ['*'] }] }, request('kms:Sign')), 'denied')
  assert.equal(decide({ allow: [] }, request('kms:Sign')), 'not allowed')
})

test('operators with a missing key: the negated ones and IfExists hold, the others do not', () => {
  const holds = (conditions: Conditions, context: [string, string | string[]][] = []) =>
    decide({ allow: [{ actions: ['a'], conditions }] }, { action: 'a', resource: 'r', context: new Map(context) }) ===
    'allowed'
  for (const operator of ['StringEquals', 'StringLike', 'ArnEquals', 'ArnLike', 'Bool', 'StringEqualsIgnoreCase']) {
    assert.equal(holds({ [operator]: { k: 'true' } }), false, operator)
    assert.equal(holds({ [`${operator}IfExists`]: { k: 'true' } }), true, operator)
    assert.equal(holds({ [operator]: { k: 'true' } }, [['k', 'true']]), true, operator)
    assert.equal(holds({ [`${operator}IfExists`]: { k: 'true' } }, [['k', 'no']]), false, operator)
  }
  for (const operator of [
    'StringNotEquals',
    'StringNotLike',
    'ArnNotEquals',
    'ArnNotLike',
    'StringNotEqualsIgnoreCase',
  ]) {
    assert.equal(holds({ [operator]: { k: 'x' } }), true, operator)
    assert.equal(holds({ [operator]: { k: 'x' } }, [['k', 'x']]), false, operator)
    assert.equal(holds({ [operator]: { k: ['y', 'z'] } }, [['k', 'x']]), true, operator)
  }
  assert.equal(holds({ Null: { k: 'true' } }), true)
  assert.equal(holds({ Null: { k: 'false' } }, [['k', 'x']]), true)
  assert.equal(holds({ 'ForAllValues:StringNotEquals': { k: 'x' } }, [['k', ['y', 'x']]]), false)
  assert.equal(holds({ StringEquals: { k: 'b' } }, [['k', ['a', 'b']]]), true)
})

test('an operator that is not played refuses the seed and the session policy: nothing is passed over in silence', async () => {
  const conditions = { NumericLessThan: { 'kms:x': '3' } }
  const credentials = [{ accessKeyId: 'a', secretAccessKey: 'b', allow: [{ actions: ['*'], conditions }] }]
  await assert.rejects(
    startLocalKms({ seed: { version: 1, credentials } }),
    /the operator NumericLessThan is not played/,
  )
  const quantified = { 'ForSomeValues:StringEquals': { k: 'v' } }
  const roles = [{ arn: 'arn:aws:iam::000000000000:role/r', deny: [{ actions: ['*'], conditions: quantified }] }]
  await assert.rejects(startLocalKms({ seed: { version: 1, roles } }), /the operator ForSomeValues:StringEquals is not/)
})

test('a dry run of Decrypt is judged like the real thing', async () => {
  const client = await may(['kms:Decrypt'], { StringEquals: { 'kms:EncryptionContext:pubkey': 'G1' } })
  const ask = (pubkey: string) =>
    client.send(
      new DecryptCommand({
        KeyId: WRAP,
        EncryptionContext: { pubkey },
        DryRun: true,
        DryRunModifiers: ['IGNORE_CIPHERTEXT'],
      }),
    )
  await dry(ask('G1'))
  await denied(ask('G2'))
})
