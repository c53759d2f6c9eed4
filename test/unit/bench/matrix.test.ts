import { describe, expect, test } from 'bun:test'
import { baselineOf, LIBRARIES, squareName, squaresOf, WAYS } from '../../../bench/matrix/cells.ts'
import { closedLoop, openLoop } from '../../../bench/matrix/load.ts'
import { machineOf, stealBetween, stealNow } from '../../../bench/matrix/machine.ts'
import { type Cell, cellOf, withOverheads } from '../../../bench/matrix/report.ts'
import { clockStep, median, spreadOf, unrest } from '../../../bench/matrix/samples.ts'
import { shuffled } from '../../../bench/matrix/shuffle.ts'
import { createWatch, type Meters } from '../../../bench/rig/usage.ts'

describe('M-13 the matrix', () => {
  const full = squaresOf('full')
  const quick = squaresOf('quick')
  const of = (squares: typeof full, key: keyof (typeof full)[number]) => [...new Set(squares.map(each => each[key]))]

  test('full: every way and custody at every profile of its service and every concurrency; no cell twice', () => {
    for (const { provider, transport, custodies, profiles, face } of WAYS) {
      for (const custody of custodies) {
        const mine = full.filter(
          each =>
            each.subject === 'service' &&
            each.provider === provider &&
            each.transport === transport &&
            each.custody === custody,
        )
        const latencies = face === undefined ? ['none'] : ['none', 'fixed:5', 'fixed:25', 'fixed:126', ...profiles]
        expect(of(mine, 'profile')).toEqual(latencies)
        expect(mine.length).toBe(latencies.length * 3)
      }
    }
    expect(new Set(full.map(squareName)).size).toBe(full.length)
    expect(of(full, 'concurrency')).toEqual([1, 16, 64])
    expect(new Set(of(full, 'subject'))).toEqual(new Set(['service', 'sdk', 'engine', ...LIBRARIES]))
  })

  test('quick: every service cell without latency at 1 and 16, one latency for AWS', () => {
    expect(of(quick, 'concurrency')).toEqual([1, 16])
    expect(of(quick, 'profile')).toEqual(['none', 'fixed:25'])
    expect(of(quick, 'provider')).toEqual(of(full, 'provider'))
    expect(
      of(
        quick.filter(each => each.profile !== 'none'),
        'provider',
      ),
    ).toEqual(['aws-kms'])
  })

  test('the service is held against the vendor’s client on its own transport, or on the vendor’s first', () => {
    const find = (subject: string, transport: string, custody = 'native') =>
      full.find(
        each =>
          each.subject === subject &&
          each.transport === transport &&
          each.custody === custody &&
          each.profile === 'fixed:25' &&
          each.concurrency === 16,
      )
    expect(baselineOf(find('service', 'rest')!, full)).toBe(find('sdk', 'rest'))
    expect(baselineOf(find('service', 'lean', 'decrypt')!, full)).toBe(find('sdk', 'sdk', 'decrypt'))
    expect(baselineOf(find('sdk', 'grpc')!, full)).toBeUndefined()
    const mock = full.find(each => each.provider === 'mock')!
    expect(baselineOf(mock, full)).toBeUndefined()
  })
})

describe('M-13 samples', () => {
  test('every figure is one that was measured; medians, unrest', () => {
    const samples = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(spreadOf(samples)).toEqual({
      ...{ samples: 100, minMs: 1, p25Ms: 25, p50Ms: 50, p75Ms: 75, p95Ms: 95, p99Ms: 99, maxMs: 100 },
    })
    expect(median([3, 1, 2])).toBe(2)
    expect(unrest([10, 10, 10])).toBe(0)
    expect(unrest([5, 10, 15, 20])).toBe(0.5)
  })

  test('a coarse clock is seen, and what it measured is not trusted', () => {
    let now = 0
    expect(clockStep(() => Math.floor(now++ / 10) * 0.5, 1000)).toBe(0.5)
    expect(clockStep(() => 7, 10)).toBe(Number.POSITIVE_INFINITY)
    const [square] = squaresOf('quick')
    const load = { latencies: [1, 2, 3], elapsedMs: 6, signatures: [], refused: new Map(), inFlightMax: 1 }
    const usage = { cpuMs: 3, peakRssMb: 10, exposuresMs: [] }
    expect(cellOf(square!, [{ load, usage, calls: 0 }], 0.5).clockTrusted).toBe(false)
    expect(cellOf(square!, [{ load, usage, calls: 0 }], 0.0001).clockTrusted).toBe(true)
  })

  test('steal is a part of all processor time, and unknown where nobody counts it', () => {
    const stat = (steal: number, idle: number) => () => `cpu  10 0 10 ${idle} 0 0 0 ${steal} 0 0\ncpu0 1 2`
    expect(stealNow(stat(5, 75))).toEqual({ taken: 5, all: 100 })
    expect(stealBetween(stealNow(stat(5, 75)), stealNow(stat(15, 165)))).toBe(10)
    expect(stealBetween(undefined, stealNow(stat(5, 75)))).toBeNull()
    expect(stealNow(() => 'nothing of the kind')).toBeUndefined()
    const none = stealNow(() => {
      throw new Error('no such file')
    })
    expect(none).toBeUndefined()
    expect(machineOf().cores).toBeGreaterThan(0)
  })

  test('shuffling keeps every element', () => {
    const list = Array.from({ length: 300 }, (_, i) => i)
    let seed = 1
    const random = { bytes: (length: number) => Uint8Array.from({ length }, () => (seed = (seed * 75 + 74) % 65_537)) }
    const turned = shuffled(list, random)
    expect(turned).not.toEqual(list)
    expect(turned.toSorted((a, b) => a - b)).toEqual(list)
  })
})

