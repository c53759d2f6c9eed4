import type { Cosigned } from '../service/cosign.ts'
import type { TogetherRequest } from '../service/together.ts'
import type { DataRoutes } from './app.ts'
import { toldOfEach } from './told.ts'

/** Several keys on one envelope. */
export const cosignRoutes =
  (cosign: (request: TogetherRequest) => Promise<Cosigned>): DataRoutes =>
  (app, { askingOf, bodyOf, idempotencyKeyOf, gate }) => {
    app.post('/v1/cosign', async c => {
      const body = await bodyOf(c)
      const { results, ...signed } = await gate.pass(() =>
        cosign({ ...askingOf(c), body, idempotencyKey: idempotencyKeyOf(c) }),
      )
      return c.json({ ...signed, results: toldOfEach(results, c.get('requestId')) })
    })
  }
