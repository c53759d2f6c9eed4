import { malformed } from '../domain/errors.ts'
import type { Answered } from '../service/door.ts'
import type { TransactionAnswer, Transactions } from '../service/transactions/index.ts'
import type { DataRoutes } from './app.ts'
import type { Visited } from './edge.ts'
import { Gate } from './gate.ts'
import { tell } from './told.ts'

/** At one time. Each may wait for a network; a door of their own, so that signatures do not wait behind them. */
const WAITING_MAX = 64

/** Transactions that are built, signed and sent here. What is still on its way is answered with 202. */
export const transactionRoutes =
  (transactions: Transactions): DataRoutes =>
  (app, { askingOf, bodyOf, idempotencyKeyOf }) => {
    const gate = new Gate(WAITING_MAX)

    app.post('/v1/transactions/prepare', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => tell(c, await transactions.prepare({ ...askingOf(c), body })))
    })

    app.post('/v1/transactions/execute', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => {
        const request = { ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) }
        return tellStatus(c, await transactions.execute(request))
      })
    })

    app.post('/v1/transactions/submit', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => tellStatus(c, await transactions.submit({ ...askingOf(c), body })))
    })

    app.get('/v1/transactions/:hash', c =>
      gate.pass(async () => {
        const hash = c.req.param('hash')
        if (!/^[0-9a-f]{64}$/.test(hash)) {
          throw malformed('hash', 'is not the hash of a transaction', 'use 64 digits of lower-case hex')
        }
        return tellStatus(c, await transactions.lookup({ ...askingOf(c), hash }))
      }),
    )
  }

const tellStatus = (c: Visited, told: Answered<TransactionAnswer>): Response =>
  tell(c, told, told.answer.status === 'pending' ? 202 : 200)
