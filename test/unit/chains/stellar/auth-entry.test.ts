import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  authorizeEntry,
  buildAuthorizationEntryPreimage,
  buildWithDelegatesEntry,
  type Keypair,
  Networks,
  StrKey,
  xdr,
} from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../../../src/bytes/hex.ts'
import { sha256 } from '../../../../src/bytes/sha256.ts'
import type { Asked } from '../../../../src/domain/payload.ts'
import type { StellarAuthorizationView } from '../../../../src/domain/stellar.ts'
import { contractId, invocationTree, scAddress, sourceAuthorization, testKey } from '../../../fuzz/xdr-corpus.ts'
import { askPayload, assertInvalid, signatoryOf } from './samples.ts'

const alice = testKey('alice')
const bob = testKey('bob')
const carol = testKey('carol')
const signatory = (key: Keypair = alice, network = 'testnet') => signatoryOf(key.publicKey(), network)
const ask = (fields: Record<string, unknown>, who = signatory()): Asked => askPayload('stellar-auth-entry', fields, who)
const viewOf = ({ view }: Asked): StellarAuthorizationView => {
  assert.ok(view.kind === 'authorization')
  return view
}
const refused = (fields: Record<string, unknown>, field: string, reason: RegExp, who = signatory()): void => {
  assertInvalid(() => ask(fields, who), field, reason)
}

type Form = 'sorobanCredentialsAddress' | 'sorobanCredentialsAddressV2'

function entryFor(
  address: string,
  form: Form = 'sorobanCredentialsAddressV2',
  over: { readonly expiration?: number; readonly signature?: xdr.ScVal; readonly depth?: number } = {},
): xdr.SorobanAuthorizationEntry {
  const credentials = new xdr.SorobanAddressCredentials({
    address: scAddress(address),
    nonce: -5n,
    signatureExpirationLedger: over.expiration ?? 0,
    signature: over.signature ?? xdr.ScVal.scvVoid(),
  })
  const rootInvocation = invocationTree(over.depth ?? 1)
  return new xdr.SorobanAuthorizationEntry({ credentials: xdr.SorobanCredentials[form](credentials), rootInvocation })
}

type Delegates = Parameters<typeof buildWithDelegatesEntry>[0]['delegates']
const delegated = (address: string, delegates: Delegates, expiration = 700): xdr.SorobanAuthorizationEntry =>
  buildWithDelegatesEntry({ entry: entryFor(address), validUntilLedgerSeq: expiration, delegates })

function signedBy(key: Keypair, asked: Asked): string {
  assert.ok(asked.input.scheme === 'ed25519')
  const { signedAuthEntry } = asked.attach(key.rawPublicKey(), key.sign(asked.input.message))
  assert.ok(signedAuthEntry !== undefined)
  return signedAuthEntry
}

/** XDR as the CAPs write it, byte by byte. */
const u32 = (value: number): string => value.toString(16).padStart(8, '0')
const text = (value: string): string => {
  const hex = toHex(new TextEncoder().encode(value))
  return u32(value.length) + hex + '00'.repeat((4 - (value.length % 4)) % 4)
}
const CONTRACT = 'c0'.repeat(32)
const TESTNET_ID = 'cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472'
const PUBLIC_ID = '7ac33997544e3175d266bd022439b22cdb16508c01163f26e5cb2a3e1045a979'
/** transfer(G…alice, 5i128) with a sub-invocation burn(): CONTRACT_FN, contract address, name, arguments, children. */
const key = toHex(alice.rawPublicKey())
const CALL = [
  `${u32(0)}${u32(1)}${CONTRACT}${text('transfer')}${u32(2)}`,
  `${u32(18)}${u32(0)}${u32(0)}${key}`, // SCV_ADDRESS, account, ed25519
  `${u32(10)}${'00'.repeat(15)}05`, // SCV_I128
  `${u32(1)}${u32(0)}${u32(1)}${CONTRACT}${text('burn')}${u32(0)}${u32(0)}`,
].join('')
const legacyHex = (network = TESTNET_ID, nonce = 'fffffffffffffffe', ledger = 1234): string =>
  u32(9) + network + nonce + u32(ledger) + CALL
