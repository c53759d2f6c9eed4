import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { runGate } from '../../../bench/gate/rounds.ts'
import { LIBRARIES, squaresOf, type SubjectName } from '../../../bench/matrix/cells.ts'
import { measureRound, verifyAll } from '../../../bench/matrix/measure.ts'
import { SETTINGS } from '../../../bench/matrix/settings.ts'
import { type Rig, runSuite } from '../../../bench/matrix/suite.ts'
import { BENCH_SEED, controlOf, type Emulator, type EmulatorControl } from '../../../bench/rig/emulator.ts'
import { command, obey, type RemoteService } from '../../../bench/rig/orders.ts'
import { startEmulator, startServiceProcess } from '../../../bench/rig/processes.ts'
import { startBenchService } from '../../../bench/rig/service.ts'
import { librarySubject } from '../../../bench/subjects/libraries.ts'
import { sdkSubject, vendorKey } from '../../../bench/subjects/sdk.ts'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { ROOT } from '../../support/cli.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
let kms: LocalKms
let emulator: Emulator
let control: EmulatorControl
let service: RemoteService
let obeyed: Promise<void>
const kept = process.env['AWS_ENDPOINT_URL_KMS']

/** The process of the service, here without a process: the same words over two streams. */
beforeAll(async () => {
  kms = await startLocalKms({ seed: BENCH_SEED })
  const { aws, vault, vaultToken, gcpRest, gcpGrpc } = kms
  emulator = { aws, vault, vaultToken, gcpRest, gcpGrpc }
  process.env['AWS_ENDPOINT_URL_KMS'] = aws
  control = controlOf(emulator)
  const [orders, answers] = [new PassThrough(), new PassThrough()]
  const running = await startBenchService(emulator, bun, quiet)
  obeyed = obey(running, createInterface({ input: orders }), async line => void answers.write(`${line}\n`))
  service = await command(orders, answers, obeyed)
})
afterAll(async () => {
  await service.stop()
  await kms.close()
  if (kept === undefined) delete process.env['AWS_ENDPOINT_URL_KMS']
  else process.env['AWS_ENDPOINT_URL_KMS'] = kept
})

const TINY = {
  ...{ extent: 'quick' as const, rounds: 2, timeMs: 5, samplesMin: 4, warmup: 2 },
  slow: { timeMs: 1, samplesMin: 1, warmup: 1 },
  open: { timeMs: 100, shares: [0.3] },
}
const squares = squaresOf('quick').filter(
  each => each.concurrency === 1 || each.subject !== 'service' || each.provider === 'aws-kms',
)
const tools = () => ({
  shuffle: <T>(list: readonly T[]) => [...list].toReversed(),
  onProgress: (_: string) => {},
  signal: new AbortController().signal,
})

