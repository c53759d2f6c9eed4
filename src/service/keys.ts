import { toBase64 } from '../bytes/base64.ts'
import { SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import type { KeyCatalogue } from '../domain/ports.ts'

/** The key as it signs now. @throws `key/unknown`, `key/not-active` */
export async function resolveKey(catalogue: Pick<KeyCatalogue, 'resolve'>, key: string): Promise<ResolvedKey> {
  const resolved = await catalogue.resolve(key)
  if (resolved === undefined) throw new SignerError('key/unknown', { key })
  return resolved
}

/** What anyone who may read a key sees of it. */
export interface KeyView {
  readonly name: string
  readonly chain: string
  readonly network: string
  readonly address: string
  /** What it signs for: on Stellar not always its address. */
  readonly account: string
  /** Base64 of the raw public key. */
  readonly publicKey: string
  readonly scheme: string
  readonly version: number
  readonly state: string
  readonly provider: string
  readonly custody: string
  readonly policyHash: string
}

/** What operators see besides: every place of the version, in order. */
export interface PlaceView {
  readonly id: string
  readonly provider: string
  readonly custody: string
  readonly reference: string
  readonly suspended?: string
}

export const placesOf = ({ bindings }: ResolvedKey): readonly PlaceView[] =>
  bindings.map(({ id, provider, custody, reference, suspended }) => ({
    id,
    provider,
    custody,
    reference,
    ...(suspended === undefined ? {} : { suspended }),
  }))

export function viewOf({ key, version, bindings }: ResolvedKey): KeyView {
  const [first] = bindings
  if (first === undefined) throw new SignerError('key/mismatch', { key: key.name, reason: 'it has no binding' })
  return {
    name: key.name,
    chain: key.chain,
    network: key.network,
    address: version.address,
    account: version.account,
    publicKey: toBase64(version.publicKey),
    scheme: version.scheme,
    version: version.version,
    state: version.state,
    provider: first.provider,
    custody: first.custody,
    policyHash: key.policyHash,
  }
}
