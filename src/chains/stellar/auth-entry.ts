import { xdr } from '@stellar/stellar-sdk/base'
import { equalBytes } from '../../bytes/equal.ts'
import { toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { Digest32 } from '../../domain/brands.ts'
import type { SlotClaim } from '../../domain/claims.ts'
import type { Signatory } from '../../domain/payload.ts'
import type { StellarAuthorizationView } from '../../domain/stellar.ts'
import { refuse } from '../refusal.ts'
import { checkSlots, isDelegate } from './auth-credentials.ts'
import { fieldsOf, oneOf, textOf } from './fields.ts'
import { networkIdOf, sameNetworkName, STELLAR_NETWORKS } from './networks.ts'
import { bytesOf, canonical, decoding } from './parse.ts'
import { addressCredentialsOf, treeOf } from './soroban.ts'
import { strkeyOf } from './values.ts'

type AuthorizationPreimage =
  | xdr.HashIdPreimageSorobanAuthorizationArm
  | xdr.HashIdPreimageSorobanAuthorizationWithAddressArm

export interface AuthorizationParsed {
  readonly signatory: Signatory
  readonly view: StellarAuthorizationView
  readonly preimage: AuthorizationPreimage
  /** SHA-256 of our own encoding of `preimage`: what the host asks for a signature of. */
  readonly hash: Digest32
  /** What was sent, where it was an entry, with the expiration that was asked for. */
  readonly entry: xdr.SorobanAuthorizationEntry | undefined
}

const LEDGER_MAX = 0xffff_ffff

/**
 * `{type: 'stellar-auth-entry', preimage}` or `{…, entry, expirationLedger?}` to a typed authorization. The network is the
 * key's. An entry must be for the account of the key or have it among its delegates, since a signature is put in; a
 * preimage may name any account that the key is a signer of, and policy judges which. What was decoded is encoded again and
 * must equal the input byte for byte.
 * @throws `payload/invalid` with field and reason, whatever the input
 * @see CAP-46-11 (legacy payload), CAP-71-01 (delegates), CAP-71-02 (payload with the address)
 */
export function parseAuthorization(
  payload: Readonly<Record<string, unknown>>,
  signatory: Signatory,
): AuthorizationParsed {
  const fields = fieldsOf(payload, 'stellar-auth-entry', ['preimage', 'entry', 'expirationLedger'])
  const kind = oneOf(fields, ['preimage', 'entry'])
  const bytes = bytesOf(
    kind,
    textOf(fields, kind, `${kind === 'entry' ? 'an authorization entry' : 'a preimage'} in base64`),
  )
  if (kind === 'entry') return decoding(kind, 'an authorization entry', () => fromEntry(bytes, fields, signatory))
  if (fields['expirationLedger'] !== undefined) throw refuse('expirationLedger', 'stands in the preimage itself')
  return decoding(kind, 'the preimage of an authorization', () => fromPreimage(bytes, signatory))
}

function fromPreimage(bytes: Uint8Array, signatory: Signatory): AuthorizationParsed {
  const preimage = canonical('preimage', xdr.HashIdPreimage, bytes)
  switch (preimage.type) {
    case 'envelopeTypeSorobanAuthorization': {
      checkNetwork(preimage.value.networkId.toBytes(), signatory.network)
      return parsed(signatory, preimage, { credentials: 'address', address: null, asDelegate: false })
    }
    case 'envelopeTypeSorobanAuthorizationWithAddress': {
      checkNetwork(preimage.value.networkId.toBytes(), signatory.network)
      const address = accountAddress('preimage', preimage.value.address)
      return parsed(signatory, preimage, { credentials: 'address-v2', address, asDelegate: false })
    }
    default:
      throw refuse('preimage', `is a preimage of another kind (${preimage.type}); only authorizations are signed`)
  }
}

function fromEntry(
  bytes: Uint8Array,
  fields: Partial<Record<string, unknown>>,
  signatory: Signatory,
): AuthorizationParsed {
  const entry = canonical('entry', xdr.SorobanAuthorizationEntry, bytes)
  const { credentials } = entry
  const found = addressCredentialsOf(credentials)
  if (found === undefined) {
    throw refuse('entry', 'has the credentials of the source account: the signature of the transaction authorizes it')
  }
  const { kind, held } = found
  const address = accountAddress('entry', held.address)
  const { account } = signatory
  const asDelegate = address !== account
  if (asDelegate && !isDelegate(credentials, account)) {
    const fix = address.startsWith('C') ? '; for a signer of a contract account send the preimage' : ''
    throw refuse('entry', `is for ${address}, and ${whoIs(signatory)} is neither that nor a delegate${fix}`)
  }
  const expiration = expirationOf(fields['expirationLedger'], held.signatureExpirationLedger)
  checkSlots(credentials, signatory, expiration)
  const preimage = preimageOf(entry, held, expiration, signatory.network)
  return parsed(signatory, preimage, { credentials: kind, address, asDelegate }, entry)
}

const whoIs = ({ account, address }: Signatory): string =>
  account === address ? `the key ${address}` : `the account ${account} of the key ${address}`

function expirationOf(asked: unknown, held: number): number {
  if (asked !== undefined && (!Number.isInteger(asked) || (asked as number) < 1 || (asked as number) > LEDGER_MAX)) {
    throw refuse('expirationLedger', `must be the number of a ledger, 1 to ${LEDGER_MAX}`)
  }
  const expiration = asked === undefined ? held : (asked as number)
  if (expiration === 0) throw refuse('expirationLedger', 'must be given: the entry has none yet')
  return expiration
}

/** Legacy credentials are signed without their address; all later ones with that of the entry, delegates too. */
function preimageOf(
  { credentials, rootInvocation: invocation }: xdr.SorobanAuthorizationEntry,
  { address, nonce }: xdr.SorobanAddressCredentials,
  signatureExpirationLedger: number,
  network: string,
): AuthorizationPreimage {
  const shared = { networkId: networkIdOf(network), nonce, signatureExpirationLedger, invocation }
  return credentials.type === 'sorobanCredentialsAddress'
    ? xdr.HashIdPreimage.envelopeTypeSorobanAuthorization(new xdr.HashIdPreimageSorobanAuthorization(shared))
    : xdr.HashIdPreimage.envelopeTypeSorobanAuthorizationWithAddress(
        new xdr.HashIdPreimageSorobanAuthorizationWithAddress({ ...shared, address }),
      )
}

function parsed(
  signatory: Signatory,
  preimage: AuthorizationPreimage,
  who: Pick<StellarAuthorizationView, 'credentials' | 'address' | 'asDelegate'>,
  entry?: xdr.SorobanAuthorizationEntry,
): AuthorizationParsed {
  const { nonce, signatureExpirationLedger, invocation } = preimage.value
  const view: StellarAuthorizationView = {
    kind: 'authorization',
    network: signatory.network,
    form: preimage.type === 'envelopeTypeSorobanAuthorization' ? 'legacy' : 'with-address',
    ...who,
    nonce,
    expirationLedger: signatureExpirationLedger,
    invocations: treeOf(invocation),
  }
  return { signatory, view, preimage, hash: sha256(preimage.toXdr()), entry }
}

/** Only accounts and contracts can authorize; the encoding has more kinds of addresses. */
function accountAddress(field: string, address: xdr.ScAddress): string {
  if (address.type !== 'scAddressTypeAccount' && address.type !== 'scAddressTypeContract') {
    throw refuse(field, 'is for an address that is neither an account (G…) nor a contract (C…)')
  }
  return strkeyOf(address)
}

function checkNetwork(found: Uint8Array, network: string): void {
  if (equalBytes(found, networkIdOf(network))) return
  const known = STELLAR_NETWORKS.find(name => equalBytes(networkIdOf(name), found))
  const other = known === undefined ? `network id ${toHex(found)}` : `the network ${known}`
  throw refuse('preimage.networkId', `is for ${other}, and the key is bound to ${network}`)
}

/**
 * The nonce of the account. The same authorization may be signed again; another one for the same nonce never, not even the
 * same call with a later expiration: the host remembers a nonce up to the expiration it was used with and no longer
 * (CAP-46-11), so of two expirations both may run. A nonce is random and costs nothing: who needs more time makes a new one,
 * and it is judged and counted as the second permission that it is. A ledger has no time that could be told beforehand, so
 * the place has no end.
 */
export function authorizationSlot({ signatory, view, hash }: AuthorizationParsed): SlotClaim {
  const id = toHex(hash)
  const account = view.address ?? signatory.account
  const slot = `auth|${sameNetworkName(view.network)}|${account}|${view.nonce}`
  return { slot, hash: id, effects: id, fee: 0n }
}
