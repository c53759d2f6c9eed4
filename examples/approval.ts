/**
 * Approves something for another program, which checks it with jose and the service's published keys alone:
 *
 *   bun examples/approval.ts give SUBJECT CORRELATION-ID      prints a JWS
 *   bun examples/approval.ts check JWS                        prints what it approves, or fails
 *
 * Reads COUNTERSIGN_URL; to give, also COUNTERSIGN_TOKEN.
 */
import { createCountersign } from 'countersign/client'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '' } = process.env
const [step, what = '', correlationId = ''] = process.argv.slice(2)
const AUDIENCE = 'payout-service'

if (step === 'give') {
  const countersign = createCountersign({ url, token })
  const expiresAt = Math.floor(Date.now() / 1000) + 300
  const approval = { action: 'demo.release', audience: AUDIENCE, subject: what, expiresAt, correlationId }
  console.log(await countersign.approve('treasury', approval))
} else {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', url))
  const expected = { audience: AUDIENCE, typ: 'approval+jws', algorithms: ['EdDSA', 'ES256K'] }
  const { payload } = await jwtVerify(what, keys, expected)
  // A verifier also sees to it that an id is used once.
  console.log(payload['action'], payload.sub, payload.jti)
}
