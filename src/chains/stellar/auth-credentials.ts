import { xdr } from '@stellar/stellar-sdk/base'
import { equalBytes } from '../../bytes/equal.ts'
import { SIGNATURES_MAX } from './parse.ts'
import { refuse } from '../refusal.ts'
import { addressCredentialsOf } from './soroban.ts'
import { strkeyOf } from './values.ts'

/** A place for a signature: of the address itself, or of a delegate at any depth. */
interface Place {
  readonly address: xdr.ScAddress
  readonly signature: xdr.ScVal
}

function placesOf(credentials: xdr.SorobanCredentials): Place[] {
  const own = addressCredentialsOf(credentials)?.held
  const places: Place[] = own === undefined ? [] : [own]
  return credentials.type === 'sorobanCredentialsAddressWithDelegates'
    ? [...places, ...delegatesOf(credentials.addressWithDelegates.delegates)]
    : places
}

/** As deep as the decoder lets an entry be. */
const delegatesOf = (delegates: readonly xdr.SorobanDelegateSignature[]): xdr.SorobanDelegateSignature[] =>
  delegates.flatMap(each => [each, ...delegatesOf(each.nestedDelegates)])

export const isDelegate = (credentials: xdr.SorobanCredentials, address: string): boolean =>
  credentials.type === 'sorobanCredentialsAddressWithDelegates' &&
  delegatesOf(credentials.addressWithDelegates.delegates).some(each => isAccount(each.address, address))

const isAccount = (found: xdr.ScAddress, address: string): boolean =>
  found.type === 'scAddressTypeAccount' && strkeyOf(found) === address

/**
 * Whether a signature of this key can be put in where its account stands. Signatures that are there stay, so they must be of
 * this very payload: a new expiration would make them worthless.
 * @throws `payload/invalid`
 */
export function checkSlots(
  credentials: xdr.SorobanCredentials,
  { account: ours, address }: { readonly account: string; readonly address: string },
  expiration: number,
): void {
  if (credentials.type === 'sorobanCredentialsAddressWithDelegates') {
    checkOrder(credentials.addressWithDelegates.delegates)
  }
  const old = addressCredentialsOf(credentials)?.held.signatureExpirationLedger
  for (const place of placesOf(credentials)) {
    const isOurs = isAccount(place.address, ours)
    const signatures = signaturesIn(place.signature)
    if (isOurs && signatures === undefined) {
      throw refuse('entry', `holds a signature of ${ours} in a form that accounts do not have`)
    }
    const others = isOurs ? (signatures ?? []).filter(({ account }) => account !== address).length : 1
    const isSigned = signatures === undefined || signatures.length > 0
    if (isSigned && others > 0 && old !== expiration) {
      throw refuse('expirationLedger', `must stay ${old}, since others have signed the entry with it`)
    }
    if (isOurs && others >= SIGNATURES_MAX) throw refuse('entry', `holds ${others} signatures of ${ours} already`)
  }
}

/** The host takes no others. @see CAP-71-01 */
function checkOrder(delegates: readonly xdr.SorobanDelegateSignature[]): void {
  const keys = delegates.map(({ address }) => address.toXdr())
  const isAscending = keys.every((key, at) => at === 0 || compare(keys[at - 1] ?? key, key) < 0)
  if (!isAscending) throw refuse('entry', 'lists a delegate twice, or its delegates are not in ascending order')
  for (const { nestedDelegates } of delegates) checkOrder(nestedDelegates)
}

interface AccountSignature {
  readonly account: string
  readonly publicKey: Uint8Array
  readonly value: xdr.ScVal
}

/** @returns the signatures of an account; undefined for whatever else a contract may take for one. */
function signaturesIn(signature: xdr.ScVal): AccountSignature[] | undefined {
  if (signature.type === 'scvVoid') return []
  if (signature.type !== 'scvVec' || signature.vec === null) return undefined
  const found: AccountSignature[] = []
  for (const value of signature.vec) {
    const publicKey = publicKeyIn(value)
    if (publicKey === undefined) return undefined
    const account = strkeyOf(xdr.SignerKey.signerKeyTypeEd25519(publicKey))
    found.push({ account, publicKey, value })
  }
  return found
}

