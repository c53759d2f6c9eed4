import { Hono } from 'hono'
import { randomId } from '../bytes/ids.ts'
import { type AnySignerError, isSignerError, SignerError } from '../domain/errors.ts'
import type { Logger, Random } from '../domain/ports.ts'
import type { KeyView } from '../service/keys.ts'
import type { SignAnswer, SignRequest } from '../service/types.ts'
import { Gate } from './gate.ts'
import { codeOfProblem, PROBLEMS, problemResponse } from './problem.ts'

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail?: string
}

/** What the data plane's edge needs from the service. */
export interface DataPlane {
  sign(request: SignRequest): Promise<SignAnswer>
  getKey(request: { key: string; authorization: string | undefined; requestId: string; peer: string }): Promise<KeyView>
  readiness(): Promise<readonly Check[]>
  incident(error: unknown): AnySignerError
  readonly random: Random
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly concurrency: number }
}

type Env = { Bindings: { peer: string }; Variables: { requestId: string } }

const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/
const JSON_TYPE = /^application\/json(\s*;\s*charset=utf-8)?$/i

/** The data plane: a list of routes. Everything else is 404, every failure is problem+json (RFC 9457). */
export function dataPlane(plane: DataPlane) {
  const app = new Hono<Env>({ strict: true })
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
    const request = c.req.raw
    requireJson(request.headers.get('content-type'))
    const key = keyName(c.req.param('key'))
    // Before the door: a place inside is for work, and a stranger who sends a body slowly, or never, takes none.
    const body = await readBody(request, plane.limits.bodyBytes)
    const { replayed, ...answer } = await gate.pass(() =>
      plane.sign({
        key,
        body,
        authorization: request.headers.get('authorization') ?? undefined,
        idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
        requestId: c.get('requestId'),
        peer: c.env.peer,
      }),
    )
    if (replayed) c.header('idempotency-replayed', 'true')
    return c.json(answer)
  })

  app.get('/v1/keys/:key', c =>
    readers.pass(async () => {
      const authorization = c.req.header('authorization')
      const about = { requestId: c.get('requestId'), peer: c.env.peer }
      return c.json(await plane.getKey({ key: keyName(c.req.param('key')), authorization, ...about }))
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
    return problemResponse(error, c.get('requestId'))
  })

  app.onError((error, c) => {
    const failure = isSignerError(error) ? error : plane.incident(error)
    plane.logger.info('request-failed', { requestId: c.get('requestId'), code: failure.code })
    return problemResponse(failure, c.get('requestId'))
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

function requireJson(contentType: string | null): void {
  if (contentType !== null && JSON_TYPE.test(contentType)) return
  throw new SignerError('request/unsupported-media', { contentType: (contentType ?? 'none').slice(0, 100) })
}

/** Stops reading at the limit, whatever Content-Length says. */
async function readBody(request: Request, limitBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new SignerError('request/too-large', { limitBytes })
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > limitBytes) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (isSignerError(cause)) throw cause
    const [reason, fix] = ['broke off before its end', 'send the whole body']
    throw new SignerError('request/malformed', { field: 'body', reason, fix }, { cause })
  }
  const body = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return body
}
