import type { ProposalRequest, Proposals, Query } from '../service/proposals/index.ts'
import type { Answered } from '../service/door.ts'
import type { DataRoutes, RouteTools } from './app.ts'
import type { Visited } from './edge.ts'
import { Gate } from './gate.ts'
import { parametersOf } from './input.ts'
import { tell, toldOfEach } from './told.ts'

const PATIENT_MAX = 64

/** Transactions that wait for several signatures. */
export const proposalRoutes =
  (proposals: Proposals): DataRoutes =>
  (app, tools) => {
    const { askingOf, idempotencyKeyOf, bodyOf, gate, readers } = tools
    // What waits for the network keeps no signature out.
    const patient = new Gate(PATIENT_MAX)

    const change = async <T extends object>(c: Visited, act: (request: ProposalRequest) => Promise<Answered<T>>) => {
      const request = await requestOf(c, tools)
      return gate.pass(async () => tell(c, await act({ ...askingOf(c), ...request })))
    }

    app.post('/v1/proposals', async c => {
      const body = await bodyOf(c)
      return patient.pass(async () => {
        const { answer, headers } = await proposals.open({ ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) })
        c.header('location', `/v1/proposals/${answer.id}`)
        return c.json({ approvalId: answer.id, ...answer }, 202, headers)
      })
    })

    app.get('/v1/proposals', c =>
      readers.pass(async () => {
        const { answer, headers } = await proposals.list({ ...askingOf(c), query: queryOf(c) })
        return c.json({ proposals: answer }, 200, headers)
      }),
    )

    app.get('/v1/proposals/:proposal', c =>
      readers.pass(async () => tell(c, await proposals.get({ ...askingOf(c), id: c.req.param('proposal') }))),
    )

    app.get('/v1/proposals/:proposal/envelope', c =>
      readers.pass(async () => {
        const id = c.req.param('proposal')
        return tell(c, await proposals.export({ ...askingOf(c), id, query: queryOf(c) }))
      }),
    )

    app.post('/v1/proposals/:proposal/collect', async c => {
      const request = await requestOf(c, tools)
      return gate.pass(async () => {
        const { answer, headers } = await proposals.collect({ ...askingOf(c), ...request })
        const results = toldOfEach(answer.results, c.get('requestId'))
        return c.json({ ...answer, results }, 200, headers)
      })
    })

    app.post('/v1/proposals/:proposal/signatures', c => change(c, proposals.import))
    app.post('/v1/proposals/:proposal/cancel', c => change(c, proposals.cancel))
    app.post('/v1/proposals/:proposal/execute', async c => {
      const request = await requestOf(c, tools)
      return patient.pass(async () => {
        const executed = await proposals.execute({ ...askingOf(c), ...request })
        return tell(c, executed, executed.answer.state === 'executing' ? 202 : 200)
      })
    })
  }

async function requestOf(c: Visited, { bodyOf }: RouteTools): Promise<Pick<ProposalRequest, 'id' | 'body'>> {
  const id = c.req.param('proposal') ?? ''
  const { headers } = c.req.raw
  // Without a body; one that comes in chunks has no length either.
  const isEmpty = (headers.get('content-length') ?? '0') === '0' && headers.get('transfer-encoding') === null
  const isBare = isEmpty && headers.get('content-type') === null
  return { id, body: isBare ? new Uint8Array() : await bodyOf(c) }
}

/** @throws `request/malformed` for a parameter that is given twice */
const queryOf = (c: Visited): Query => Object.fromEntries(parametersOf(c.req.url))