function publicKeyIn(value: xdr.ScVal): Uint8Array | undefined {
  if (value.type !== 'scvMap' || value.map === null) return undefined
  const [first, second, ...more] = value.map
  if (first === undefined || second === undefined || more.length > 0) return undefined
  const key = bytesUnder(first, 'public_key')
  return key?.length === 32 && bytesUnder(second, 'signature')?.length === 64 ? key : undefined
}

function bytesUnder({ key, val }: xdr.ScMapEntry, name: string): Uint8Array | undefined {
  if (key.type !== 'scvSymbol' || key.sym.toJson() !== name || val.type !== 'scvBytes') return undefined
  return val.bytes.toBytes()
}

/**
 * The credentials with this signature wherever the account stands in them that it is for: the form that the host asks of accounts, a
 * list of `{public_key, signature}` in ascending order of keys. An older signature of the same key gives way; those of other
 * signers stay.
 * @see CAP-46-11, "Stellar Account Authentication"
 */
export function withSignature(
  credentials: xdr.SorobanCredentials,
  expiration: number,
  signer: { readonly account: string; readonly publicKey: Uint8Array; readonly signature: Uint8Array },
): xdr.SorobanCredentials {
  return replaced(credentials, expiration, ({ address, signature }) =>
    isAccount(address, signer.account) ? inserted(signature, signer) : signature,
  )
}

/**
 * Credentials of the same kind, with this in the place of each signature. Those of a source account stay as they are.
 * @param expiration  absent: as it was.
 */
export function replaced(
  credentials: xdr.SorobanCredentials,
  expiration: number | undefined,
  put: (place: Place) => xdr.ScVal,
): xdr.SorobanCredentials {
  const own = (held: xdr.SorobanAddressCredentials): xdr.SorobanAddressCredentials =>
    new xdr.SorobanAddressCredentials({
      address: held.address,
      nonce: held.nonce,
      signatureExpirationLedger: expiration ?? held.signatureExpirationLedger,
      signature: put(held),
    })
  const delegated = (list: readonly xdr.SorobanDelegateSignature[]): xdr.SorobanDelegateSignature[] =>
    list.map(each => {
      const nestedDelegates = delegated(each.nestedDelegates)
      return new xdr.SorobanDelegateSignature({ address: each.address, signature: put(each), nestedDelegates })
    })
  switch (credentials.type) {
    case 'sorobanCredentialsAddress':
      return xdr.SorobanCredentials.sorobanCredentialsAddress(own(credentials.address))
    case 'sorobanCredentialsAddressV2':
      return xdr.SorobanCredentials.sorobanCredentialsAddressV2(own(credentials.addressV2))
    case 'sorobanCredentialsAddressWithDelegates': {
      const { addressCredentials, delegates } = credentials.addressWithDelegates
      return xdr.SorobanCredentials.sorobanCredentialsAddressWithDelegates(
        new xdr.SorobanAddressCredentialsWithDelegates({
          addressCredentials: own(addressCredentials),
          delegates: delegated(delegates),
        }),
      )
    }
    default:
      return credentials
  }
}

function inserted(
  held: xdr.ScVal,
  { publicKey, signature }: { readonly publicKey: Uint8Array; readonly signature: Uint8Array },
): xdr.ScVal {
  const entry = (name: string, bytes: Uint8Array): xdr.ScMapEntry =>
    new xdr.ScMapEntry({ key: xdr.ScVal.scvSymbol(name), val: xdr.ScVal.scvBytes(bytes) })
  const value = xdr.ScVal.scvMap([entry('public_key', publicKey), entry('signature', signature)])
  const others = (signaturesIn(held) ?? []).filter(other => !equalBytes(other.publicKey, publicKey))
  const all = [...others, { publicKey, value }].toSorted((a, b) => compare(a.publicKey, b.publicKey))
  return xdr.ScVal.scvVec(all.map(each => each.value))
}

/** As the host orders keys and addresses: by their bytes. */
function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index])
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? 0)
}
