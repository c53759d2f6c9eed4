import { SignerError } from '../domain/errors.ts'
import type { Transactions } from '../service/transactions/index.ts'
import type { DataRoutes } from './app.ts'
import { Gate } from './gate.ts'

/** At one time. Each may wait for a network; a door of their own, so that signatures do not wait behind them. */
const WAITING_MAX = 64

/** Transactions that are built, signed and sent here. What is still on its way is answered with 202. */
export const transactionRoutes =
  (transactions: Transactions): DataRoutes =>
  (app, { askingOf, bodyOf, idempotencyKeyOf }) => {
    const gate = new Gate(WAITING_MAX)

    app.post('/v1/transactions/prepare', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => {
        const { answer, headers } = await transactions.prepare({ ...askingOf(c), body })
        return c.json(answer, 200, headers)
      })
    })

    app.post('/v1/transactions/execute', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => {
        const request = { ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) }
        const { answer, headers } = await transactions.execute(request)
        return c.json(answer, answer.status === 'pending' ? 202 : 200, headers)
      })
    })

    app.post('/v1/transactions/submit', async c => {
      const body = await bodyOf(c)
      return gate.pass(async () => {
        const { answer, headers } = await transactions.submit({ ...askingOf(c), body })
        return c.json(answer, answer.status === 'pending' ? 202 : 200, headers)
      })
    })

    app.get('/v1/transactions/:hash', c =>
      gate.pass(async () => {
        const hash = c.req.param('hash')
        if (!/^[0-9a-f]{64}$/.test(hash)) {
          const [reason, fix] = ['is not the hash of a transaction', 'use 64 digits of lower-case hex']
          throw new SignerError('request/malformed', { field: 'hash', reason, fix })
        }
        const { answer, headers } = await transactions.lookup({ ...askingOf(c), hash })
        return c.json(answer, answer.status === 'pending' ? 202 : 200, headers)
      }),
    )
  }
