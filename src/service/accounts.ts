import { isAccountAddress } from '../chains/stellar/index.ts'
import { malformed } from '../domain/errors.ts'
import type { Chain } from '../domain/key.ts'

const KINDS: Readonly<Record<string, readonly [what: string, fix: string]>> = {
  M: ['a muxed account (M…)', 'give the account underneath (G…)'],
  C: [
    'a contract (C…)',
    'leave it out: a contract account names its signers itself, and policy grants it in authorizations',
  ],
}

/**
 * Whether a version may be said to sign for this account. Nobody asks the network: the key may be added there later.
 * @throws `request/malformed` unless it is a Stellar account (G…, with the right checksum); its text is not repeated
 */
export function checkAccount(chain: Chain, account: string | undefined): void {
  if (account === undefined) return
  if (chain !== 'stellar')
    throw malformed('account', 'is of Stellar: the account of an EVM key is its address', 'leave it out')
  if (isAccountAddress(account)) return
  const [what, fix] = KINDS[account.charAt(0)] ?? []
  if (what !== undefined && fix !== undefined) throw malformed('account', `is ${what}`, fix)
  throw malformed('account', 'is not the address of a Stellar account with its checksum', 'give the G… address')
}

/** For records and answers: nothing where it is the address. */
export const accountDetail = ({ account, address }: { readonly account: string; readonly address: string }) =>
  account === address ? {} : { account }
