import { z } from '@hono/zod-openapi'
import type { Registry } from './registry.ts'

const Jwk = z.looseObject({
  kty: z.enum(['OKP', 'EC']),
  crv: z.enum(['Ed25519', 'secp256k1']),
  x: z.string(),
  y: z.string().optional().openapi({ description: 'secp256k1 only.' }),
  kid: z.string().openapi({ description: 'Name and version of the key.', example: 'treasury-v3' }),
  alg: z.enum(['EdDSA', 'ES256K']),
  use: z.literal('sig'),
  state: z.string(),
  validFrom: z.int().optional().openapi({ description: 'Seconds since the epoch; absent: it has not signed yet.' }),
  validUntil: z.int().optional().openapi({ description: 'From then on it signs nothing.' }),
})

/** What programs that check approvals read. @param problem  an answer that is a problem, as the rest of the document has it */
export function describePublished(
  registry: Registry,
  problem: (description: string) => { description: string; content: object },
): void {
  const KeySet = registry.register('KeySet', z.strictObject({ keys: z.array(Jwk) }))
  const unavailable = problem('the registry does not answer')
  registry.registerPath({
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'Public keys that approvals verify under',
    description:
      'For everybody, and for a minute. All versions of keys whose policy grants approvals, without those that are revoked, destroyed or in quarantine.',
    responses: {
      200: { description: 'RFC 7517.', content: { 'application/jwk-set+json': { schema: KeySet } } },
      503: unavailable,
    },
  })
  registry.registerPath({
    method: 'get',
    path: '/.well-known/countersign-keys',
    summary: 'The same keys, signed, with all that was when',
    description:
      'A JWS in compact form of type `key-metadata+jws`. Its header holds the key that signed it; verifiers pin the thumbprint of that key (RFC 7638).',
    responses: {
      200: { description: 'RFC 7515.', content: { 'application/jose': { schema: z.string() } } },
      503: unavailable,
    },
  })
}
