/** the service as a real process over a real directory, killed with SIGKILL again and again, and what must be true each time. */
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seeded } from '../support/audit-world.ts'
import { type Child, endAll, startChild, startMain } from './children.ts'
import { askAgain, checkClosed, checkHeld, type Ledger, load, newLedger, readDisk, type Server } from './ledger.ts'
import { type Plan, POINTS, type Ready } from './points.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const TIMES = LONG ? 12 : 1
const AT_POINTS = 12 * POINTS.length * TIMES
const FROM_OUTSIDE = 30 * TIMES
const OF_DEV = 36 * TIMES
const LIMIT_MS = 600_000 * TIMES
const SEED = 20_261_122
const CALLERS = 8
afterEach(endAll)

/** A kill: at a point, or from outside so many milliseconds after it was ready. `start` comes before that: while it recovers. */
type Kill = { readonly plan: Plan } | { readonly afterMs: number } | { readonly startMs: number }

interface Round {
  readonly child: Child<unknown>
  /** Undefined: dead before it was ready. */
  readonly server: Server | undefined
  readonly recoveryMs: number
}

/** @param onStart gets the process before it is ready */
type Open = (plan: Plan, onStart?: (child: Child<unknown>) => void) => Promise<Round>

async function campaign(
  ledger: Ledger,
  kills: readonly Kill[],
  open: Open,
  goesOn: () => boolean,
): Promise<{ slowestMs: number }> {
  let confirmed = 0
  let slowestMs = 0
  const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

  /** Starts, checks what it found, asks everything again that is not confirmed yet, and goes on asking until it is gone. */
  const round = async (kill: Kill): Promise<void> => {
    const { child, server, recoveryMs } = await open('plan' in kill ? kill.plan : {}, started => {
      if ('startMs' in kill) void wait(kill.startMs).then(() => started.kill())
    })
    if (server !== undefined && !('startMs' in kill)) {
      slowestMs = Math.max(slowestMs, recoveryMs)
      const records = await readDisk(ledger, false)
      checkHeld(ledger, records)
      checkClosed(ledger, records)
      if ('afterMs' in kill) void wait(kill.afterMs).then(() => child.kill())
      const before = ledger.asked.length
      await askAgain(ledger, server, confirmed)
      if (
        ledger.asked.slice(confirmed, before).every(({ signed, refused }) => signed !== undefined || refused.length > 0)
      )
        confirmed = Math.max(0, before - 3) // the last ones are asked once more after the next kill
      await load(ledger, server, CALLERS)
    }
    child.kill() // a request limit was reached without meeting the point
    const { signal, stderr } = await child.ended
    expect(signal, stderr).toBe('SIGKILL')
    ledger.counts.kills++
    checkHeld(ledger, await readDisk(ledger, true))
  }

  for (const kill of kills) if (goesOn()) await round(kill)
  const { child, server, recoveryMs } = await open({})
  slowestMs = Math.max(slowestMs, recoveryMs)
  if (server === undefined) throw new Error(`it does not start any more: ${(await child.ended).stderr}`)
  await askAgain(ledger, server, 0) // everything, from the first day
  const records = await readDisk(ledger, false)
  checkHeld(ledger, records)
  checkClosed(ledger, records)
  for (const { signed, refused } of ledger.asked) expect(signed !== undefined || refused.length > 0).toBe(true)
  child.kill()
  await child.ended
  return { slowestMs }
}

function shuffled<T>(list: readonly T[], chance: () => number): T[] {
  return list
    .map(value => [chance(), value] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, value]) => value)
}

const chance = seeded(SEED)
const atPoints: Kill[] = Array.from({ length: AT_POINTS }, (_, n) => ({
  plan: { die: { point: POINTS[n % POINTS.length] ?? 'reserved', nth: 1 + Math.floor(chance() ** 2 * 16) } },
}))
const fromOutside: Kill[] = Array.from({ length: FROM_OUTSIDE }, () => ({ afterMs: chance() * 300 }))