const boundHex = (address: string, network = TESTNET_ID): string =>
  u32(10) + network + 'fffffffffffffffe' + u32(1234) + address + CALL
const ACCOUNT = u32(0) + u32(0) + key
const base64 = (hex: string): string => toBase64(fromHex(hex) ?? new Uint8Array())
const digest = (hex: string): string => toHex(sha256(fromHex(hex) ?? new Uint8Array()))

test('M-22 CAP-46-11: the legacy preimage, written by hand, is hashed and shown whole', () => {
  const asked = ask({ preimage: base64(legacyHex()) })
  assert.equal(asked.hash, digest(legacyHex()))
  assert.ok(asked.input.scheme === 'ed25519')
  assert.equal(toHex(asked.input.message), asked.hash)
  const contract = StrKey.encodeContract(fromHex(CONTRACT) ?? new Uint8Array())
  assert.deepEqual(viewOf(asked), {
    kind: 'authorization',
    network: 'testnet',
    form: 'legacy',
    credentials: 'address',
    address: null,
    asDelegate: false,
    nonce: -2n,
    expirationLedger: 1234,
    invocations: [
      {
        kind: 'call',
        contract,
        function: 'transfer',
        arguments: [
          { kind: 'address', address: alice.publicKey(), muxedId: null },
          { kind: 'integer', type: 'i128', value: 5n },
        ],
      },
      { kind: 'call', contract, function: 'burn', arguments: [] },
    ],
  })
  assert.deepEqual(asked.operations, ['authorization'])
  assert.deepEqual(asked.attach(alice.rawPublicKey(), new Uint8Array(64)), {})
})

test('M-22 CAP-71: the preimage with its address, of an account and of a contract', () => {
  const own = ask({ preimage: base64(boundHex(ACCOUNT)) })
  assert.equal(own.hash, digest(boundHex(ACCOUNT)))
  assert.equal(viewOf(own).form, 'with-address')
  assert.equal(viewOf(own).credentials, 'address-v2')
  assert.equal(viewOf(own).address, alice.publicKey())
  const contract = ask({ preimage: base64(boundHex(u32(1) + CONTRACT)) })
  assert.equal(viewOf(contract).address, StrKey.encodeContract(fromHex(CONTRACT) ?? new Uint8Array()))
  assert.equal(viewOf(contract).asDelegate, false)
  assert.match(contract.sentence, /as its signer G/)
  // A co-signer of the account: policy sees whose it is.
  assert.equal(viewOf(ask({ preimage: base64(boundHex(ACCOUNT)) }, signatory(bob))).address, alice.publicKey())
})

test('M-22 the network in the preimage must be the key’s, in both forms', () => {
  for (const [id, name] of [
    [PUBLIC_ID, /the network public, and the key is bound to testnet/],
    ['00'.repeat(32), /network id 0000/],
  ] as const) {
    refused({ preimage: base64(legacyHex(id)) }, 'preimage.networkId', name)
    refused({ preimage: base64(boundHex(ACCOUNT, id)) }, 'preimage.networkId', name)
  }
  assert.equal(viewOf(ask({ preimage: base64(legacyHex(PUBLIC_ID)) }, signatory(alice, 'public'))).network, 'public')
})

test('T31 CAP-71-02: a legacy signature is good for every account of its key, one with the address for one only', () => {
  const [one, other] = [alice.publicKey(), contractId]
  const preimage = (form: Form, address: string): xdr.HashIdPreimage =>
    buildAuthorizationEntryPreimage(entryFor(address, form), 900, Networks.TESTNET)
  const legacy = (address: string) => ask({ preimage: preimage('sorobanCredentialsAddress', address).toXdr('base64') })
  const bound = (address: string) => ask({ preimage: preimage('sorobanCredentialsAddressV2', address).toXdr('base64') })
  assert.equal(legacy(one).hash, legacy(other).hash)
  assert.notEqual(bound(one).hash, bound(other).hash)
  // So the view of the first says that nobody is named, and people are told.
  assert.equal(viewOf(legacy(one)).address, null)
  assert.match(legacy(one).sentence, /EVERY ACCOUNT/)
  assert.match(
    ask({ entry: entryFor(one, 'sorobanCredentialsAddress').toXdr('base64'), expirationLedger: 9 }).sentence,
    /EVERY OTHER/,
  )
  assert.doesNotMatch(bound(one).sentence, /EVERY/)
  // Legacy with and without its entry is the same signature, and the same place.
  const entry = ask({ entry: entryFor(one, 'sorobanCredentialsAddress').toXdr('base64'), expirationLedger: 900 })
  assert.equal(entry.hash, legacy(one).hash)
  assert.deepEqual(entry.slot(), legacy(one).slot())
})

