import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GetPublicKeyCommand,
  type KeySpec,
  type KeyUsageType,
  ListResourceTagsCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
} from '@aws-sdk/client-kms'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { type SeedDocument, startLocalKms } from '../../local-kms/index.ts'
import { bytes, createKey, failure, start, toHex } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'local-kms-test-'))
after(() => rmSync(folder, { recursive: true }))

const RFC8032 = {
  seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
}

test('local-kms seed: chosen ids, ARNs, aliases and material in hex and base64, from one document', async () => {
  const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
  const seed: SeedDocument = {
    version: 1,
    region: 'eu-west-1',
    accountId: '111122223333',
    keys: [
      {
        arn,
        spec: 'ECC_NIST_EDWARDS25519',
        material: { hex: RFC8032.seed },
        aliases: ['alias/treasury', 'alias/two'],
        tags: { team: 'pay' },
        description: 'd',
      },
      {
        keyId: 'evm',
        spec: 'ECC_SECG_P256K1',
        material: { base64: Buffer.from(`${'00'.repeat(31)}01`, 'hex').toString('base64') },
      },
      { keyId: 'wrap', spec: 'SYMMETRIC_DEFAULT', material: { hex: '01'.repeat(32) } },
      { keyId: 'off', spec: 'SYMMETRIC_DEFAULT', state: 'Disabled', creationDate: '2026-01-02T03:04:05Z' },
      { keyId: 'outside', spec: 'SYMMETRIC_DEFAULT', origin: 'EXTERNAL' },
    ],
  }
  const { client, kms } = await start({ seed })
  assert.deepEqual([kms.region, kms.accountId], ['eu-west-1', '111122223333'])
  const spki = (await client.send(new GetPublicKeyCommand({ KeyId: 'alias/treasury' }))).PublicKey!
  assert.equal(toHex(spki.subarray(12)), RFC8032.publicKey)
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/two' }))
  assert.deepEqual([KeyMetadata!.Arn, KeyMetadata!.Description], [arn, 'd'])
  assert.deepEqual((await client.send(new ListResourceTagsCommand({ KeyId: arn }))).Tags, [
    { TagKey: 'team', TagValue: 'pay' },
  ])
  const point = (await client.send(new GetPublicKeyCommand({ KeyId: 'evm' }))).PublicKey!.subarray(23)
  assert.equal(toHex(point), toHex(secp256k1.Point.BASE.toBytes(false)))
  const off = (await client.send(new DescribeKeyCommand({ KeyId: 'off' }))).KeyMetadata!
  assert.deepEqual([off.KeyState, off.CreationDate!.toISOString()], ['Disabled', '2026-01-02T03:04:05.000Z'])
  assert.equal((await client.send(new DescribeKeyCommand({ KeyId: 'outside' }))).KeyMetadata!.KeyState, 'PendingImport')
  await client.send(new EncryptCommand({ KeyId: 'wrap', Plaintext: bytes('x') }))
})

test('local-kms seed.example.json: starts, and its keys sign and encrypt', async () => {
  const seedFile = fileURLToPath(new URL('../../local-kms/seed.example.json', import.meta.url))
  const { client, kms } = await start({ seedFile })
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: 'alias/demo-stellar' }))
  const { Signature } = await client.send(
    new SignCommand({ KeyId: 'alias/demo-stellar', Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512' }),
  )
  assert.ok(
    verify(
      null,
      bytes('m'),
      createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' }),
      Signature!,
    ),
  )
  await client.send(new EncryptCommand({ KeyId: 'alias/demo-envelope', Plaintext: bytes('x') }))
  assert.ok(kms.inspect().keys.length >= 3)
})

test('local-kms seed: what cannot be used is named, secrets are not repeated', async () => {
  const secret = 'ab'.repeat(31)
  const broken: [unknown, RegExp][] = [
    [{ version: 2 }, /version/],
    [{ version: 1, surprise: true }, /surprise/i],
    [
      { version: 1, keys: [{ spec: 'ECC_NIST_EDWARDS25519', material: { hex: secret } }] },
      /material of seed key 0 does not fit/,
    ],
    [{ version: 1, keys: [{ spec: 'SYMMETRIC_DEFAULT', material: { hex: 'xyz' } }] }, /material of seed key 0/],
    [{ version: 1, keys: [{ spec: 'SYMMETRIC_DEFAULT', material: { base64: '*' } }] }, /material of seed key 0/],
    [{ version: 1, keys: [{ spec: 'ML_DSA_44' }] }, /no keys of spec ML_DSA_44/],
    [{ version: 1, keys: [{ spec: 'HMAC_256', usage: 'SIGN_VERIFY' }] }, /usage SIGN_VERIFY/],
    [{ version: 1, keys: [{ spec: 'SYMMETRIC_DEFAULT', arn: 'arn:nonsense' }] }, /ARN/],
    [{ version: 1, keys: [{ spec: 'SYMMETRIC_DEFAULT', keyId: 'a b' }] }, /keys\.0\.keyId/],
    [
      {
        version: 1,
        keys: [
          { spec: 'SYMMETRIC_DEFAULT', aliases: ['alias/a'] },
          { spec: 'SYMMETRIC_DEFAULT', aliases: ['alias/a'] },
        ],
      },
      /alias\/a stands there twice/,
    ],
  ]
  for (const [seed, pattern] of broken) {
    await assert.rejects(startLocalKms({ seed: seed as SeedDocument }), (problem: Error) => {
      assert.match(problem.message, pattern)
      assert.ok(!problem.message.includes(secret))
      return problem instanceof RangeError
    })
  }
  await assert.rejects(startLocalKms({ seedFile: join(folder, 'absent.json') }), /Cannot read the seed file/)
  await assert.rejects(startLocalKms({ seedFile: 'x', seed: { version: 1 } }), /give one of them/)
})

