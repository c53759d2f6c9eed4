/** What other platforms leave behind: rows under a passphrase, and ciphertexts of a key service. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { Keypair } from '@stellar/stellar-sdk/base'

/** As the platform writes it: standard base64 of nonce, AES-128-GCM and tag, under the first half of SHA-256. */
export function passphraseRow(plaintext: string, passphrase: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-128-gcm', createHash('sha256').update(passphrase).digest().subarray(0, 16), nonce)
  return Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
    'base64',
  )
}

/** A key of its own for every number, the same in every run. */
export const numbered = (number: number): Keypair =>
  Keypair.fromRawEd25519Seed(createHash('sha256').update(`migration ${number}`).digest())

/** JSON Lines. */
export const jsonLines = (rows: readonly object[]): string => `${rows.map(row => JSON.stringify(row)).join('\n')}\n`
