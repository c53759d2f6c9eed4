import type { Authorization } from './model.ts'

const TEXT_CHARS_MAX = 200
const NATIVE_DECIMALS = 18
const ZERO_ADDRESS = '0x0000000000000000000000000000000000000000'

/**
 * Text that a caller chose, in quotation marks it cannot leave, in printable ASCII and of a length to read; what is left
 * out is counted.
 */
export function quoted(text: string): string {
  let [shown, count] = ['', 0]
  for (const letter of text) {
    if (count++ < TEXT_CHARS_MAX) shown += shownLetter(letter)
  }
  const left = count - TEXT_CHARS_MAX
  return `"${shown}"${left > 0 ? ` and ${left} more characters` : ''}`
}

function shownLetter(letter: string): string {
  const code = letter.codePointAt(0) ?? 0
  if (letter === '"' || letter === '\\') return `\\${letter}`
  return code >= 0x20 && code < 0x7f ? letter : `\\u{${code.toString(16)}}`
}

/** Hex that may be long. */
export function hexText(hex: string): string {
  const size = (hex.length - 2) / 2
  return size <= 64 ? hex : `${hex.slice(0, 66)} and ${size - 32} more bytes`
}

/** Wei, and the same in whole coins of the chain: all of them count 18 places. */
export function weiText(wei: bigint): string {
  const digits = wei.toString().padStart(NATIVE_DECIMALS + 1, '0')
  const fraction = digits.slice(-NATIVE_DECIMALS).replace(/0+$/, '')
  const whole = digits.slice(0, -NATIVE_DECIMALS)
  return `${wei} wei (${whole}${fraction === '' ? '' : `.${fraction}`} of the chain's coin)`
}

/** @param account  who signs it; undefined: no account does. */
export function authorizationText({ chainId, address, nonce }: Authorization, account: string | undefined): string {
  const who = account ?? 'An account that cannot be told'
  const does = address === ZERO_ADDRESS ? 'gives up the code it runs' : `hands itself over to the code at ${address}`
  return `${who} ${does} (EIP-7702), on ${chainId === 0n ? 'every chain' : `chain ${chainId}`}, at nonce ${nonce}`
}
