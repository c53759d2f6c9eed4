/** Bun, Node and Deno: the task as an argument, what came of it as a line. */
import process from 'node:process'
import { consume, type Task } from './consumer.ts'

process.stdout.write(`${JSON.stringify(await consume(JSON.parse(process.argv[2] ?? '') as Task))}\n`)