test('M-22 the signed entry equals what authorizeEntry of the SDK makes: every form, deep trees, own earlier signature', async () => {
  const own = alice.publicKey()
  const nested = delegated(contractId, [
    { address: own },
    { address: bob.publicKey(), nestedDelegates: [{ address: own }, { address: carol.publicKey() }] },
  ])
  const entries: readonly (readonly [string, xdr.SorobanAuthorizationEntry])[] = [
    ['legacy', entryFor(own, 'sorobanCredentialsAddress', { depth: 6 })],
    ['v2', entryFor(own)],
    ['v2 with an empty list', entryFor(own, undefined, { signature: xdr.ScVal.scvVec([]) })],
    ['delegate', delegated(contractId, [{ address: own }, { address: bob.publicKey() }])],
    ['nested delegate, twice', nested],
    ['own account with delegates', delegated(own, [{ address: bob.publicKey() }])],
  ]
  for (const [name, entry] of entries) {
    for (const expirationLedger of [700, 4_294_967_295]) {
      const theirs = await authorizeEntry(entry, alice, expirationLedger, Networks.TESTNET, own)
      const asked = ask({ entry: entry.toXdr('base64'), expirationLedger })
      const payload = sha256(buildAuthorizationEntryPreimage(entry, expirationLedger, Networks.TESTNET).toXdr())
      assert.equal(asked.hash, toHex(payload), name)
      const signed = signedBy(alice, asked)
      assert.equal(signed, theirs.toXdr('base64'), name)
      // Once more, with what is there now: nothing changes.
      assert.equal(signedBy(alice, ask({ entry: signed })), signed, name)
      // And with a new expiration, since nobody else has signed.
      const later = await authorizeEntry(theirs, alice, 800, Networks.TESTNET, own)
      assert.equal(signedBy(alice, ask({ entry: signed, expirationLedger: 800 })), later.toXdr('base64'), name)
      assert.equal(viewOf(asked).asDelegate, name.includes('delegate') && !name.startsWith('own'), name)
      assert.equal(viewOf(asked).expirationLedger, expirationLedger)
    }
  }
})

test('M-22 partial signatures: those of other signers stay, in the order the host asks for', async () => {
  const [low, high] = [alice, bob, carol].toSorted((a, b) =>
    toHex(a.rawPublicKey()) < toHex(b.rawPublicKey()) ? -1 : 1,
  )
  assert.ok(low && high)
  for (const [first, second] of [
    [low, high],
    [high, low],
  ] as const) {
    const entry = entryFor(second.publicKey())
    const sign = async (preimage: xdr.HashIdPreimage) => {
      const signature = first.sign(sha256(preimage.toXdr()))
      return { signature, publicKey: first.publicKey() }
    }
    const half = await authorizeEntry(entry, sign, 700, Networks.TESTNET)
    const asked = ask({ entry: half.toXdr('base64') }, signatory(second))
    const whole = xdr.SorobanAuthorizationEntry.fromXdr(signedBy(second, asked), 'base64')
    assert.ok(whole.credentials.type === 'sorobanCredentialsAddressV2')
    const { signature } = whole.credentials.addressV2
    assert.ok(signature.type === 'scvVec' && signature.vec !== null)
    const keys = signature.vec.map(value => {
      assert.ok(value.type === 'scvMap' && value.map?.[0]?.val.type === 'scvBytes')
      return toHex(value.map[0].val.bytes.toBytes())
    })
    assert.deepEqual(keys, [toHex(low.rawPublicKey()), toHex(high.rawPublicKey())])
    refused(
      { entry: half.toXdr('base64'), expirationLedger: 701 },
      'expirationLedger',
      /must stay 700/,
      signatory(second),
    )
  }
  // Another delegate's signature stays too.
  const both = delegated(contractId, [{ address: alice.publicKey() }, { address: bob.publicKey() }])
  const byBob = await authorizeEntry(both, bob, 700, Networks.TESTNET, bob.publicKey())
  const byBoth = await authorizeEntry(byBob, alice, 700, Networks.TESTNET, alice.publicKey())
  assert.equal(signedBy(alice, ask({ entry: byBob.toXdr('base64') })), byBoth.toXdr('base64'))
  refused({ entry: byBob.toXdr('base64'), expirationLedger: 5 }, 'expirationLedger', /must stay 700/)
})

