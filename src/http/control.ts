import { type Asking, type ControlParts, recordStray } from '../service/control/index.ts'
import { incidents } from '../service/incident.ts'
import { readBody } from './body.ts'
import { type Edge, openEdge, type Visited } from './edge.ts'
import { Gate } from './gate.ts'
import type { ControlRoute } from './route-control.ts'
import { CONTROL_ROUTES } from './routes-control.ts'

/** Where a key set is looked for by custom (RFC 8615 is the place, RFC 7517 the form). */
const JWKS_PATH = '/.well-known/jwks.json'
/** Questions that read much of the log; others go on meanwhile. */
const AUDIT_READERS = 2
const NO_BODY = new Uint8Array()

/**
 * The control plane: the routes of the table, and the public keys of its issuer. Nothing here signs.
 *
 * @returns a handler for a listener of its own
 */
export function controlPlane(parts: ControlParts) {
  const gate = new Gate(parts.limits.concurrency)
  const readers = new Gate(AUDIT_READERS)

  /** As the door says it; where it lets nobody in, as the socket does. */
  const clientOf = (c: Visited): string => {
    const { url, headers } = c.req.raw
    try {
      const visit = { method: c.req.method, url, headers, body: NO_BODY, peer: c.env.peer }
      return parts.clientOf?.(visit) ?? c.env.peer
    } catch {
      return c.env.peer
    }
  }

  const routes = (app: Edge): void => {
    for (const route of CONTROL_ROUTES) {
      if (route.quorum === true && parts.breakGlass === undefined) continue
      app.on(route.method, honoPath(route), async c => {
        // Before the door: a stranger who sends a body slowly, or never, takes no place.
        const body = await readBody(c.req.raw, parts.limits.bodyBytes, parts.world.clock)
        const key = route.param === 'key' || route.param === 'version' ? c.req.param('key') : undefined
        const named = route.param === undefined ? '' : c.req.param(route.param)
        const object = route.param === 'version' ? `${key}/${named}` : named
        const asking: Asking = {
          visit: { method: route.method, url: c.req.raw.url, headers: c.req.raw.headers, body, peer: c.env.peer },
          requestId: c.get('requestId'),
          object: object ?? '',
          ...(key === undefined ? {} : { key }),
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

    // Public by nature: what a data plane elsewhere checks tokens with (`tokens.jwksUrl`), and whoever wants to.
    app.get(JWKS_PATH, c => c.json(parts.issuer.jwks))
  }

  const { world, logger } = parts
  return openEdge(
    {
      random: world.random,
      logger,
      readiness: parts.readiness,
      incident: incidents(world.random, logger),
      document: async () => (await import('./openapi-control.ts')).controlDocument(),
      stray: (c, object, code) =>
        recordStray(parts, { requestId: c.get('requestId'), peer: clientOf(c), object, code }),
    },
    routes,
  )
}

const honoPath = ({ path }: ControlRoute): string => path.replaceAll('{', ':').replaceAll('}', '')
