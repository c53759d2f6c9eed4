/** M-08: rows as disbursement platforms keep them, made here by OpenSSL and not by our cipher. */
import assert from 'node:assert/strict'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { openPassphraseRow } from '../../../src/custody/index.ts'
import { refusal } from '../../support/leaks.ts'

const PASSPHRASE = 'the passphrase of a disbursement platform'
/** A seed of i·5+3, nonce 00…0b. */
const ROW =
  'AAECAwQFBgcICQoLRFRTdlFXrQToimFFMG/8nL3BZhhdjA8K11aTfgTk3o9YN7onkbYym5bBFPFTQn83u4n+1jEZjK+WFmTvoUjtk6lzwHeClJY8'
const SEED = 'SABQQDISC4OCCJRLGA2TUP2EJFHFGWC5MJTWY4LWPOAILCUPSSMZ5KV5'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const open = (row: string, passphrase = PASSPHRASE): string =>
  new TextDecoder().decode(openPassphraseRow(text(row), text(passphrase)))
const attempt = async (row: string, passphrase = PASSPHRASE) => open(row, passphrase)

function rowOf(plaintext: Uint8Array, passphrase: string): Uint8Array {
  const key = createHash('sha256').update(passphrase).digest().subarray(0, 16)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-128-gcm', key, nonce)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

test('M-08 the fixed row opens; a line break at the end of either file is no part of it', () => {
  assert.equal(createHash('sha256').update(open(ROW)).digest('hex'), createHash('sha256').update(SEED).digest('hex'))
  for (const end of ['\n', '\r\n']) assert.equal(open(ROW + end, PASSPHRASE + end), SEED)
})

test('M-08 rows of any text and passphrase that another program made open', () => {
  for (const passphrase of ['x', 'ключ 🔑', SEED, 'a'.repeat(4000), ' spaces ', '\nstarts with a break']) {
    const plaintext = randomBytes(1 + (passphrase.length % 100))
    const row = Buffer.from(rowOf(plaintext, passphrase)).toString('base64')
    assert.deepEqual(Uint8Array.from(openPassphraseRow(text(row), text(passphrase))), Uint8Array.from(plaintext))
  }
})

test('M-08 a wrong passphrase or one flipped bit is unreadable, and nothing shows', async () => {
  for (const other of ['', `${PASSPHRASE} `, PASSPHRASE.toUpperCase(), `${PASSPHRASE}\n\n`])
    await refusal(attempt(ROW, other), 'envelope/unreadable', [PASSPHRASE, SEED])
  const row = Buffer.from(ROW, 'base64')
  for (let at = 0; at < row.length; at++) {
    const damaged = Buffer.from(row.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)))
    await refusal(attempt(damaged.toString('base64')), 'envelope/unreadable', [PASSPHRASE, SEED])
  }
})

test('M-08 what is no row is malformed', async () => {
  const short = Buffer.alloc(28).toString('base64')
  for (const row of ['', 'no base64!', ROW.slice(0, -1), `${ROW}\n${ROW}`, ` ${ROW}`, short, 'AAAA'])
    await refusal(attempt(row), 'request/malformed', [PASSPHRASE])
})

test('M-08 the passphrase is wiped whatever happens', () => {
  for (const row of [ROW, 'no base64!', ROW.replace('R', 'S')]) {
    const passphrase = text(PASSPHRASE)
    const open = () => openPassphraseRow(text(row), passphrase)
    if (row === ROW) open()
    else assert.throws(open)
    assert.ok(passphrase.every(byte => byte === 0))
  }
})
