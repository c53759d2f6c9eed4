/** One signer for stellar-sdk and SEP-43, over a real data plane. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import {
  Account,
  Asset,
  authorizeEntry,
  Keypair,
  Networks,
  Operation,
  TransactionBuilder,
  xdr,
} from '@stellar/stellar-sdk/base'
import { passphraseOf as servicePassphraseOf, STELLAR_NETWORKS } from '../../../src/chains/stellar/networks.ts'
import { CountersignError, type StellarSigner } from '../../../src/client/index.ts'
import { networkOf, passphraseOf } from '../../../src/client/stellar-networks.ts'
import { demoPolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { contractId, invocationTree, scAddress } from '../../fuzz/xdr-corpus.ts'
import { type ClientWorld, openClientWorld } from '../../support/client-world.ts'
import { rotationDeps } from '../../support/rotations.ts'

const PAYEE = 'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI'

const BYTES = new Uint8Array(64)
const AUTHORIZING = {
  ...(JSON.parse(demoPolicy().text) as PolicyDocument),
  authorizations: { expiration: 'any', legacy: true },
  contracts: [{ contract: contractId, functions: ['transfer'] }],
} satisfies PolicyDocument

let world: ClientWorld
let signer: StellarSigner
before(async () => {
  world = await openClientWorld({ unguarded: true })
  signer = await world.countersign.stellar('treasury')
})

let sequence = 1
const payment = (amount = '10', networkPassphrase: string = Networks.TESTNET) =>
  new TransactionBuilder(new Account(signer.address, String(sequence++)), { fee: '100', networkPassphrase })
    .addOperation(Operation.payment({ destination: PAYEE, asset: Asset.native(), amount }))
    .setTimeout(300)
    .build()

const verifies = (xdr: string): boolean => {
  const signed = TransactionBuilder.fromXDR(xdr, Networks.TESTNET)
  const [signature, ...more] = signed.signatures
  return (
    more.length === 0 &&
    signature !== undefined &&
    Keypair.fromPublicKey(signer.address).verify(signed.hash(), signature.signature)
  )
}

describe('M-20 StellarSigner', () => {
  test('every member is its own, so a spread loses nothing, and the object cannot be changed', () => {
    const members = ['address', 'publicKey', 'networkPassphrase', 'signTransaction', 'signAuthEntry', 'signMessage']
    const more = ['getAddress', 'getNetwork', 'authorize', 'sign']
    assert.deepEqual(Object.keys({ ...signer }), [...members, ...more])
    assert.equal(signer.address, world.rig.key.version.address)
    assert.equal(signer.publicKey, signer.address)
    assert.equal(signer.networkPassphrase, Networks.TESTNET)
    assert.ok(Object.isFrozen(signer))
  })

  test('signTransaction: an envelope that the SDK verifies, from spread methods too', async () => {
    const { signTransaction } = { ...signer }
    const opts = { networkPassphrase: Networks.TESTNET, address: signer.address, submit: false }
    const reply = await signTransaction(payment().toXdr(), opts)
    assert.deepEqual([reply.signerAddress, reply.error], [signer.address, undefined])
    assert.ok(verifies(reply.signedTxXdr))
  })

  test('another passphrase or address is a bad request (-3), and nothing is sent', async () => {
    const before = world.sent.length
    const xdr = payment().toXdr()
    const wrong = [
      await signer.signTransaction(xdr, { networkPassphrase: Networks.PUBLIC }),
      await signer.signTransaction(xdr, { address: PAYEE }),
      await signer.signTransaction(xdr, { submit: true }),
      await signer.signTransaction(xdr, { submitUrl: 'https://horizon.example' }),
      await signer.signAuthEntry('AAAA', { networkPassphrase: Networks.PUBLIC }),
      await signer.signMessage('hello', { address: PAYEE }),
    ]
    assert.deepEqual(
      wrong.map(({ error }) => [error?.code, error?.ext]),
      wrong.map(() => [-3, ['client/options']]),
    )
    assert.equal((wrong[0] as { signedTxXdr: string }).signedTxXdr, '')
    assert.equal(world.sent.length, before)
  })

  test('SEP-43 codes: what cannot be read is -3, what policy or token refuse is -4, an unknown key is -1', async () => {
    const unreadable = await signer.signTransaction('AAAA')
    assert.deepEqual([unreadable.error?.code, unreadable.error?.ext?.[0]], [-3, 'payload/invalid'])
    const denied = await signer.signTransaction(payment('1000000').toXdr())
    assert.deepEqual([denied.error?.code, denied.error?.ext?.[0]], [-4, 'policy/denied'])
    assert.match(denied.error?.ext?.[1] ?? '', /^r_/)
    assert.match(denied.error?.message ?? '', /policy/)
    const stranger = world.client({ token: await world.rig.token(['read:*']) })
    const { error } = await (await stranger.stellar('treasury')).signTransaction(payment().toXdr())
    assert.equal(error?.code, -4)
    const nobody = await world.countersign.stellar('nobody', { address: signer.address, network: 'testnet' })
    assert.equal((await nobody.signTransaction(payment().toXdr())).error?.code, -1)
  })

  test('signMessage: SEP-53, base64 unless hex is asked for', async () => {
    const message = 'Countersign demo: I own this account'
    const { signedMessage, error } = await signer.signMessage(message)
    assert.equal(error, undefined)
    const pair = Keypair.fromPublicKey(signer.address)
    assert.ok(pair.verifyMessage(message, Buffer.from(signedMessage, 'base64')))
    const hex = await signer.signMessage(message, { encoding: 'hex' })
    assert.equal(hex.signedMessage, Buffer.from(signedMessage, 'base64').toString('hex'))
    assert.equal((await signer.signMessage('no')).error?.code, -4)
  })

  test('it throws when nobody answers, and only then', async () => {
    const fetch = () => Promise.reject(new TypeError('connection refused'))
    const lost = await world
      .client({ fetch, tries: 1 })
      .stellar('treasury', { address: signer.address, network: 'testnet' })
    await assert.rejects(
      lost.signTransaction(payment().toXdr()),
      error => error instanceof CountersignError && error.code === 'service/unreachable' && error.status === 0,
    )
  })

  test('sign adds the signature to the transaction, and a transaction of another network gets none', async () => {
    const transaction = payment()
    assert.equal(await signer.sign(transaction), transaction)
    assert.ok(verifies(transaction.toXdr()))
    const elsewhere = payment('10', Networks.PUBLIC)
    await assert.rejects(signer.sign(elsewhere), { code: 'client/options' })
    // Whatever it says of its network: what was signed must be what it hashes to.
    const shy = { hash: () => elsewhere.hash(), addSignature: assert.fail, toXdr: () => elsewhere.toXdr() }
    await assert.rejects(signer.sign(shy), { code: 'client/options' })
  })

  test('known facts are taken as given: no request; a signature under another address is not handed out', async () => {
    const before = world.sent.length
    const other = await world.countersign.stellar('treasury', { address: PAYEE, network: 'testnet' })
    assert.equal(world.sent.length, before)
    const { error, signedTxXdr } = await other.signTransaction(payment().toXdr())
    assert.deepEqual([error?.code, error?.ext, signedTxXdr], [-1, ['client/key-changed'], ''])
  })

  test('facts are asked for once; a key of the other chain, and an unknown key, are refused', async () => {
    const client = world.client()
    const before = world.sent.length
    await Promise.all([client.stellar('treasury'), client.stellar('treasury')])
    await client.stellar('treasury')
    assert.equal(world.sent.length, before + 1)
    await assert.rejects(client.evm('treasury'), { code: 'client/options' })
    await assert.rejects(client.stellar('nobody'), { code: 'key/unknown', status: 404, retryable: false })
    await assert.rejects(client.stellar('nobody'), { code: 'key/unknown' })
    assert.equal(world.sent.length, before + 3, 'what failed is not kept')
  })

  test('getAddress and getNetwork speak as SEP-43 wallets do', async () => {
    assert.deepEqual(await signer.getAddress(), { address: signer.address })
    assert.deepEqual(await signer.getNetwork(), { network: 'TESTNET', networkPassphrase: Networks.TESTNET })
  })

  test('names of networks mean the same passphrases here and in the service; an unknown one is not guessed', () => {
    for (const name of [...STELLAR_NETWORKS, 'custom:My Own Network ; 2026']) {
      assert.equal(passphraseOf(name), servicePassphraseOf(name))
    }
    assert.equal(networkOf('custom:x'), 'custom:x')
    for (const name of ['mainnet', 'toString', '']) assert.throws(() => passphraseOf(name), { code: 'client/options' })
  })

  test('M-61 a signer outlives a rotation: the account stays, and who signed is said', async () => {
    const own = await openClientWorld({ unguarded: true, policy: AUTHORIZING })
    const kept = await own.countersign.stellar('treasury')
    const deps = rotationDeps(own.rig)
    const next = await beginRotation(deps, 'treasury')
    await rotationStep(deps, 'treasury', 'open')
    const fresh = await own.client().stellar('treasury')
    for (const each of [kept, fresh]) {
      assert.deepEqual([each.address, each.publicKey], [kept.address, kept.address])
      assert.deepEqual(await each.getAddress(), { address: kept.address })
      const transaction = new TransactionBuilder(new Account(each.address, '7'), {
        ...{ fee: '100', networkPassphrase: Networks.TESTNET },
      })
        .addOperation(Operation.payment({ destination: PAYEE, asset: Asset.native(), amount: '1' }))
        .setTimeout(300)
        .build()
      const reply = await each.signTransaction(transaction.toXdr(), { address: kept.address })
      assert.deepEqual([reply.error, reply.signerAddress], [undefined, next.address])
      await each.sign(transaction) // the SDK verifies what it adds
      const [signature, ...more] = transaction.signatures
      assert.equal(more.length, 0)
      assert.ok(Keypair.fromPublicKey(next.address).verify(transaction.hash(), signature?.signature.toBytes() ?? BYTES))
      const { signedMessage, signerAddress } = await each.signMessage('Countersign demo: mine')
      assert.equal(signerAddress, next.address)
      assert.ok(
        Keypair.fromPublicKey(next.address).verifyMessage(
          'Countersign demo: mine',
          Buffer.from(signedMessage, 'base64'),
        ),
      )

      const credentials = new xdr.SorobanAddressCredentials({
        ...{ address: scAddress(kept.address), nonce: 5n, signatureExpirationLedger: 0 },
        signature: xdr.ScVal.scvVoid(),
      })
      const entry = new xdr.SorobanAuthorizationEntry({
        credentials: xdr.SorobanCredentials.sorobanCredentialsAddress(credentials),
        rootInvocation: invocationTree(0),
      })
      const signed = await authorizeEntry(entry, each.authorize, 900, Networks.TESTNET)
      assert.ok(signed.credentials.type === 'sorobanCredentialsAddress')
      assert.equal(signed.credentials.address.signature.type, 'scvVec')
    }
    const known = await own
      .client()
      .stellar('treasury', { address: next.address, account: kept.address, network: 'testnet' })
    assert.equal(known.address, kept.address)
    // Whose account changes is another signer.
    await rotationStep(deps, 'treasury', 'cutover')
    await beginRotation(deps, 'treasury', { newAccount: true })
    await rotationStep(deps, 'treasury', 'open', { newAccount: true })
    const { error } = await kept.signMessage('Countersign demo: mine')
    assert.deepEqual(error?.ext, ['client/key-changed'])
  })
})
