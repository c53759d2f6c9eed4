/** A page: asks for its task, and sends what came of it. */
import { consume, type Task } from './consumer.ts'

const report = (body: string) => fetch('/report', { method: 'POST', body })
try {
  const task = (await (await fetch('/task')).json()) as Task
  await report(JSON.stringify(await consume(task)))
} catch (error) {
  await report(String(error))
}