const SPECS: [KeySpec, KeyUsageType][] = [
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P521', 'SIGN_VERIFY'],
  ['RSA_2048', 'SIGN_VERIFY'],
]

test('local-kms master seed: reproduces ids and keys of every spec, whatever calls come between (M-11)', async () => {
  const run = async (masterSeed: string, noise: boolean): Promise<string[]> => {
    const { client } = await start({ masterSeed })
    const out: string[] = []
    for (const [KeySpec, KeyUsage] of SPECS) {
      const { id } = await createKey(client, { KeySpec, KeyUsage })
      if (noise) await failure(client.send(new DescribeKeyCommand({ KeyId: 'noise' })))
      out.push(id, toHex((await client.send(new GetPublicKeyCommand({ KeyId: id }))).PublicKey))
    }
    const { id } = await createKey(client)
    out.push(id, toHex((await client.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256' }))).Plaintext))
    out.push((await client.send(new DescribeKeyCommand({ KeyId: id }))).KeyMetadata!.CurrentKeyMaterialId!)
    return out
  }
  const first = await run('seed', false)
  assert.deepEqual(await run('seed', true), first)
  const other = await run('other', false)
  assert.ok(first.every((value, i) => value !== other[i]))
  assert.equal(new Set(first).size, first.length)
})

test('local-kms master seed: nonces and ECDSA stay random, so nothing repeats where it must not', async () => {
  const run = async () => {
    const { client } = await start({ masterSeed: 'seed' })
    const { id } = await createKey(client)
    return toHex((await client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }))).CiphertextBlob)
  }
  const [a, b] = [await run(), await run()]
  assert.equal(a.slice(0, 84), b.slice(0, 84)) // header: same key
  assert.notEqual(a, b)
})

test('local-kms reset: back to the seed, with the same keys to come again', async () => {
  const { client, kms } = await start({
    masterSeed: 's',
    seed: { version: 1, keys: [{ keyId: 'kept', spec: 'SYMMETRIC_DEFAULT', aliases: ['alias/kept'] }] },
  })
  const first = await createKey(client)
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: 'kept' }))
  kms.addFaults({ times: 0, fault: { kind: 'error', name: 'KMSInternalException' } })
  kms.reset()
  assert.deepEqual(kms.faults(), [])
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/kept' }))
  assert.equal(KeyMetadata!.KeyState, 'Enabled')
  assert.equal((await failure(client.send(new DescribeKeyCommand({ KeyId: first.id })))).name, 'NotFoundException')
  assert.equal((await createKey(client)).id, first.id)
})

test('local-kms snapshot: carries everything into another instance; account and Region must be the same', async () => {
  const one = await start()
  const { id } = await createKey(one.client, { Tags: [{ TagKey: 'a', TagValue: 'b' }] })
  const { CiphertextBlob } = await one.client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }))
  const two = await start()
  two.kms.restore(JSON.parse(JSON.stringify(one.kms.snapshot())))
  assert.equal(Buffer.from((await two.client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext!).toString(), 'x')
  assert.deepEqual((await two.client.send(new ListResourceTagsCommand({ KeyId: id }))).Tags, [
    { TagKey: 'a', TagValue: 'b' },
  ])
  const elsewhere = await start({ region: 'eu-west-1' })
  assert.throws(() => elsewhere.kms.restore(one.kms.snapshot()), /this instance is 000000000000 in eu-west-1/)
  const old = one.kms.snapshot()
  assert.throws(() => two.kms.restore({ aws: { ...old.aws, version: 2 as 1 } }), /version 2/)
  assert.ok(
    !JSON.stringify(one.kms.inspect()).includes(
      (old.aws.keys[0] as { materials: { bytes: { base64: string } }[] }).materials[0]!.bytes.base64,
    ),
  )
})

test('local-kms persistence: a second start goes on where the first ended; the file is for its owner only', async () => {
  const persist = join(folder, 'state.json')
  const seed: SeedDocument = { version: 1, keys: [{ keyId: 'seeded', spec: 'SYMMETRIC_DEFAULT' }] }
  const one = await start({ persist, seed })
  const signer = await createKey(one.client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const { CiphertextBlob } = await one.client.send(new EncryptCommand({ KeyId: 'seeded', Plaintext: bytes('x') }))
  const before = (await one.client.send(new GetPublicKeyCommand({ KeyId: signer.id }))).PublicKey
  await one.kms.close()
  assert.equal(statSync(persist).mode & 0o777, 0o600)
  assert.ok(!existsSync(`${persist}.new`))
  const two = await start({ persist, seed })
  assert.equal(toHex((await two.client.send(new GetPublicKeyCommand({ KeyId: signer.id }))).PublicKey), toHex(before))
  // The seed does not make its key anew
  assert.equal(Buffer.from((await two.client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext!).toString(), 'x')
  await two.client.send(new CreateKeyCommand({}))
  assert.equal(two.kms.inspect().keys.length, 3)
})

test('local-kms seed file: JSON that is none is refused', async () => {
  const seedFile = join(folder, 'broken.json')
  writeFileSync(seedFile, '{')
  await assert.rejects(startLocalKms({ seedFile }), /it must be there and hold JSON/)
})