test('M-22 an entry is for the key itself, or has it among its delegates', () => {
  const expirationLedger = 9
  const refuse = (entry: xdr.SorobanAuthorizationEntry, reason: RegExp) =>
    refused({ entry: entry.toXdr('base64'), expirationLedger }, 'entry', reason)
  refuse(entryFor(bob.publicKey()), /is for G.* neither that nor a delegate/)
  refuse(entryFor(contractId), /send the preimage/)
  refuse(delegated(contractId, [{ address: bob.publicKey() }]), /neither that nor a delegate/)
  refuse(sourceAuthorization(invocationTree(0)), /signature of the transaction authorizes it/)
  const odd = xdr.ScAddress.scAddressTypeMuxedAccount(
    new xdr.MuxedEd25519Account({ id: 1n, ed25519: alice.rawPublicKey() }),
  )
  const held = { nonce: 1n, signatureExpirationLedger: 5, signature: xdr.ScVal.scvVoid() }
  const credentials = xdr.SorobanCredentials.sorobanCredentialsAddressV2(
    new xdr.SorobanAddressCredentials({ address: odd, ...held }),
  )
  refuse(new xdr.SorobanAuthorizationEntry({ credentials, rootInvocation: invocationTree(0) }), /neither an account/)
})

test('M-22 delegates out of order or twice, which no host takes, are refused', () => {
  const good = delegated(contractId, [{ address: alice.publicKey() }, { address: bob.publicKey() }])
  assert.ok(good.credentials.type === 'sorobanCredentialsAddressWithDelegates')
  const { addressCredentials, delegates } = good.credentials.addressWithDelegates
  const withDelegates = (list: xdr.SorobanDelegateSignature[]) =>
    new xdr.SorobanAuthorizationEntry({
      credentials: xdr.SorobanCredentials.sorobanCredentialsAddressWithDelegates(
        new xdr.SorobanAddressCredentialsWithDelegates({ addressCredentials, delegates: list }),
      ),
      rootInvocation: good.rootInvocation,
    }).toXdr('base64')
  const [first] = delegates
  assert.ok(first)
  assert.ok(ask({ entry: withDelegates(delegates) }))
  const nested = new xdr.SorobanDelegateSignature({
    address: first.address,
    signature: first.signature,
    nestedDelegates: delegates.toReversed(),
  })
  for (const list of [delegates.toReversed(), [...delegates, ...delegates], [nested]]) {
    refused({ entry: withDelegates(list) }, 'entry', /twice, or .* order/)
  }
})

test('M-22 a slot that holds something else, or 20 others, has no room', () => {
  const own = alice.publicKey()
  const held = (signature: xdr.ScVal) => ({
    entry: entryFor(own, undefined, { expiration: 5, signature }).toXdr('base64'),
  })
  const one = (label: string): xdr.ScVal =>
    xdr.ScVal.scvMap([
      new xdr.ScMapEntry({
        key: xdr.ScVal.scvSymbol('public_key'),
        val: xdr.ScVal.scvBytes(testKey(label).rawPublicKey()),
      }),
      new xdr.ScMapEntry({ key: xdr.ScVal.scvSymbol('signature'), val: xdr.ScVal.scvBytes(new Uint8Array(64)) }),
    ])
  const some = (count: number) => xdr.ScVal.scvVec(Array.from({ length: count }, (_, at) => one(`slot ${at}`)))
  assert.ok(ask(held(some(19))))
  refused(held(some(20)), 'entry', /holds 20 signatures/)
  for (const value of [
    xdr.ScVal.scvU32(1),
    xdr.ScVal.scvVec(null),
    xdr.ScVal.scvVec([xdr.ScVal.scvVoid()]),
    xdr.ScVal.scvVec([xdr.ScVal.scvMap(null)]),
    xdr.ScVal.scvVec([xdr.ScVal.scvMap([])]),
  ]) {
    refused(held(value), 'entry', /form that accounts do not have/)
  }
})

