import { destroy, revoke, unrevoke, versionNow } from '../service/control/index.ts'
import { type ControlRoute, NO_KEY, route } from './route-control.ts'
import * as s from './schemas-control.ts'
import { DestroyBody, DestroyedAnswer } from './schemas-destroy.ts'

/** Stopped by one person, taken back by a quorum; and the end, which nobody takes back. */
export const REVOCATION_ROUTES: readonly ControlRoute[] = [
  route(
    {
      method: 'POST',
      path: '/v1/keys/{key}/revoke',
      name: 'keys.revoke',
      summary: 'Stop a key at once: nothing of it is released after the answer, requests under way included',
      needs: 'keys:revoke',
      writes: true,
      param: 'key',
      body: s.RevokeBody,
      answer: s.RevocationAnswer,
      refusals: NO_KEY,
    },
    (parts, granted, { object, body }) => revoke(parts, granted, { key: object, ...body }),
  ),
  route(
    {
      method: 'POST',
      path: '/v1/keys/{key}/unrevoke',
      name: 'keys.unrevoke',
      summary:
        'Take a revocation back, into quarantine: for the holder of a statement of custodians that names key and version',
      needs: 'keys:unrevoke',
      writes: true,
      quorum: true,
      param: 'key',
      body: s.UnrevokeBody,
      answer: s.UnrevokedAnswer,
      refusals: { 404: 'no such key or version, or break-glass is not configured', 422: 'the version is not revoked' },
    },
    (parts, granted, { object, body }) => unrevoke(parts, granted, { key: object, ...body }),
    (parts, _, { object, body }) => versionNow(parts, { key: object, ...body }),
  ),
  route(
    {
      method: 'POST',
      path: '/v1/keys/{key}/versions/{version}/destroy',
      name: 'keys.destroy',
      summary: 'Give the private key of a retired or revoked version up, everywhere it lies; nothing takes it back',
      needs: 'keys:destroy',
      writes: true,
      param: 'version',
      body: DestroyBody,
      answer: DestroyedAnswer,
      refusals: {
        404: 'no such key or version',
        422: 'it is neither retired nor revoked, or not for long enough, or an account still lists it as a signer',
        503: 'the node that knows the account does not answer',
      },
    },
    (parts, granted, { object, body }) => destroy(parts, granted, { object, ...body }),
  ),
]