describe('M-13 the suite', () => {
  test('every subject signs; calls, exposure and overhead are what the custody says; every signature verifies', async () => {
    const rig: Rig = { emulator, control, service, library: librarySubject }
    const lines: string[] = []
    const { cells, openLoop } = await runSuite(rig, squares, TINY, { ...tools(), onProgress: line => lines.push(line) })
    expect(cells.map(({ subject }) => subject)).toEqual(squares.map(({ subject }) => subject))
    for (const cell of cells) {
      const remote = !['passphrase', 'mock', 'none'].includes(cell.provider)
      expect([cell.provider, cell.transport, cell.subject, cell.callsPerSignature]).toEqual([
        ...[cell.provider, cell.transport, cell.subject],
        remote ? 1 : 0,
      ])
      expect(cell.refused).toEqual({})
      expect(0 < cell.p50Ms && cell.p50Ms <= cell.p95Ms && cell.p95Ms <= cell.p99Ms && cell.p99Ms <= cell.maxMs).toBe(
        true,
      )
      expect(cell.samples).toBeGreaterThanOrEqual(2)
      if (cell.subject === 'service') {
        expect(cell.exposureP50Ms! > 0).toBe(cell.custody === 'decrypt')
        expect(cell.overheadMs === null).toBe(!remote)
      }
    }
    const slow = cells.find(
      each => each.subject === 'service' && each.profile === 'fixed:25' && each.concurrency === 1,
    )!
    expect(slow.p50Ms).toBeGreaterThan(24)
    const openSubjects = new Set(openLoop.map(({ subject, custody }) => `${subject} ${custody}`))
    expect([...openSubjects]).toEqual(['sdk native', 'sdk decrypt', 'service native', 'service decrypt'])
    expect(lines.length).toBe(squares.length * TINY.rounds + openLoop.length)
  }, 120_000)

  test('without the libraries their cells say that they are not in the binary; a stop ends it', async () => {
    const rig: Rig = { emulator, control, service }
    for (const subject of LIBRARIES) {
      const mine = squares.filter(each => each.subject === (subject as SubjectName))
      await expect(runSuite(rig, mine, TINY, tools())).rejects.toThrow(`${subject} is not in the binary`)
    }
    const stop = AbortSignal.abort(new Error('enough'))
    await expect(runSuite(rig, squares.slice(0, 1), TINY, { ...tools(), signal: stop })).rejects.toThrow('enough')
  })

  test('what does not verify and what signs nothing end it: no figure of something that does not work', async () => {
    const [square] = squares
    await expect(verifyAll(square!, { verify: () => false }, ['x'])).rejects.toThrow('does not verify')
    const dead = { sign: () => Promise.reject(new Error('nobody there')), verify: () => true, close() {} }
    const observer = { begin() {}, end: () => ({ cpuMs: 0, peakRssMb: 0, exposuresMs: [] }) }
    const bounds = { timeMs: 1, samplesMin: 1, warmup: 1 }
    const job = { square: { ...square!, concurrency: 2 }, subject: dead, face: undefined, observer, bounds }
    await expect(measureRound(job, control)).rejects.toThrow('signed nothing: nobody there')
    await expect(measureRound({ ...job, square: { ...square!, concurrency: 1 } }, control)).rejects.toThrow()
  })

  test('a way nobody goes and a question the emulator refuses are said', async () => {
    await expect(sdkSubject('carrier-pigeon', 'native', emulator)).rejects.toThrow('carrier-pigeon')
    await expect(vendorKey('carrier-pigeon', emulator)).rejects.toThrow('carrier-pigeon')
    await expect(control.latency('no-such-profile', 'aws')).rejects.toThrow('local-kms:')
  })

  test('quick stays under its three minutes by its own bounds', () => {
    const { rounds, timeMs, slow, open } = SETTINGS.quick
    const worst = squaresOf('quick').length * rounds * Math.max(timeMs, slow.timeMs) + 6 * open.timeMs
    expect(worst).toBeLessThan(150_000)
  })
})

describe('M-13 the gate, wired', () => {
  const budget = {
    ratios: {
      nativeOverParts: { max: 1000, measured: 1 },
      decryptOverNative: { max: 1000, measured: 1 },
      nativeOverSdkCpu: { max: 1000, measured: 1 },
    },
    ...{ rounds: { min: 2, step: 1, max: 2 }, unrestMax: 1000 },
  }

  test('two rounds pass a wide budget; slowed, the same path takes longer by what was added', async () => {
    const said: string[] = []
    const options = {
      ...tools(),
      budget,
      until: Number.POSITIVE_INFINITY,
      onProgress: (line: string) => void said.push(line),
    }
    const rig = { emulator, control, service }
    const plain = await runGate(rig, { ...options, slowdown: 0 })
    expect([plain.verdict, plain.rounds.length]).toEqual(['pass', 2])
    const slowed = await runGate(rig, { ...options, slowdown: 3 })
    const ratio = (gated: typeof plain) => gated.findings.find(({ name }) => name === 'nativeOverParts')!.median
    expect(ratio(slowed)).toBeGreaterThan(ratio(plain) * 1.5)
    expect(said.join('\n')).toMatch(/slowed by [\d.]+ ms alone, [\d.]+ ms among 16/)
  }, 60_000)
})

describe('M-13 processes', () => {
  test('emulator and service each start in one of their own and end when told to', async () => {
    const apart = await startEmulator([process.execPath, join(ROOT, 'bench/emulator.ts')])
    try {
      const other = await startServiceProcess([process.execPath, join(ROOT, 'bench/service.ts')], apart.value)
      expect((await other.value.token()).split('.').length).toBe(3)
      expect(Object.keys(other.value.addresses)).toContain('aws-kms-lean-native')
      await other.stop()
    } finally {
      await apart.stop()
    }
    await expect(startEmulator(['/bin/false'])).rejects.toThrow('ended before it was ready')
    await expect(startServiceProcess(['/bin/false'], emulator)).rejects.toThrow(/ended|closed/)
  }, 60_000)
})
