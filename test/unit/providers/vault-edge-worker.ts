/** What workerd runs: the case behind one request. */
import { vaultOnTheEdge } from './vault-edge-case.ts'

export default { fetch: async (): Promise<Response> => Response.json(await vaultOnTheEdge()) }
