import { malformed } from '../domain/errors.ts'
import { KEY_NAME } from '../domain/key.ts'
import type { Clock, Logger, Random } from '../domain/ports.ts'
import type { Signer } from '../service/signer.ts'
import type { Asking } from '../service/types.ts'
import { readBody, requireJson } from './body.ts'
import { type Check, type Edge, openEdge, type Visited } from './edge.ts'
import { Gate } from './gate.ts'
import { tell, toldOf } from './told.ts'

export type { Check } from './edge.ts'

/** What the data plane's edge needs from the service. */
export interface DataPlane extends Signer {
  readiness(): Promise<readonly Check[]>
  readonly random: Random
  readonly clock: Pick<Clock, 'sleep'>
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly concurrency: number }
}

/** What a module of routes works with. */
export interface RouteTools {
  /** For the moment when the service is asked: from then on it records what comes of the request. */
  askingOf(c: Visited): Asking
  /** Before the door: a place inside is for work, and a stranger who sends a body slowly, or never, takes none. */
  bodyOf(c: Visited, bytesMax?: number): Promise<Uint8Array>
  idempotencyKeyOf(c: Visited): string | undefined
  /** @throws `request/malformed` */
  keyName(name: string): string
  /** The door for what signs. */
  readonly gate: Gate
  /** A door of its own: reading goes on when signing is full. */
  readonly readers: Gate
}

/** One family of routes of the data plane; `compose` says which there are. */
export type DataRoutes = (app: Edge, tools: RouteTools) => void

/** The data plane: a list of routes. */
export function dataPlane(plane: DataPlane, more: readonly DataRoutes[] = []) {
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
  const idempotencyKeyOf = (c: Visited): string | undefined => c.req.raw.headers.get('idempotency-key') ?? undefined
  const bodyOf: RouteTools['bodyOf'] = (c, bytesMax = plane.limits.bodyBytes) => {
    requireJson(c.req.raw.headers.get('content-type'))
    return readBody(c.req.raw, bytesMax, plane.clock)
  }
  const gate = new Gate(plane.limits.concurrency)
  const readers = new Gate(plane.limits.concurrency)

  const sign = async (c: Visited, asked: { readonly key: string; readonly version?: number }) => {
    const body = await bodyOf(c)
    const { replayed, headers, ...answer } = await gate.pass(() =>
      plane.sign({ ...askingOf(c), ...asked, body, idempotencyKey: idempotencyKeyOf(c) }),
    )
    if (replayed) c.header('idempotency-replayed', 'true')
    return c.json(answer, 200, headers)
  }

  const routes = (app: Edge): void => {
    app.post('/v1/keys/:key/sign', c => sign(c, { key: keyName(c.req.param('key')) }))

    // In the path, which proofs of possession cover; a query they do not.
    app.post('/v1/keys/:key/versions/:version/sign', c =>
      sign(c, { key: keyName(c.req.param('key')), version: versionNumber(c.req.param('version')) }),
    )

    app.post('/v1/sign-batch', async c => {
      const body = await bodyOf(c)
      const results = await gate.pass(() =>
        plane.signBatch({ ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) }),
      )
      const requestId = c.get('requestId')
      return c.json({ results: results.map(result => toldOf(result, requestId)) })
    })

    app.post('/v1/keys/:key/explain', async c => {
      const key = keyName(c.req.param('key'))
      const body = await bodyOf(c)
      return readers.pass(async () => tell(c, await plane.explain({ ...askingOf(c), key, body })))
    })

    app.get('/v1/keys', c => readers.pass(async () => tell(c, await plane.listKeys(askingOf(c)))))

    app.get('/v1/keys/:key', c =>
      readers.pass(async () => {
        const key = keyName(c.req.param('key'))
        return tell(c, await plane.getKey({ ...askingOf(c), key }))
      }),
    )

    const tools: RouteTools = { askingOf, bodyOf, idempotencyKeyOf, keyName, gate, readers }
    for (const family of more) family(app, tools)
  }

  return openEdge(
    {
      ...plane,
      document: async () => (await import('./openapi.ts')).openApiDocument(),
      stray: (c, object, code) => plane.recordStray(factsOf(c), object, code),
    },
    routes,
  )
}

function versionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  const fix = 'use the number that `GET /v1/keys` or the published keys give, without leading zeros'
  throw malformed('version', 'is not the number of a version', fix)
}

function keyName(name: string): string {
  if (KEY_NAME.test(name)) return name
  throw malformed('key', 'is not a key name', 'use 1 to 64 letters, digits, and _ . - after the first')
}
