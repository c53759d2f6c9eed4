import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../../src/bytes/base64.ts'
import { fromHex } from '../../../src/bytes/hex.ts'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { readRecords } from '../../../src/audit/read.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import type { SignAnswer } from '../../../src/service/types.ts'
import { feeBump, operations, v0, v1 } from '../../fuzz/xdr-corpus.ts'
import { settle } from '../../support/audit-world.ts'
import { EXAMPLE, openRig, problemOf } from '../../support/rig.ts'

const TESTNET = 'Test SDF Network ; September 2015'
const bytes = (text: string): Uint8Array => fromBase64(text) ?? assert.fail('not base64')

const payment = operations['payment']?.slice(0, 1) ?? []
const ENVELOPES = [
  ['the example', EXAMPLE],
  ['V1', v1({ operations: payment }).toXdr('base64')],
  ['V0, in its own spelling', v0({ operations: payment }).toXdr('base64')],
  ['fee bump', feeBump({ operations: payment }).toXdr('base64')],
] as const

for (const custody of ['native', 'envelope'] as const) {
  for (const [what, xdr] of ENVELOPES) {
    test(`M-01 ${custody}: ${what} comes back signed, and stellar-sdk agrees`, async () => {
      const rig = await openRig({ custody })
      const response = await rig.sign({ xdr })
      assert.equal(response.status, 200)
      const answer = (await response.json()) as SignAnswer
      assert.deepEqual(Object.keys(answer).toSorted(), [
        ...['address', 'auditId', 'custody', 'hash', 'keyVersion', 'provider', 'publicKey', 'requestId', 'signature'],
        'signedXdr',
      ])

      const signer = Keypair.fromPublicKey(answer.address)
      const signed = TransactionBuilder.fromXDR(answer.signedXdr ?? '', TESTNET)
      assert.deepEqual(new Uint8Array(signed.hash()), fromHex(answer.hash))
      assert.ok(signer.verify(signed.hash(), bytes(answer.signature)))
      const attached = signed.signatures.at(-1)
      assert.deepEqual(attached?.signature.toBytes(), bytes(answer.signature))
      assert.deepEqual(attached?.hint.toBytes(), bytes(answer.publicKey).slice(-4))

      assert.equal(answer.custody, custody)
      assert.equal(answer.keyVersion, 1)
      assert.deepEqual(bytes(answer.publicKey), rig.key.version.publicKey)
      assert.equal(response.headers.get('x-request-id'), answer.requestId)
      assert.equal(response.headers.get('idempotency-replayed'), null)
      assert.equal(rig.signatures(), 1)
      assert.equal(rig.refusals.length, 0)
    })
  }
}

test('I2 the intent is on disk before the key service hears of it, the outcome before the caller does', async () => {
  const files = createMemoryFiles()
  const durable = async (): Promise<AuditRecord[]> => Array.fromAsync(readRecords(files.synced()))
  const seen: string[][] = []
  const rig = await openRig({
    files,
    provider: real => ({
      ...real,
      sign: async (...given) => {
        seen.push((await durable()).map(record => record.kind))
        return real.sign(...given)
      },
    }),
  })
  const before = (await durable()).length
  const answer = (await (await rig.sign()).json()) as SignAnswer
  const after = await durable()

  assert.deepEqual(seen, [[...Array<string>(before).fill('event'), 'intent']])
  const [intent, outcome] = after.slice(before)
  assert.equal(after.length, before + 2, 'two records, no more')
  assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome')
  assert.equal(intent.auditId, answer.auditId)
  assert.equal(outcome.auditId, answer.auditId)
  assert.equal(intent.decision, 'allow')
  assert.equal(intent.policyHash, rig.key.key.policyHash)
  assert.equal(intent.digest, answer.hash)
  assert.equal(intent.requestId, answer.requestId)
  assert.equal(intent.actor.subject, 'tester')
  assert.equal(intent.idempotency?.key, 'rig-1')
  assert.match(intent.summary, /^Pay 10 XLM from G/)
  assert.equal(outcome.result, 'released')
  assert.equal(outcome.signature, answer.signature)
  assert.ok((await verifyAuditLog(files.synced())).ok)
})

test('two durable barriers a signature, and one for many that wait together', async () => {
  const rig = await openRig()
  const syncs = () => rig.files.operations.filter(({ kind }) => kind === 'datasync').length
  const start = syncs()
  await rig.sign()
  assert.equal(syncs() - start, 2)
  const wave = syncs()
  rig.files.fault = ({ kind }) => (kind === 'datasync' ? settle() : undefined) // a disk takes its time
  await Promise.all(Array.from({ length: 50 }, () => rig.sign()))
  assert.ok(syncs() - wave <= 10, `${syncs() - wave} syncs for 50 signatures`)
})

test('the network comes from the key: the same envelope under another passphrase has another hash', async () => {
  const rig = await openRig()
  const { hash } = (await (await rig.sign()).json()) as SignAnswer
  const elsewhere = TransactionBuilder.fromXDR(EXAMPLE, 'Public Global Stellar Network ; September 2015')
  assert.notDeepEqual(fromHex(hash), new Uint8Array(elsewhere.hash()))
})

test('a key can be read by those who may, and the reading is on record', async () => {
  const rig = await openRig()
  const headers = { authorization: `Bearer ${await rig.token(['read:treasury'])}` }
  const response = await rig.http('/v1/keys/treasury', { headers })
  assert.equal(response.status, 200)
  const view = (await response.json()) as Record<string, unknown>
  assert.equal(view['address'], rig.key.version.address)
  assert.equal(view['policyHash'], rig.key.key.policyHash)
  assert.equal(view['custody'], 'native')
  const event = (await rig.records()).at(-1)
  assert.ok(event?.kind === 'event' && event.event === 'key-read' && event.actor.subject === 'tester')

  const denied = await problemOf(await rig.http('/v1/keys/other', { headers }))
  assert.equal(denied.code, 'access/denied')
  const unknown = await rig.http('/v1/keys/nobody', { headers: { authorization: `Bearer ${await rig.token()}` } })
  assert.equal((await problemOf(unknown)).code, 'key/unknown')
  assert.equal((await problemOf(await rig.http('/v1/keys/treasury'))).code, 'token/missing')
  assert.deepEqual(
    rig.refusals.map(({ errorCode, operation }) => [errorCode, operation]),
    [
      ['access/denied', 'read'],
      ['key/unknown', 'read'],
      ['token/missing', 'read'],
    ],
  )
})