test('M-22 bad input: fields, kinds, spellings, expirations', () => {
  const entry = entryFor(alice.publicKey()).toXdr('base64')
  const preimage = base64(legacyHex())
  refused({}, 'preimage, entry', /only one/)
  refused({ entry, preimage }, 'preimage, entry', /only one/)
  refused({ preimage, expirationLedger: 5 }, 'expirationLedger', /stands in the preimage/)
  refused({ preimage, network: 'public' }, 'network', /not a field/)
  refused({ preimage: 5 }, 'preimage', /base64/)
  refused({ preimage: '' }, 'preimage', /base64/)
  refused({ preimage: `${preimage}\n` }, 'preimage', /exact base64/)
  refused({ preimage: 'A'.repeat(65_540) }, 'preimage', /limit/)
  refused({ preimage: base64(`${legacyHex()}00000000`) }, 'preimage', /./)
  refused({ preimage: base64(legacyHex().slice(0, -8)) }, 'preimage', /./)
  refused({ entry: preimage }, 'entry', /./)
  refused({ entry }, 'expirationLedger', /must be given/)
  for (const expirationLedger of [0, -1, 1.5, 4_294_967_296, '5', null, Number.NaN]) {
    refused({ entry, expirationLedger }, 'expirationLedger', /number of a ledger/)
  }
  for (const type of [6, 7, 8, 0, 2, 11])
    refused({ preimage: base64(u32(type) + legacyHex().slice(8)) }, 'preimage', /./)
  const contractIdPreimage = xdr.HashIdPreimage.envelopeTypeContractId(
    new xdr.HashIdPreimageContractId({
      networkId: fromHex(TESTNET_ID) ?? new Uint8Array(),
      contractIdPreimage: xdr.ContractIdPreimage.contractIdPreimageFromAsset(xdr.Asset.assetTypeNative()),
    }),
  )
  refused({ preimage: contractIdPreimage.toXdr('base64') }, 'preimage', /another kind \(envelopeTypeContractId\)/)
})

test('T30 the whole tree is in the view and in the sentences, and what is signed is in the JSON', () => {
  const asked = ask({
    entry: entryFor(alice.publicKey(), undefined, { depth: 29 }).toXdr('base64'),
    expirationLedger: 9,
  })
  assert.equal(viewOf(asked).invocations.length, 30)
  const { json, sentences } = asked.describe()
  assert.equal(sentences.length, 30)
  assert.match(asked.sentence, /and 10 more calls; nonce -5; good until ledger 9; network testnet\.$/)
  const preimage = xdr.HashIdPreimage.fromJson(json as never)
  assert.equal(toHex(sha256(preimage.toXdr())), asked.hash)
  assert.ok(JSON.stringify(json).includes('"-5"'))
})

test('T30 M-61 one nonce of an account is one place for all versions that sign for it, also where the preimage names nobody', () => {
  const next = { ...signatory(bob), account: alice.publicKey() }
  const entry = entryFor(alice.publicKey(), 'sorobanCredentialsAddress')
  const preimage = toBase64(buildAuthorizationEntryPreimage(entry, 100, Networks.TESTNET).toXdr())
  const slots = [
    ask({ preimage }),
    ask({ preimage }, next),
    ask({ entry: toBase64(entry.toXdr()), expirationLedger: 100 }, next),
  ]
  for (const asked of slots) assert.deepEqual(asked.slot(), slots[0]?.slot())
  assert.equal(slots[0]?.slot()?.slot, `auth|testnet|${alice.publicKey()}|-5`)
})

