import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Emulator } from './emulator.ts'
import { command, type RemoteService } from './orders.ts'

/** Client, service and emulator share no event loop: each is a process. */
export interface Started<T> {
  readonly value: T
  stop(): Promise<void>
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })

/** @param program what starts `bench/emulator.ts`. */
export async function startEmulator(program: readonly string[]): Promise<Started<Emulator>> {
  const [path = '', ...first] = program
  const child = spawn(path, [...first], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {})
  const over = ended(child)
  const line = new Promise<string>(resolve => createInterface({ input: child.stdout }).once('line', resolve))
  const text = await Promise.race([line, over])
  if (text === undefined) throw new Error('local-kms ended before it was ready')
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await over
  }
  return { value: JSON.parse(text) as Emulator, stop }
}

/** @param program what starts `bench/service.ts`. */
export async function startServiceProcess(
  program: readonly string[],
  emulator: Emulator,
): Promise<Started<RemoteService>> {
  const [path = '', ...first] = program
  const child = spawn(path, [...first, JSON.stringify(emulator)], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // of a process that is gone; what waits for it hears of that
  const value = await command(child.stdin, child.stdout, ended(child))
  return { value, stop: () => value.stop() }
}
