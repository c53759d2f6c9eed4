/** workerd: the task as a request. */
import { consume, type Task } from './consumer.ts'

export default {
  fetch: async (request: Request): Promise<Response> => Response.json(await consume((await request.json()) as Task)),
}
