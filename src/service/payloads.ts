import { approvalPayloads } from '../approvals/index.ts'
import { evmPayloads } from '../chains/evm/index.ts'
import { stellar, stellarPayloads } from '../chains/stellar/index.ts'
import { evmAddress } from '../chains/evm/address.ts'
import { SignerError } from '../domain/errors.ts'
import type { Chain, ResolvedKey } from '../domain/key.ts'
import type { Asked, PayloadParser, Signatory } from '../domain/payload.ts'

export type { Asked } from '../domain/payload.ts'

/** The payload types of each chain, one line each. What is not listed is refused. */
const PAYLOADS: Readonly<Record<Chain, ReadonlyMap<string, PayloadParser>>> = {
  stellar: new Map(Object.entries({ ...stellarPayloads, ...approvalPayloads })),
  evm: new Map(Object.entries({ ...evmPayloads, ...approvalPayloads })),
}

export const signatoryOf = ({ key, version }: Pick<ResolvedKey, 'key' | 'version'>): Signatory => ({
  key: key.name,
  version: version.version,
  chain: key.chain,
  network: key.network,
  address: version.address,
  account: version.account,
})

/** @throws `payload/unsupported` for a type the chain of the key does not have, `payload/invalid` for one it cannot accept. */
export const parsePayload = (payload: { readonly type: string }, held: Pick<ResolvedKey, 'key' | 'version'>): Asked =>
  parseFor(payload, signatoryOf(held))

/** @throws as `parsePayload` */
export function parseFor(payload: { readonly type: string }, signatory: Signatory): Asked {
  const { chain } = signatory
  const parse = PAYLOADS[chain].get(payload.type)
  if (parse === undefined) {
    throw new SignerError('payload/unsupported', { payloadType: payload.type.slice(0, 64), chain })
  }
  return parse({ ...payload }, signatory)
}

/** The address callers know a public key by, on its chain. */
export const addressOf = (chain: Chain, publicKey: Uint8Array): string =>
  chain === 'stellar' ? stellar.address(publicKey) : evmAddress(publicKey)