const openChild =
  (ledger: Ledger): Open =>
  async (plan, onStart) => {
    const child = startChild<Ready>(ledger.directory, plan)
    onStart?.(child)
    const ready = await child.ready
    return { child, server: ready, recoveryMs: ready?.recoveryMs ?? 0 }
  }

const openDev =
  (ledger: Ledger): Open =>
  async (_, onStart) => {
    const started = performance.now()
    const child = startMain<{ dataUrl: string; token: string }>('dev', '--json', '--data', ledger.directory)
    onStart?.(child)
    const ready = await child.ready
    const server = ready === undefined ? undefined : { url: ready.dataUrl, token: ready.token }
    return { child, server, recoveryMs: performance.now() - started }
  }

/** Runs campaigns in directories of their own, two at a time, and removes those in the end. */
async function twoAtATime(keys: readonly string[], shares: readonly (readonly Kill[])[], open: typeof openChild) {
  const started = performance.now()
  const home = mkdtempSync(join(tmpdir(), 'countersign-crash-'))
  try {
    const ledgers = shares.map((_, n) => newLedger(join(home, String(n)), keys))
    const reports: { slowestMs: number }[] = []
    let failed = false
    const goesOn = (): boolean => !failed
    const lane = async (): Promise<void> => {
      for (let n = next++; n < ledgers.length && goesOn(); n = next++) {
        const ledger = ledgers[n] as Ledger
        reports.push(await campaign(ledger, shares[n] ?? [], open(ledger), goesOn))
      }
    }
    let next = 0
    const fail = (error: unknown): never => {
      failed = true // the other lane ends its round, and no process of it is left behind
      throw error
    }
    const lanes = await Promise.allSettled([lane().catch(fail), lane().catch(fail)])
    for (const end of lanes) if (end.status === 'rejected') throw end.reason
    const total: Record<string, number> = {}
    for (const { counts } of ledgers)
      for (const [name, value] of Object.entries(counts)) total[name] = (total[name] ?? 0) + value
    const slowestMs = Math.max(...reports.map(report => report.slowestMs))
    const seconds = (performance.now() - started) / 1000
    console.log(
      `# seed ${SEED}, ${seconds.toFixed(0)} s, slowest start ${slowestMs.toFixed(0)} ms, ${JSON.stringify(total)}`,
    )
    return { ...total, slowestMs } as Ledger['counts'] & { slowestMs: number }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** One share for each directory. Logs that stay short keep the checks quick; each still sees dozens of starts. */
const shares = <T>(list: readonly T[], count: number): T[][] =>
  Array.from({ length: count }, (_, share) => list.filter((_value, n) => n % count === share))

test(
  `R-01 ${AT_POINTS} kills at ${POINTS.length} points of the path and ${FROM_OUTSIDE} at random times: nothing released that the log does not hold, nothing acknowledged that is lost`,
  async () => {
    const kills = shuffled([...atPoints, ...fromOutside], chance)
    const report = await twoAtATime(['native', 'envelope'], shares(kills, 6 * TIMES), openChild)
    expect(report.kills).toBe(AT_POINTS + FROM_OUTSIDE)
    expect(report.slowestMs).toBeLessThan(2_000)
    // Each of these was met, or the campaign proves less than it says.
    for (const name of ['signed', 'replayed', 'refused', 'lost', 'interrupted', 'torn'] as const)
      expect(report[name], name).toBeGreaterThan(0)
  },
  LIMIT_MS,
)

test(
  `R-01 ${OF_DEV} kills of \`countersign dev\` with the AWS face, while it starts and while it works`,
  async () => {
    const kills = Array.from(
      { length: OF_DEV },
      (_, n): Kill => (n % 4 === 3 ? { startMs: chance() * 900 } : { afterMs: chance() * 400 }),
    )
    const keys = ['demo-stellar', 'demo-stellar-decrypt', 'demo-mock', 'demo-mock-decrypt']
    const report = await twoAtATime(keys, shares(kills, 2 * TIMES), openDev)
    expect(report.kills).toBe(OF_DEV)
    expect(report.signed).toBeGreaterThan(0)
    expect(report.replayed).toBeGreaterThan(0)
  },
  LIMIT_MS,
)
