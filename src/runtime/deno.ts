/** Deno. Its Node face carries everything we need, so that no name of its own is used. */
import process from 'node:process'
import { type HardeningReport, type SelfExecutable, unsupportedHardening } from './contract.ts'

export { argv, environment, exit, isTerminal, onSignals, programName, readStdin, serve, world, write } from './node.ts'

export const runtime = 'deno' as const
export const wasmFromBytes = true
export const version = (): string => process.versions.deno ?? 'unknown'
export const harden = (): HardeningReport =>
  unsupportedHardening('Deno is hardened by its own permissions; use the single binary for more')

export function selfExecutable(): SelfExecutable {
  const path = process.execPath
  return { path, compiled: false, command: [path, 'run', process.argv[1] ?? ''] }
}
