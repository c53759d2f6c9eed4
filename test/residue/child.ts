/** A process that is searched from outside each time it has done what it was told. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Found, type Needle, searchMemory } from './search.ts'

export const skip = existsSync('/proc/self/pagemap') ? false : 'there is no /proc to read another process from'
export const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
export const RUNTIMES = {
  bun: process.versions.bun === undefined ? 'bun' : process.execPath,
  node: path('../../node_modules/.bin/node'),
}
export type RuntimeName = keyof typeof RUNTIMES

export interface Looks {
  /** Of this folder; it gets the order as JSON, reads counts from stdin, and writes a line when it has done so many. */
  readonly script: string
  readonly order: object
  readonly counts: readonly number[]
  readonly needles: readonly Needle[]
  readonly env?: Readonly<Record<string, string>>
}

/** @returns what was found after each of `counts`. */
export async function lookAt(
  runtime: RuntimeName,
  { script, order, counts, needles, env = {} }: Looks,
): Promise<Found[]> {
  const child = spawn(RUNTIMES[runtime], [path(script), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', NODE_NO_WARNINGS: '1', ...env },
  })
  const ended = once(child, 'exit')
  const stopped = ended.then(([code]): never => assert.fail(`${script} ended with ${code}`))
  stopped.catch(() => {})
  try {
    const found: Found[] = []
    for (const count of counts) {
      child.stdin.write(`${count}\n`)
      await Promise.race([once(child.stdout, 'data'), stopped])
      found.push(searchMemory(child.pid ?? 0, needles))
    }
    return found
  } finally {
    child.stdin.end()
    await ended
  }
}
