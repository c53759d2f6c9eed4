import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorizeInvocation, Keypair, Networks, xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../../../src/bytes/hex.ts'
import { fromBase64 } from '../../../../src/bytes/base64.ts'
import { sha256 } from '../../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../../src/bytes/verify.ts'
import { stellarPayloads } from '../../../../src/chains/stellar/index.ts'
import type { PolicyDocument } from '../../../../src/policy/index.ts'
import { contractId, invocationTree, invoke, sourceAuthorization, testKey, v1 } from '../../../fuzz/xdr-corpus.ts'
import { openRig, problemOf } from '../../../support/rig.ts'

const seed = sha256(new TextEncoder().encode('countersign test key alice'))
const alice = testKey('alice')
const policy: PolicyDocument = {
  version: 1,
  network: 'testnet',
  contracts: [{ contract: contractId, functions: ['transfer'] }],
  authorizations: { expiration: 'any' },
  messages: [{ prefix: 'Log in to example.com: ', maxBytes: 100 }],
}
const rig = await openRig({ policy, custody: 'envelope', seed, log: 'memory' })
const send = async (payload: Record<string, unknown>) => {
  const response = await rig.sign({ body: JSON.stringify(payload) })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> & { signature: string } }
}
const entryOf = (authV2 = true, invocation = invocationTree(3), validUntilLedgerSeq = 500) =>
  authorizeInvocation({
    signer: alice,
    publicKey: alice.publicKey(),
    validUntilLedgerSeq,
    invocation,
    networkPassphrase: Networks.TESTNET,
    authV2,
  })

test('M-22 end to end: an authorization entry is signed as the SDK signs it, and its nonce is good for that one only', async () => {
  const theirs = await entryOf()
  const entry = theirs.toXdr('base64')
  const first = await send({ type: 'stellar-auth-entry', entry })
  assert.equal(first.status, 200, JSON.stringify(first.body))
  assert.equal(first.body['signedAuthEntry'], entry)
  const again = await send({ type: 'stellar-auth-entry', entry })
  assert.equal(again.status, 200)
  // The same call under the same nonce with a later end could run twice.
  const later = await send({ type: 'stellar-auth-entry', entry, expirationLedger: 600 })
  assert.equal(later.status, 403)

  assert.match(JSON.stringify(later.body), /equivocation/)
})

test('T31 end to end: the legacy form needs the word of the policy', async () => {
  const entry = (await entryOf(false)).toXdr('base64')
  const before = rig.signatures()
  const { status, body } = await send({ type: 'stellar-auth-entry', entry })
  assert.equal(status, 403)
  assert.match(JSON.stringify(body), /does not name its account/)
  assert.equal(rig.signatures(), before)
})

test('T30 end to end: one call in the tree that is not granted, and nothing is signed', async () => {
  const bad = new xdr.SorobanAuthorizedInvocation({
    function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(
      new xdr.InvokeContractArgs({
        contractAddress: (invocationTree(0).function as xdr.SorobanAuthorizedFunctionContractFn).contractFn
          .contractAddress,
        functionName: 'approve',
        args: [],
      }),
    ),
    subInvocations: [],
  })
  const root = invocationTree(2)
  const tree = new xdr.SorobanAuthorizedInvocation({
    function: root.function,
    subInvocations: [...root.subInvocations, bad],
  })
  const before = rig.signatures()
  const { status } = await send({ type: 'stellar-auth-entry', entry: (await entryOf(true, tree)).toXdr('base64') })
  assert.equal(status, 403)
  assert.equal(rig.signatures(), before)
})

test('M-23 end to end: a granted message is signed as SEP-53 says; other messages, digests and challenges are not', async () => {
  const message = 'Log in to example.com: 17'
  const { status, body } = await send({ type: 'stellar-message', message })
  assert.equal(status, 200, JSON.stringify(body))
  const hash = sha256(new TextEncoder().encode(`Stellar Signed Message:\n${message}`))
  const signature = fromBase64(body.signature) ?? new Uint8Array()
  assert.equal(await verifySignature({ scheme: 'ed25519', message: hash }, alice.rawPublicKey(), signature), true)
  assert.ok(Keypair.fromPublicKey(alice.publicKey()).verify(hash, signature))
  const before = rig.signatures()
  assert.equal((await send({ type: 'stellar-message', message: 'Pay 5 XLM to Bob' })).status, 403)
  assert.equal((await send({ type: 'raw-digest', digest: toHex(hash) })).status, 403)
  const odd = await rig.sign({ body: JSON.stringify({ type: 'stellar-challenge', role: 'client', xdr: 'AAAA' }) })
  assert.equal((await problemOf(odd)).code, 'payload/invalid')
  assert.equal(rig.signatures(), before)
})

test('M-20 for people: a sentence for the operation and for every call that it authorizes', () => {
  const auth = [sourceAuthorization(invocationTree(24)), sourceAuthorization(invocationTree(0))]
  const envelope = v1({ operations: [invoke('transfer', auth)], soroban: true }).toXdr('base64')
  const [address, about] = [alice.publicKey(), { key: 'k', version: 1, chain: 'stellar', network: 'testnet' }] as const
  const signatory = { ...about, address, account: address }
  const asked = stellarPayloads['stellar-transaction']?.({ type: 'stellar-transaction', xdr: envelope }, signatory)
  const { sentences, json } = asked?.describe() ?? { sentences: [], json: undefined }
  assert.equal(sentences.length, 1 + 25 + 1)
  assert.match(sentences[0] ?? '', /^Call "transfer" of contract C.* with 0 arguments by G/)
  assert.ok(sentences.slice(1).every(each => each.startsWith('AUTHORIZING BY THIS SIGNATURE: Call "transfer"')))
  assert.equal(xdr.TransactionEnvelope.fromJson(json as never).toXdr('base64'), envelope)
})
