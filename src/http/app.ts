import { type Context, Hono } from 'hono'
import { randomId } from '../bytes/ids.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock, Logger, Random } from '../domain/ports.ts'
import { rateHeaders, type Signer } from '../service/signer.ts'
import type { Asking } from '../service/types.ts'
import { readBody, requireJson } from './body.ts'
import { Gate } from './gate.ts'
import { codeOfProblem, PROBLEMS, problemOf, problemResponse } from './problem.ts'

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail?: string
}

/** What the data plane's edge needs from the service. */
export interface DataPlane extends Signer {
  readiness(): Promise<readonly Check[]>
  readonly random: Random
  readonly clock: Pick<Clock, 'sleep'>
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly concurrency: number }
}

type Visited = Context<Env>
type Env = {
  Bindings: { peer: string }
  /** `asked`: the service has taken the request, and records what comes of it. */
  Variables: { requestId: string; asked?: true }
}

const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** The data plane: a list of routes. Everything else is 404, every failure is problem+json (RFC 9457). */
export function dataPlane(plane: DataPlane) {
  const app = new Hono<Env>({ strict: true })
  const factsOf = (c: Visited): Asking => ({
    authorization: c.req.raw.headers.get('authorization') ?? undefined,
    requestId: c.get('requestId'),
    peer: c.env.peer,
    sent: c.req.raw,
  })
  /** For the moment when the service is asked. */
  const askingOf = (c: Visited): Asking => {
    c.set('asked', true)
    return factsOf(c)
  }
  const record = (c: Visited, { code }: SignerError): void => {
    if (c.get('asked') !== true) plane.recordStray(factsOf(c), `${c.req.method} ${c.req.path}`, code)
  }
  const idempotencyKeyOf = (c: Visited): string | undefined => c.req.raw.headers.get('idempotency-key') ?? undefined
  /** Before the door: a place inside is for work, and a stranger who sends a body slowly, or never, takes none. */
  const bodyOf = (c: Visited): Promise<Uint8Array> => {
    requireJson(c.req.raw.headers.get('content-type'))
    return readBody(c.req.raw, plane.limits.bodyBytes, plane.clock)
  }
  const gate = new Gate(plane.limits.concurrency)
  const readers = new Gate(plane.limits.concurrency) // a door of their own: reading goes on when signing is full

  app.use(async (c, next) => {
    const requestId = randomId(plane.random, 'r')
    c.set('requestId', requestId)
    await next()
    c.header('x-request-id', requestId)
    c.header('cache-control', 'no-store')
    c.header('x-content-type-options', 'nosniff')
  })

  app.post('/v1/keys/:key/sign', async c => {
    const key = keyName(c.req.param('key'))
    const body = await bodyOf(c)
    const { replayed, headers, ...answer } = await gate.pass(() =>
      plane.sign({ ...askingOf(c), key, body, idempotencyKey: idempotencyKeyOf(c) }),
    )
    if (replayed) c.header('idempotency-replayed', 'true')
    return c.json(answer, 200, headers)
  })

  app.post('/v1/sign-batch', async c => {
    const body = await bodyOf(c)
    const results = await gate.pass(() =>
      plane.signBatch({ ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) }),
    )
    const requestId = c.get('requestId')
    const told = results.map(result => {
      if ('refused' in result)
        return { status: PROBLEMS[result.refused.code].status, problem: problemOf(result.refused, requestId) }
      const { headers: _, ...answer } = result.answer
      return { status: 200, answer }
    })
    return c.json({ results: told })
  })

  app.post('/v1/keys/:key/explain', async c => {
    const key = keyName(c.req.param('key'))
    const body = await bodyOf(c)
    return readers.pass(async () => {
      const { answer, headers } = await plane.explain({ ...askingOf(c), key, body })
      return c.json(answer, 200, headers)
    })
  })

  app.get('/v1/keys', c =>
    readers.pass(async () => {
      const { answer, headers } = await plane.listKeys(askingOf(c))
      return c.json(answer, 200, headers)
    }),
  )

  app.get('/v1/keys/:key', c =>
    readers.pass(async () => {
      const key = keyName(c.req.param('key'))
      const { answer, headers } = await plane.getKey({ ...askingOf(c), key })
      return c.json(answer, 200, headers)
    }),
  )

  app.get('/livez', c => c.json({ status: 'ok' }))

  app.get('/readyz', async c => {
    const checks = await plane.readiness()
    const ready = checks.every(check => check.ok)
    return c.json({ status: ready ? 'ok' : 'unavailable', checks }, ready ? 200 : 503)
  })

  app.get('/openapi.json', async c => c.json((await import('./openapi.ts')).openApiDocument()))

  app.get('/problems/:code', c => {
    const code = codeOfProblem(c.req.param('code'))
    if (code === undefined) throw new SignerError('request/unknown-route', { method: 'GET', path: c.req.path })
    return c.json({ code, ...PROBLEMS[code] })
  })

  app.notFound(c => {
    const error = new SignerError('request/unknown-route', { method: c.req.method, path: c.req.path.slice(0, 200) })
    record(c, error)
    return problemResponse(error, c.get('requestId'))
  })

  app.onError((error, c) => {
    const failure = isSignerError(error) ? error : plane.incident(error)
    plane.logger.info('request-failed', { requestId: c.get('requestId'), code: failure.code })
    record(c, failure)
    const response = problemResponse(failure, c.get('requestId'))
    if (failure.code !== 'access/limited') return response
    for (const [name, value] of Object.entries(rateHeaders(failure.detail))) response.headers.set(name, value)
    return response
  })

  return (request: Request, info: { peer: string }): Promise<Response> =>
    Promise.resolve(app.fetch(request, { peer: info.peer }))
}

function keyName(name: string): string {
  if (KEY_NAME.test(name)) return name
  throw new SignerError('request/malformed', {
    field: 'key',
    reason: 'is not a key name',
    fix: 'use 1 to 64 letters, digits, and _ . - after the first',
  })
}