describe('M-13 load', () => {
  const later = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

  test('a closed loop keeps so many calls under way, and counts what is turned away', async () => {
    let calls = 0
    const sign = async () => {
      await later(1)
      if (++calls % 4 === 0) throw new Error('overloaded')
      return String(calls)
    }
    const load = await closedLoop(sign, 5, { timeMs: 30, samplesMin: 10 })
    expect(load.inFlightMax).toBe(5)
    expect(load.latencies.length).toBe(load.signatures.length)
    expect(load.latencies.length + (load.refused.get('overloaded') ?? 0)).toBe(calls)
  })

  test('an open loop counts from when a call was due: a stall is in the figures of all it held up', async () => {
    let free = Promise.resolve()
    let first = true
    const sign = () => {
      const wait = first ? 120 : 0 // one stall, behind which everything queues
      first = false
      free = free.then(() => later(wait))
      return free.then(() => 'signature')
    }
    const load = await openLoop(sign, 100, 200)
    expect(load.latencies.length).toBe(20)
    const held = load.latencies.filter(latency => latency > 30)
    expect(held.length).toBeGreaterThanOrEqual(6)
    expect(load.inFlightMax).toBeGreaterThanOrEqual(6)
  })

  test('arrivals that are late themselves keep their due time', async () => {
    const load = await openLoop(
      async () => 'signature',
      1000,
      50,
      () => later(20),
    )
    expect(load.latencies.length).toBe(50)
    expect(Math.max(...load.latencies)).toBeGreaterThan(10)
  })
})

describe('M-13 what the process used', () => {
  test('processor time, the highest memory, and each key opened, between begin and end', () => {
    const world = { cpu: 1000, rss: 50, now: 0 }
    let look = () => {}
    let undone = 0
    const meters: Meters = {
      cpu: () => world.cpu,
      rss: () => world.rss * 1024 * 1024,
      now: () => world.now,
      every: each => {
        look = each
        return () => void undone++
      },
    }
    const watch = createWatch(meters)
    watch.begin()
    const [one, two] = [watch.keyOpened(), watch.keyOpened()]
    world.now = 3
    one()
    world.now = 5
    two()
    world.rss = 80
    look()
    world.rss = 60
    world.cpu = 9000
    expect(watch.end()).toEqual({ cpuMs: 8, peakRssMb: 80, exposuresMs: [3, 5] })
    expect(undone).toBe(1)
    watch.begin()
    expect(watch.end().exposuresMs).toEqual([])
  })

  test('overhead is p50 less p50 of the vendor’s client; exposure is nothing for native and unknown for clients', () => {
    const squares = squaresOf('quick').filter(
      each => each.transport === 'rest' && each.concurrency === 1 && each.profile === 'none',
    )
    const load = (ms: number) => ({
      ...{ latencies: [ms, ms, ms], elapsedMs: 3 * ms, signatures: [], inFlightMax: 1 },
      refused: new Map([['overloaded', 1]]),
    })
    const cells: readonly Cell[] = withOverheads(
      squares.map(square =>
        cellOf(
          square,
          [
            {
              load: load(square.subject === 'sdk' ? 2 : 3),
              usage: { cpuMs: 6, peakRssMb: 9, exposuresMs: [0.1, 0.3] },
              calls: 3,
            },
          ],
          0.0001,
        ),
      ),
    )
    const find = (subject: string, custody: string) =>
      cells.find(each => each.subject === subject && each.custody === custody)!
    expect(find('service', 'native')).toMatchObject({
      ...{ overheadMs: 1, overheadRatio: 1.5, exposureP50Ms: 0, exposureMaxMs: 0, callsPerSignature: 1 },
      ...{ cpuMsPerSignature: 2, refused: { overloaded: 1 }, p50Ms: 3, samples: 3 },
    })
    expect(find('service', 'decrypt')).toMatchObject({ exposureP50Ms: 0.1, exposureMaxMs: 0.3 })
    expect(find('sdk', 'decrypt')).toMatchObject({ exposureP50Ms: null, overheadMs: null, perSecond: 500 })
  })
})
