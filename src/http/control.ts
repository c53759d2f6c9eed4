import { type Context, Hono } from 'hono'
import { randomId } from '../bytes/ids.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Asking, type ControlParts, rateHeaders, recordStray } from '../service/control/index.ts'
import { incidents } from '../service/incident.ts'
import { readBody } from './body.ts'
import { Gate } from './gate.ts'
import { codeOfProblem, PROBLEMS, problemResponse } from './problem.ts'
import type { ControlRoute } from './route-control.ts'
import { CONTROL_ROUTES } from './routes-control.ts'

type Env = {
  Bindings: { peer: string }
  /** `asked`: the service has taken the request, and records what comes of it. */
  Variables: { requestId: string; asked?: true }
}

/** Where a key set is looked for by custom (RFC 8615 is the place, RFC 7517 the form). */
const JWKS_PATH = '/.well-known/jwks.json'
/** Questions that read much of the log; others go on meanwhile. */
const AUDIT_READERS = 2
const NO_BODY = new Uint8Array()

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

  /** As the door says it; where it lets nobody in, as the socket does. */
  const clientOf = (c: Context<Env>): string => {
    const { url, headers } = c.req.raw
    try {
      const visit = { method: c.req.method, url, headers, body: NO_BODY, peer: c.env.peer }
      return parts.clientOf?.(visit) ?? c.env.peer
    } catch {
      return c.env.peer
    }
  }
  const record = (c: Context<Env>, { code }: SignerError): void => {
    if (c.get('asked') === true) return
    const object = `${c.req.method} ${c.req.path}`
    recordStray(parts, { requestId: c.get('requestId'), peer: clientOf(c), object, code })
  }

  for (const route of CONTROL_ROUTES) {
    app.on(route.method, honoPath(route), async c => {
      // Before the door: a stranger who sends a body slowly, or never, takes no place.
      const body = await readBody(c.req.raw, parts.limits.bodyBytes, parts.world.clock)
      const object = route.param === undefined ? '' : c.req.param(route.param)
      const asking: Asking = {
        visit: { method: route.method, url: c.req.raw.url, headers: c.req.raw.headers, body, peer: c.env.peer },
        requestId: c.get('requestId'),
        object: object ?? '',
        ...(route.param === 'key' ? { key: object } : {}),
      }
      const door = route.name === 'audit.read' ? readers : gate
      const { answer, headers } = await door.pass(() => {
        c.set('asked', true)
        return route.run(parts, asking)
      })
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

  // Public by nature: what a data plane elsewhere checks tokens with (`tokens.jwksUrl`), and whoever wants to.
  app.get(JWKS_PATH, c => c.json(parts.issuer.jwks))

  app.get('/openapi.json', async c => c.json((await import('./openapi-control.ts')).controlDocument()))

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
    const failure = isSignerError(error) ? error : incidents(parts.world.random, parts.logger)(error)
    const requestId = c.get('requestId')
    parts.logger.info('request-failed', { requestId, code: failure.code })
    record(c, failure)
    const response = problemResponse(failure, requestId)
    if (failure.code !== 'access/limited') return response
    for (const [name, value] of Object.entries(rateHeaders(failure.detail))) response.headers.set(name, value)
    return response
  })

  return (request: Request, info: { peer: string }): Promise<Response> =>
    Promise.resolve(app.fetch(request, { peer: info.peer }))
}

const honoPath = ({ path }: ControlRoute): string => path.replaceAll('{', ':').replaceAll('}', '')
