import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { Keypair, StrKey } from '@stellar/stellar-sdk/base'
import { hashMessage, recoverMessageAddress, toHex as viemHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  eip191Digest,
  provesAddress,
  readAddress,
  sep53Digest,
  signedByAccount,
} from '../../../src/access/address-proof.ts'
import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { evmPerson, stellarPerson } from '../../support/login-world.ts'

const encoder = new TextEncoder()
const vectors = JSON.parse(readFileSync(new URL('../../vectors/sep-0053/messages.json', import.meta.url), 'utf8')) as {
  address: string
  cases: { text?: string; base64?: string; signature: string }[]
}

test('M-23 SEP-53: the three cases of the specification', async () => {
  for (const { text, base64, signature } of vectors.cases) {
    const bytes = text === undefined ? fromBase64(base64 ?? '') : encoder.encode(text)
    assert.ok(bytes)
    assert.equal(await signedByAccount(vectors.address, sep53Digest(bytes), fromBase64(signature)), true)
    if (text === undefined) continue
    assert.equal(await provesAddress(vectors.address, text, signature), true)
    assert.equal(await provesAddress(vectors.address, `${text} `, signature), false)
    assert.equal(await provesAddress(stellarPerson(9).address, text, signature), false)
  }
})

test('SEP-53 agrees with the SDK', async () => {
  const keypair = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(3))
  const text = 'a text, with ünïcode\nand a line break'
  const theirs = toBase64(keypair.signMessage(text))
  assert.equal(stellarPerson(3).signText(text), theirs)
  assert.equal(await provesAddress(keypair.publicKey(), text, theirs), true)
})

test('EIP-191 agrees with viem: digests, signatures and recovered addresses', async () => {
  const person = evmPerson(7)
  const account = privateKeyToAccount(viemHex(person.secret))
  assert.equal(person.address, account.address)
  for (const text of ['', 'hello', 'ünïcode 🔑', 'x'.repeat(1000), '\n\0']) {
    assert.equal(`0x${toHex(eip191Digest(encoder.encode(text)))}`, hashMessage(text))
    const signature = await account.signMessage({ message: text })
    assert.equal(await provesAddress(person.address, text, signature), true)
    assert.equal(await provesAddress(person.address, `${text}!`, signature), false)
    const ours = person.signText(text)
    assert.equal(await recoverMessageAddress({ message: text, signature: ours as `0x${string}` }), person.address)
  }
})

test('each signature has one spelling: what is like a good one is none', async () => {
  const text = 'a text'
  const [stellar, evm] = [stellarPerson(1), evmPerson(1)]
  const good = { stellar: stellar.signText(text), evm: evm.signText(text) }
  assert.ok(await provesAddress(stellar.address, text, good.stellar))
  assert.ok(await provesAddress(evm.address, text, good.evm))
  const hex = good.evm.slice(2)
  const [r, s, v] = [hex.slice(0, 64), hex.slice(64, 128), hex.slice(128)]
  const order = secp256k1.Point.Fn.ORDER
  const high = (order - BigInt(`0x${s}`)).toString(16).padStart(64, '0')
  const other = v === '1b' ? '1c' : '1b'
  const zero = '00'.repeat(32)
  const n = order.toString(16)
  const bad: readonly [string, string, string][] = [
    ['evm: high s, with the other v', evm.address, `0x${r}${high}${other}`],
    ['evm: high s', evm.address, `0x${r}${high}${v}`],
    ['evm: the other v', evm.address, `0x${r}${s}${other}`],
    ['evm: v 0 or 1', evm.address, `0x${r}${s}0${v === '1b' ? 0 : 1}`],
    ['evm: v 29', evm.address, `0x${r}${s}1d`],
    ['evm: v of EIP-155', evm.address, `0x${r}${s}25`],
    ['evm: upper case', evm.address, `0x${hex.toUpperCase()}`],
    ['evm: 0X', evm.address, `0X${hex}`],
    ['evm: no 0x', evm.address, hex],
    ['evm: 64 bytes', evm.address, `0x${r}${s}`],
    ['evm: 66 bytes', evm.address, `0x${hex}00`],
    ['evm: odd', evm.address, `0x${hex}0`],
    ['evm: compact (EIP-2098)', evm.address, `0x${r}${s}`.slice(0, 130)],
    ['evm: r is 0', evm.address, `0x${zero}${s}${v}`],
    ['evm: s is 0', evm.address, `0x${r}${zero}${v}`],
    ['evm: r is n', evm.address, `0x${n}${s}${v}`],
    ['evm: s is n', evm.address, `0x${r}${n}${v}`],
    ['evm: empty', evm.address, ''],
    ['evm: 0x', evm.address, '0x'],
    ['evm: base64 of it', evm.address, toBase64(fromHex(hex) ?? new Uint8Array())],
    ['evm: address in lower case', evm.address.toLowerCase(), good.evm],
    ['stellar: unpadded', stellar.address, good.stellar.slice(0, -2)],
    ['stellar: url alphabet', stellar.address, good.stellar.replaceAll('+', '-').replaceAll('/', '_').slice(0, -2)],
    ['stellar: space behind', stellar.address, `${good.stellar} `],
    ['stellar: hex', stellar.address, toHex(fromBase64(good.stellar) ?? new Uint8Array())],
    ['stellar: 63 bytes', stellar.address, toBase64((fromBase64(good.stellar) ?? new Uint8Array()).subarray(1))],
    ['stellar: empty', stellar.address, ''],
    ['stellar: the signature of the other kind', stellar.address, good.evm],
    ['evm: the signature of the other kind', evm.address, good.stellar],
    ['stellar: without the prefix of SEP-53', stellar.address, toBase64(stellar.signHash(encoder.encode(text)))],
  ]
  for (const [name, address, signature] of bad) assert.equal(await provesAddress(address, text, signature), false, name)
  assert.equal(await provesAddress(evm.address, 'half \ud800', evm.signText('half \ufffd')), false)
})

test('addresses: one spelling, and nothing that only looks like one', () => {
  const [g, x] = [stellarPerson(1).address, evmPerson(1).address]
  assert.deepEqual(readAddress(g), { kind: 'stellar', address: g })
  assert.deepEqual(readAddress(x), { kind: 'evm', address: x })
  assert.deepEqual(readAddress(x.toLowerCase()), { kind: 'evm', address: x })
  const letter = Array.from(x).findIndex((character, at) => at > 1 && /[a-f]/.test(character))
  const muxed = StrKey.encodeMed25519PublicKey(
    new Uint8Array([...StrKey.decodeEd25519PublicKey(g), 0, 0, 0, 0, 0, 0, 0, 1]),
  )
  const bad = [
    '',
    g.toLowerCase(),
    ` ${g}`,
    `${g}\n`,
    g.slice(0, -1),
    `${g.slice(0, -1)}${g.endsWith('A') ? 'B' : 'A'}`,
    StrKey.encodeContract(new Uint8Array(32)),
    StrKey.encodeEd25519SecretSeed(new Uint8Array(32)),
    muxed,
    x.toUpperCase(),
    `0X${x.slice(2)}`,
    x.slice(2),
    `0x${x.slice(2).toUpperCase()}`,
    `${x.slice(0, letter)}${x.charAt(letter).toUpperCase()}${x.slice(letter + 1)}`,
    `${x}0`,
    x.slice(0, -1),
    `${x} `,
    `0x${'g'.repeat(40)}`,
    'alice.eth',
  ]
  for (const text of bad) assert.equal(readAddress(text), undefined, text)
})