test('T30 one nonce, one authorization: a slot that another call or another expiration cannot take', () => {
  const entry = entryFor(alice.publicKey()).toXdr('base64')
  const first = ask({ entry, expirationLedger: 100 }).slot()
  assert.deepEqual(ask({ entry, expirationLedger: 100 }).slot(), first)
  const later = ask({ entry, expirationLedger: 200 }).slot()
  assert.ok(first && later)
  assert.equal(first.slot, `auth|testnet|${alice.publicKey()}|-5`)
  assert.equal(later.slot, first.slot)
  // Not the same effects, and no higher fee: whoever compares finds no way past.
  assert.notEqual(later.effects, first.effects)
  assert.equal(later.fee, first.fee)
  assert.equal(first.expiresAt, undefined)
  // Two names of one network share their nonces.
  const local = ask({ entry, expirationLedger: 100 }, signatory(alice, 'local')).slot()
  assert.deepEqual(ask({ entry, expirationLedger: 100 }, signatory(alice, 'standalone')).slot(), local)
})

test('M-61 a key that signs for another account: its signature goes where the account stands, under its own public key', async () => {
  const who = signatoryOf(bob.publicKey(), 'testnet', alice.publicKey())
  const mine = (fields: Record<string, unknown>): Asked => ask(fields, who)
  // authorizeEntry looks for the credentials of this address, and is told under which key the signature is.
  const theirs = (entry: xdr.SorobanAuthorizationEntry) =>
    authorizeEntry(
      entry,
      async preimage => ({ signature: bob.sign(sha256(preimage.toXdr())), publicKey: bob.publicKey() }),
      700,
      Networks.TESTNET,
      alice.publicKey(),
    )
  for (const form of ['sorobanCredentialsAddress', 'sorobanCredentialsAddressV2'] as const) {
    const entry = entryFor(alice.publicKey(), form)
    const asked = mine({ entry: entry.toXdr('base64'), expirationLedger: 700 })
    assert.equal(signedBy(bob, asked), (await theirs(entry)).toXdr('base64'), form)
    assert.deepEqual([viewOf(asked).address, viewOf(asked).asDelegate], [alice.publicKey(), false])
    assert.match(asked.sentence, new RegExp(`Authorize for ${alice.publicKey()} as its signer ${bob.publicKey()}`))
    const other = ask({ entry: entry.toXdr('base64'), expirationLedger: 700 })
    assert.deepEqual(asked.slot()?.slot, other.slot()?.slot, 'one nonce of one account, whichever of its keys signs')
  }
  const chosen = delegated(contractId, [{ address: alice.publicKey() }])
  const asked = mine({ entry: chosen.toXdr('base64') })
  assert.equal(signedBy(bob, asked), (await theirs(chosen)).toXdr('base64'), 'as the delegate that the account is')
  assert.match(asked.sentence, new RegExp(`as its delegate ${alice.publicKey()}`))

  // The bare address is not its account: neither an entry for it nor a place among the delegates is filled.
  for (const entry of [entryFor(bob.publicKey()), delegated(contractId, [{ address: bob.publicKey() }])]) {
    refused(
      { entry: entry.toXdr('base64'), expirationLedger: 700 },
      'entry',
      /the account G\w+ of the key G\w+ is/,
      who,
    )
  }
  // A signature of the account's other key is that of another: its expiration holds.
  const first = await authorizeEntry(entryFor(alice.publicKey()), alice, 700, Networks.TESTNET)
  refused({ entry: first.toXdr('base64'), expirationLedger: 5 }, 'expirationLedger', /must stay 700/, who)
  const again = signedBy(bob, mine({ entry: first.toXdr('base64') }))
  assert.equal(signedBy(bob, mine({ entry: again })), again, 'its own earlier one gives way')

  // A legacy preimage names nobody, and is one place of the account's nonces for all of its keys.
  const preimage = base64(legacyHex())
  assert.equal(mine({ preimage }).slot()?.slot, ask({ preimage }).slot()?.slot)
  assert.match(mine({ preimage }).sentence, new RegExp(`EVERY ACCOUNT that ${bob.publicKey()} can sign for`))
})
