import { type Context, Hono } from 'hono'
import { randomId } from '../bytes/ids.ts'
import { type AnySignerError, type ErrorCode, isSignerError, SignerError } from '../domain/errors.ts'
import type { Logger, Random } from '../domain/ports.ts'
import { rateHeaders } from '../service/rate-headers.ts'
import { codeOfProblem, PROBLEMS, problemResponse } from './problem.ts'

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail?: string
}

type Env = {
  Bindings: { peer: string }
  /** `asked`: the service has taken the request, and records what comes of it. */
  Variables: { requestId: string; asked?: true }
}
export type Visited = Context<Env>
export type Edge = Hono<Env>

export interface EdgeParts {
  readonly random: Random
  readonly logger: Logger
  readiness(): Promise<readonly Check[]>
  incident(error: unknown): AnySignerError
  /** The OpenAPI document of the plane. Asked for once. */
  document(): Promise<object>
  /** Records a request that was refused before the service was asked. @param object method and path */
  stray(c: Visited, object: string, code: ErrorCode): void
}

/**
 * What both planes have at their edge: an id for every request, health, the words of this service, and one way to fail.
 * Everything that is not a route is 404, every failure is problem+json (RFC 9457).
 *
 * @param routes  puts the plane's own routes in
 * @returns a handler for a listener
 */
export function openEdge(parts: EdgeParts, routes: (app: Edge) => void) {
  const { random, logger } = parts
  const app: Edge = new Hono<Env>({ strict: true })
  const record = (c: Visited, { code }: SignerError): void => {
    if (c.get('asked') !== true) parts.stray(c, `${c.req.method} ${c.req.path}`, code)
  }

  app.use(async (c, next) => {
    const requestId = randomId(random, 'r')
    c.set('requestId', requestId)
    await next()
    c.header('x-request-id', requestId)
    // What may be kept says so itself.
    if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store')
    c.header('x-content-type-options', 'nosniff')
  })

  routes(app)

  app.get('/livez', c => c.json({ status: 'ok' }))

  // Anybody may ask, so the answer says which kind of thing fails. Names of key services and reasons are for operators:
  // in the log, once for each change, and in the status of the control plane.
  const tell = changesOf(logger)
  app.get('/readyz', async c => {
    const checks = await parts.readiness()
    tell(checks)
    const ready = checks.every(check => check.ok)
    const told = checks.map(({ name, ok }) => ({ name, ok }))
    return c.json({ status: ready ? 'ok' : 'unavailable', checks: told }, ready ? 200 : 503)
  })

  let document: Promise<object> | undefined // strangers may ask, and it is long in the making
  app.get('/openapi.json', async c => c.json(await (document ??= parts.document())))

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
    const failure = isSignerError(error) ? error : parts.incident(error)
    const requestId = c.get('requestId')
    logger.info('request-failed', { requestId, code: failure.code })
    record(c, failure)
    const response = problemResponse(failure, requestId)
    if (failure.code !== 'access/limited') return response
    for (const [name, value] of Object.entries(rateHeaders(failure.detail))) response.headers.set(name, value)
    return response
  })

  return (request: Request, info: { peer: string }): Promise<Response> =>
    Promise.resolve(app.fetch(request, { peer: info.peer }))
}

/** Health is asked for every few seconds: what is wrong is said when it begins, changes and ends. */
function changesOf(logger: Logger): (checks: readonly Check[]) => void {
  let last = ''
  return checks => {
    const troubled = checks.filter(({ ok, detail }) => !ok || detail !== undefined)
    const said = troubled
      .map(({ name, ok, detail = 'not ready' }) => `${ok ? '' : 'failed '}${name}: ${detail}`)
      .join('; ')
    if (said === last) return
    last = said
    if (said === '') logger.info('ready-again')
    else logger.warn('readiness-troubled', { checks: said })
  }
}
