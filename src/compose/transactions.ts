import { SignerError } from '../domain/errors.ts'
import type { StellarNetwork } from '../domain/stellar-network.ts'
import type { TransactionTemplate } from '../domain/transactions.ts'
import type { DataRoutes } from '../http/app.ts'
import { transactionRoutes } from '../http/routes-transactions.ts'
import type { SignerRoom } from '../service/signer.ts'
import { openTransactions, TRANSACTION_LIMITS, Turns } from '../service/transactions/index.ts'
import type { CallerLike } from '../service/types.ts'
import type { Room } from './room.ts'

/** Building, signing and sending, over the networks that have an endpoint. @throws `config/invalid` for a template on no such network */
export const openTransactionRoutes = <Caller extends CallerLike>(
  templates: ReadonlyMap<string, TransactionTemplate>,
  networks: ReadonlyMap<string, StellarNetwork>,
  room: SignerRoom<Caller>,
  { store }: Pick<Room, 'store'>,
): DataRoutes => {
  for (const { name, network } of templates.values()) {
    if (networks.has(network)) continue
    const problem = `is ${network}, which is no Stellar network with an endpoint`
    const fix = 'Templates call Stellar contracts: name such a network'
    throw new SignerError('config/invalid', { problems: [{ path: `templates.${name}.network`, problem, fix }] })
  }
  return transactionRoutes(
    openTransactions({
      room,
      store: store.transactions,
      networks,
      templates,
      limits: TRANSACTION_LIMITS,
      turns: new Turns(),
    }),
  )
}
