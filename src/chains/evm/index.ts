import type { PayloadParser } from '../../domain/payload.ts'
import { evmAuthorization } from './evm-authorization.ts'
import { evmMessage } from './evm-message.ts'
import { evmTransaction } from './evm-transaction.ts'
import { evmTypedData } from './evm-typed-data.ts'
import { rawDigest } from './raw-digest.ts'

export { evmAddress } from './address.ts'
export { chainIdOf, EVM_NETWORKS, namesEvmNetwork } from './networks.ts'
export {
  addressIn,
  boolIn,
  delegateIn,
  questionData,
  tickerIn,
  uintIn,
  unitsText,
  wordsIn,
} from './reading.ts'

/** Everything that an EVM key may be asked to sign. */
export const evmPayloads: Readonly<Record<string, PayloadParser>> = {
  'evm-transaction': evmTransaction,
  'evm-message': evmMessage,
  'evm-typed-data': evmTypedData,
  'evm-authorization': evmAuthorization,
  'raw-digest': rawDigest,
}
