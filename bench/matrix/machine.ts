import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import type { Meta } from './report.ts'

/** Hundredths of a second of all processors, since the machine started: those taken by other machines, and all. */
export interface Steal {
  readonly taken: number
  readonly all: number
}

/** Linux counts it (proc(5), `/proc/stat`); undefined elsewhere. */
export function stealNow(read: () => string = () => readFileSync('/proc/stat', 'utf8')): Steal | undefined {
  let text: string
  try {
    text = read()
  } catch {
    return undefined
  }
  const [name, ...figures] = (text.split('\n')[0] ?? '').split(' ').filter(part => part !== '')
  // user nice system idle iowait irq softirq steal; guest time behind it is in user already
  const all = figures.slice(0, 8).map(Number)
  if (name !== 'cpu' || all.length < 8 || all.some(Number.isNaN)) return undefined
  return { taken: all[7] ?? 0, all: all.reduce((sum, figure) => sum + figure, 0) }
}

export function stealBetween(before: Steal | undefined, after: Steal | undefined): number | null {
  if (before === undefined || after === undefined || after.all <= before.all) return null
  return ((after.taken - before.taken) / (after.all - before.all)) * 100
}

export function machineOf(): Meta['machine'] {
  const all = cpus()
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
  }
}

/** What is checked out; with `+` when files differ from it. */
export function commitOf(): string {
  const git = (...args: string[]) => spawnSync('git', args, { encoding: 'utf8' })
  const head = git('rev-parse', 'HEAD')
  if (head.status !== 0) return 'unknown'
  const changed = git('status', '--porcelain', '--untracked-files=no').stdout.trim() !== ''
  return `${head.stdout.trim()}${changed ? '+' : ''}`
}
