/** What workerd runs, bundled: the suite behind one request. */
import { wasmFromBytes } from '../../../src/runtime/workerd.ts'
import { runSuite } from '../suite.ts'

export default {
  fetch: async (): Promise<Response> => Response.json({ runtime: 'workerd', ...(await runSuite({ wasmFromBytes })) }),
}
