/** What workerd runs: the case behind one request. */
import { awsOnTheEdge } from './aws-edge-case.ts'

export default { fetch: async (): Promise<Response> => Response.json(await awsOnTheEdge()) }
