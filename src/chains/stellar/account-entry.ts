import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import type { AccountState } from '../../domain/stellar-network.ts'
import { addressOf, strkeyOf } from './values.ts'

/** Base64 XDR of the ledger key under which an account stands. @throws RangeError unless it is a G… address */
export function accountKeyOf(address: string): string {
  if (!StrKey.isValidEd25519PublicKey(address)) throw new RangeError('Cannot make an account key: not a G… address')
  const accountId = xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(address))
  return xdr.LedgerKey.account(new xdr.LedgerKeyAccount({ accountId })).toXdr('base64')
}

/**
 * An account as it stands in the ledger. The first of the four thresholds is the weight of the master key.
 * @param data  base64 XDR of LedgerEntryData, as Soroban RPC answers it
 * @throws Error when it is anything but an account in canonical form
 */
export function readAccountEntry(data: string): AccountState {
  const entry = exactly(data, bytes => xdr.LedgerEntryData.fromXdr(bytes))
  if (entry.type !== 'account') throw new Error('the ledger entry is no account')
  const { accountId, seqNum, thresholds, signers } = entry.account
  const [master = 0, low = 0, medium = 0, high = 0] = thresholds.toBytes()
  const address = addressOf(accountId)
  return {
    address,
    sequence: seqNum,
    thresholds: { low, medium, high },
    signers: [
      { key: address, weight: master },
      ...signers.map(({ key, weight }) => ({ key: strkeyOf(key), weight })),
    ].filter(({ weight }) => weight > 0),
  }
}

/** @throws Error unless the text is exact base64 and our own encoding of what it says is the same */
export function exactly<T extends { toXdr(): Uint8Array }>(text: string, decode: (bytes: Uint8Array) => T): T {
  const bytes = fromBase64(text)
  if (bytes === undefined) throw new Error('it is not exact base64')
  const value = decode(bytes)
  if (!equalBytes(value.toXdr(), bytes)) throw new Error('it is not canonical')
  return value
}
