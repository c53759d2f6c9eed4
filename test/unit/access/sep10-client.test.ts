/** What `countersign login` looks at before it signs a challenge (M-41, T13): one fault at a time, and the server's opinion of the rest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xdr } from '@stellar/stellar-sdk'
import { makeSep10Challenge, readSep10Answer, SEP10_REASONS, type Sep10Rules } from '../../../src/access/sep10.ts'
import { ANOTHER_ACCOUNT, type ExpectedChallenge, signSep10Challenge } from '../../../src/access/sep10-client.ts'
import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { stellarPerson } from '../../support/login-world.ts'

const NOW = 1_795_000_000_000
const [server, client, stranger] = [stellarPerson(1), stellarPerson(2), stellarPerson(3)]
const rules: Sep10Rules = {
  serverAccount: server.address,
  homeDomain: 'signer.example',
  webAuthDomain: 'auth.signer.example',
  networkPassphrase: 'Test SDF Network ; September 2015',
}
const { serverAccount: _, ...expected } = rules
const nonce = Uint8Array.from({ length: 48 }, (__, at) => at * 5)

type Overrides = { readonly rules?: Partial<Sep10Rules>; readonly account?: string; readonly by?: typeof server }
async function challenge({ rules: more = {}, account = client.address, by = server }: Overrides = {}): Promise<string> {
  const from = { ...rules, ...more, ...(by === server ? {} : { serverAccount: by.address }) }
  const sign = async (hash: Uint8Array) => by.signHash(hash)
  return (await makeSep10Challenge(from, account, { now: NOW, seconds: 300, nonce, sign })).transaction
}

/** With something about it changed after the server had signed it. */
async function altered(change: (envelope: xdr.TransactionV1Envelope) => xdr.TransactionV1Envelope): Promise<string> {
  const bytes = fromBase64(await challenge()) ?? new Uint8Array()
  const { v1 } = xdr.TransactionEnvelope.fromXdr(bytes) as unknown as { v1: xdr.TransactionV1Envelope }
  return toBase64(xdr.TransactionEnvelope.envelopeTypeTx(change(v1)).toXdr())
}

let signed = 0
const answer = (transaction: string, more: Partial<ExpectedChallenge> = {}, now = NOW) =>
  signSep10Challenge({ ...expected, ...more }, transaction, {
    account: client.address,
    now,
    sign: async hash => {
      signed++
      return client.signHash(hash)
    },
  })

test('M-41 the answer to a good challenge is one that the server takes, with and without a known server account', async () => {
  for (const more of [{}, { serverAccount: server.address }]) {
    const read = await readSep10Answer(rules, await answer(await challenge(), more), NOW)
    assert.equal(read.account, client.address)
  }
})

test('T13 nothing is signed that is not a challenge for this domain, this account and this moment', async () => {
  const sequence = await altered(({ tx, signatures }) => {
    const { sourceAccount, fee, cond, memo, operations, ext } = tx
    const valid = new xdr.Transaction({ sourceAccount, fee, seqNum: 1n, cond, memo, operations, ext })
    return new xdr.TransactionV1Envelope({ tx: valid, signatures })
  })
  const unsigned = await altered(({ tx }) => new xdr.TransactionV1Envelope({ tx, signatures: [] }))
  const twice = await altered(
    ({ tx, signatures }) => new xdr.TransactionV1Envelope({ tx, signatures: [...signatures, ...signatures] }),
  )
  const before = signed
  const cases: readonly (readonly [string, Promise<string>, string])[] = [
    ['not a transaction', answer('AAAA'), SEP10_REASONS.spelling],
    ['a sequence number', answer(sequence), SEP10_REASONS.sequence],
    ['no signature', answer(unsigned), SEP10_REASONS.server],
    ['two signatures', answer(twice), SEP10_REASONS.server],
    [
      'another home domain',
      answer(await challenge({ rules: { homeDomain: 'evil.example' } })),
      SEP10_REASONS.homeDomain,
    ],
    [
      'another endpoint',
      answer(await challenge({ rules: { webAuthDomain: 'evil.example' } })),
      SEP10_REASONS.webAuthDomain,
    ],
    ['another account', answer(await challenge({ account: stranger.address })), ANOTHER_ACCOUNT],
    [
      'another server',
      answer(await challenge({ by: stranger }), { serverAccount: server.address }),
      SEP10_REASONS.source,
    ],
    ['another network', answer(await challenge(), { networkPassphrase: 'Another' }), SEP10_REASONS.server],
    ['too late', answer(await challenge(), {}, NOW + 300_000), SEP10_REASONS.expired],
    ['too early', answer(await challenge(), {}, NOW - 60_000), SEP10_REASONS.early],
  ]
  for (const [what, refused, reason] of cases) {
    await assert.rejects(
      refused,
      error => isSignerError(error) && error.code === 'login/refused' && error.detail.reason === reason,
      what,
    )
  }
  assert.equal(signed, before)
})

test('a signer that answers with something else is not believed', async () => {
  const sign = async () => new Uint8Array(64)
  const made = signSep10Challenge(expected, await challenge(), { account: client.address, now: NOW, sign })
  await assert.rejects(made, error => isSignerError(error) && error.code === 'signature/unverified')
})
