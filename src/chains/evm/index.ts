import type { PayloadParser } from '../../domain/payload.ts'

export { evmAddress } from './address.ts'
export { chainIdOf, EVM_NETWORKS } from './networks.ts'

/** Everything that an EVM key may be asked to sign. */
export const evmPayloads: Readonly<Record<string, PayloadParser>> = {}
