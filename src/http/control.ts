import { Hono } from 'hono'
import { randomId } from '../bytes/ids.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Asking, type ControlParts, rateHeaders, recordStray } from '../service/control/index.ts'
import { incidents } from '../service/incident.ts'
import { readBody } from './body.ts'
import { Gate } from './gate.ts'
import { codeOfProblem, PROBLEMS, problemResponse } from './problem.ts'
import type { ControlRoute } from './route-control.ts'
import { CONTROL_ROUTES } from './routes-control.ts'

type Env = { Bindings: { peer: string }; Variables: { requestId: string } }

/** Questions that read much of the log; others go on meanwhile. */
const AUDIT_READERS = 2

/**
 * The control plane: the routes of the table, health, and the words of this service. Nothing here signs. Everything else
 * is 404, every failure is problem+json (RFC 9457).
 *
 * @returns a handler for a listener of its own
 */
export function controlPlane(parts: ControlParts) {
  const app = new Hono<Env>({ strict: true })
  const gate = new Gate(parts.limits.concurrency)
  const readers = new Gate(AUDIT_READERS)

  app.use(async (c, next) => {
    const requestId = randomId(parts.world.random, 'r')
    c.set('requestId', requestId)
    await next()
    c.header('x-request-id', requestId)
    c.header('cache-control', 'no-store')
    c.header('x-content-type-options', 'nosniff')
  })

  for (const route of CONTROL_ROUTES) {
    app.on(route.method, honoPath(route), async c => {
      // Before the door: a stranger who sends a body slowly, or never, takes no place.
      const body = await readBody(c.req.raw, parts.limits.bodyBytes)
      const object = route.param === undefined ? '' : c.req.param(route.param)
      const asking: Asking = {
        visit: { method: route.method, url: c.req.raw.url, headers: c.req.raw.headers, body, peer: c.env.peer },
        requestId: c.get('requestId'),
        object: object ?? '',
        ...(route.param === 'key' ? { key: object } : {}),
      }
      const door = route.name === 'audit.read' ? readers : gate
      const { answer, headers } = await door.pass(() => route.run(parts, asking))
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      return c.json(answer, route.status)
    })
  }

  app.get('/livez', c => c.json({ status: 'ok' }))

  app.get('/readyz', async c => {
    const checks = await parts.readiness()
    const ready = checks.every(check => check.ok)
    return c.json({ status: ready ? 'ok' : 'unavailable', checks }, ready ? 200 : 503)
  })

  app.get('/openapi.json', async c => c.json((await import('./openapi-control.ts')).controlDocument()))

  app.get('/problems/:code', c => {
    const code = codeOfProblem(c.req.param('code'))
    if (code === undefined) throw new SignerError('request/unknown-route', { method: 'GET', path: c.req.path })
    return c.json({ code, ...PROBLEMS[code] })
  })

  app.notFound(c => {
    const path = c.req.path.slice(0, 200)
    const requestId = c.get('requestId')
    recordStray(parts, { requestId, peer: c.env.peer, object: `${c.req.method} ${path}` })
    const error = new SignerError('request/unknown-route', { method: c.req.method, path })
    return problemResponse(error, requestId)
  })

  app.onError((error, c) => {
    const failure = isSignerError(error) ? error : incidents(parts.world.random, parts.logger)(error)
    const requestId = c.get('requestId')
    parts.logger.info('request-failed', { requestId, code: failure.code })
    const response = problemResponse(failure, requestId)
    if (failure.code !== 'access/limited') return response
    for (const [name, value] of Object.entries(rateHeaders(failure.detail))) response.headers.set(name, value)
    return response
  })

  return (request: Request, info: { peer: string }): Promise<Response> =>
    Promise.resolve(app.fetch(request, { peer: info.peer }))
}

const honoPath = ({ path }: ControlRoute): string => path.replaceAll('{', ':').replaceAll('}', '')
