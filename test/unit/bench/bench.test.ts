import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { type Rig, runBench } from '../../../bench/main.ts'
import { measurementOf, percentile, type Report, table } from '../../../bench/report.ts'
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { DEMO_KMS_KEY_ID } from '../../../src/compose/demo.ts'
import { EXAMPLE_FILE, run, start, startDev } from '../../support/cli.ts'

const CASES = ['AWS SDK, Sign', 'countersign, native', 'countersign, decrypt']
const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const TINY = { rounds: 2, iterations: 3, warmup: 1 }

/** The rig of the real bench, around a `dev` of this process. */
async function rigOf(dev: Awaited<ReturnType<typeof startDev>>): Promise<Rig> {
  const { ready } = dev
  const hash = TransactionBuilder.fromXdr(EXAMPLE, Networks.TESTNET).hash()
  const stellar = ready.keys.filter(({ chain }) => chain === 'stellar')
  const keys = new Map(stellar.map(({ name, address }) => [name, Keypair.fromPublicKey(address)]))
  const calls = `${ready.localKms.aws}/_local-kms/calls`
  return {
    kms: ready.localKms.aws,
    calls: async () => (await (await fetch(calls)).json()) as Record<string, number>,
    service: ready.dataUrl,
    token: ready.token,
    keyId: DEMO_KMS_KEY_ID,
    hash,
    xdr: EXAMPLE,
    verify: (key, signature) => keys.get(key)?.verify(hash, signature) === true,
    facts: { runtime: 'test', cores: 2 },
    stop: async () => {},
  }
}

describe('runBench', () => {
  test('every case signs through the same emulator, one call of it a signature; samples of all rounds are pooled', async () => {
    const dev = await startDev()
    const progress: string[] = []
    const orders: string[][] = []
    const shuffle = <T>(list: readonly T[]): T[] => {
      const turned = [...list].toReversed()
      orders.push(turned.map(one => (one as { name: string }).name))
      return turned
    }
    const report = await runBench(await rigOf(dev), TINY, { shuffle, onProgress: line => void progress.push(line) })
    await dev.stop()
    const { measurements, facts, settings } = report.json
    expect(measurements.map(({ name }) => name)).toEqual(CASES)
    expect(orders).toEqual([CASES.toReversed(), CASES.toReversed()])
    expect(progress).toEqual(['round 1 of 2', 'round 2 of 2'])
    expect({ facts, settings }).toEqual({ facts: { runtime: 'test', cores: 2 }, settings: TINY })
    for (const { samples, p50, p99, min, callsPerSignature } of measurements) {
      expect({ samples, callsPerSignature }).toEqual({ samples: 6, callsPerSignature: 1 })
      expect(min > 0 && min <= p50 && p50 <= p99).toBe(true)
    }
    for (const name of CASES) expect(report.table).toContain(name)
  })

  test('a signature that does not verify, and a refusal, end it: no figure of something that does not work', async () => {
    const dev = await startDev()
    const rig = await rigOf(dev)
    const tools = { shuffle: <T>(list: readonly T[]) => [...list], onProgress: () => {} }
    await expect(runBench({ ...rig, verify: () => false }, TINY, tools)).rejects.toThrow(
      'AWS SDK, Sign does not verify',
    )
    await expect(runBench({ ...rig, token: 'none' }, TINY, tools)).rejects.toThrow(
      'countersign, native was refused: token/invalid',
    )
    await dev.stop()
  })
})

describe('the report', () => {
  test('percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
    expect([0, 1, 50, 99, 100].map(p => percentile(hundred, p))).toEqual([1, 1, 50, 99, 100])
    expect(percentile([7], 50)).toBe(7)
    expect(percentile([], 50)).toBeNaN()
  })

  test('a measurement sorts its samples and leaves them as they were', () => {
    const samples = [3, 1, 2]
    expect(measurementOf('a', 'b', samples, 1)).toEqual({
      name: 'a',
      samples: 3,
      p50: 2,
      p99: 3,
      min: 1,
      callsPerSignature: 1,
      baseline: 'b',
    })
    expect(samples).toEqual([3, 1, 2])
    expect('baseline' in measurementOf('a', undefined, [1], 0)).toBe(false)
  })

  test('the table is aligned, and gives the ratio to the baseline', () => {
    const json: Report = {
      facts: { commit: 'abc', cores: 2 },
      settings: TINY,
      measurements: [
        measurementOf('sdk', undefined, [1, 2, 4], 1),
        measurementOf('signer, native', 'sdk', [3, 3, 3], 1),
      ],
    }
    const [head = '', first = '', second = '', , last = ''] = table(json).split('\n')
    expect(new Set([head.length, first.length, second.length]).size).toBe(1)
    expect(first).toEndWith('baseline')
    expect(second).toEndWith('1.50×')
    expect(last).toContain('2 rounds of 3, order shuffled; commit abc; cores 2')
  })
})

describe('countersign bench', () => {
  test('--short --json: a process of its own, figures of all cases with their surroundings; stdout is one object', async () => {
    const { exitCode, json, err, out } = await run(['bench', '--short', '--json'])
    expect({ exitCode, lines: out.trimEnd().split('\n').length }).toEqual({ exitCode: 0, lines: 1 })
    const { measurements, facts } = json as unknown as Report
    expect(measurements.map(({ name, callsPerSignature }) => [name, callsPerSignature])).toEqual(
      CASES.map(name => [name, 1]),
    )
    expect(Object.keys(facts)).toEqual(['commit', 'version', 'runtime', 'cpu', 'cores', 'provider', 'more'])
    expect(facts).toMatchObject({ version: '1.2.3-test', runtime: `bun ${Bun.version}` })
    expect(err.trimEnd().split('\n').at(-1)).toBe('round 4 of 4')
  }, 60_000)

  test('the table is for people; long unless told', async () => {
    const services: NonNullable<Parameters<typeof run>[1]>['services'] = real => ({
      ...real,
      bench: async ({ short }) => ({ table: `short ${short}\n`, json: {} }),
    })
    expect(await run(['bench'], { services })).toMatchObject({ exitCode: 0, out: 'short false\n', err: '' })
    expect(await run(['bench', '--short'], { services })).toMatchObject({ exitCode: 0, out: 'short true\n' })
  })

  test('a stop in the middle ends the process it started, and exits 5', async () => {
    const bench = start(['bench', '--json'])
    while (!bench.text.err.includes('round 1')) await new Promise(resolve => setTimeout(resolve, 5))
    const { exitCode, json } = await bench.stop()
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 5, code: 'service/stopping' })
  }, 60_000)

  test('a runtime that cannot start itself, and a process that ends before it is ready, are refused with a reason', async () => {
    const none = await run(['bench', '--json'], { runtime: { selfExecutable: () => undefined } })
    expect({ exitCode: none.exitCode, code: none.json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    const command = ['/bin/sh', '-c', 'exit 3']
    const dead = await run(['bench', '--json'], {
      runtime: { selfExecutable: () => ({ path: '', compiled: false, command }) },
    })
    expect({ exitCode: dead.exitCode, code: dead.json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(dead.err).toContain('ended before it was ready')
    const missing = ['/nonexistent/countersign']
    const gone = await run(['bench', '--json'], {
      runtime: { selfExecutable: () => ({ path: '', compiled: false, command: missing }) },
    })
    expect({ exitCode: gone.exitCode, code: gone.json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
  }, 30_000)
})
