import type { Published } from '../service/published.ts'
import type { DataRoutes } from './app.ts'

/** Long enough to spare us a crowd of verifiers, short enough for a revocation to get about. */
const CACHED = 'public, max-age=60'

/** For programs that check approvals: no token, and nothing but public keys. */
export const publishedRoutes =
  (published: Published): DataRoutes =>
  app => {
    app.get('/.well-known/jwks.json', async () => document(await published.jwks(), 'application/jwk-set+json'))

    app.get('/.well-known/countersign-keys', async () => document(await published.metadata(), 'application/jose'))
  }

const document = (body: string, type: string): Response =>
  new Response(body, { headers: { 'content-type': type, 'cache-control': CACHED } })
