import { isBase32, isStellarText, STELLAR_CHARACTERS } from '../bytes/stellar-text.ts'

/**
 * Finds what looks like a private key in a text. Detection only: nothing is decoded to be used, and no caller ever gets
 * more than yes or no.
 */

/** Whether a valid Stellar secret seed stands anywhere in the text. */
export function holdsStellarSeed(text: string): boolean {
  let run = 0
  for (let at = 0; at < text.length; at++) {
    run = isBase32(text.charAt(at)) ? run + 1 : 0
    if (run >= STELLAR_CHARACTERS && isStellarText(text.slice(at + 1 - STELLAR_CHARACTERS, at + 1), 'seed')) return true
  }
  return false
}

const TELLING = ['PRIVATE_KEY', 'PRIVATEKEY', 'SECRET', 'SEED', 'SIGNING_KEY', 'SIGNER_KEY']

/** 32 bytes of hex could be anything, so the name of the variable decides. */
export function holdsRawEvmKey(variable: string, value: string): boolean {
  const name = variable.toUpperCase()
  return TELLING.some(word => name.includes(word)) && /^(0x)?[0-9a-fA-F]{64}$/.test(value.trim())
}
