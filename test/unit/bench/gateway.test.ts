import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { measureGateway } from '../../../bench/gateway/measure.ts'
import { createProver, type Prover } from '../../../bench/gateway/proofs.ts'
import { variantSubject } from '../../../bench/gateway/subject.ts'
import { GROUPS, groupName, TURNS, VARIANTS } from '../../../bench/gateway/variants.ts'
import { countedLoop } from '../../../bench/matrix/load.ts'
import { SETTINGS } from '../../../bench/matrix/settings.ts'
import { BENCH_SEED, controlOf, type EmulatorControl } from '../../../bench/rig/emulator.ts'
import { PUBLIC_URL } from '../../../bench/rig/gateway.ts'
import { command, obey, type RemoteService } from '../../../bench/rig/orders.ts'
import { startBenchService } from '../../../bench/rig/service.ts'
import { hashOf, nextPayment, xdrOf } from '../../../bench/subjects/payments.ts'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import * as bun from '../../../src/runtime/bun.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const TURN = { rounds: 4, timeMs: 60_000, callsAlone: 3, callsTogether: 20, warmup: 2 }
let kms: LocalKms
let control: EmulatorControl
let service: RemoteService
let prover: Prover

beforeAll(async () => {
  kms = await startLocalKms({ seed: BENCH_SEED })
  const { aws, vault, vaultToken, gcpRest, gcpGrpc } = kms
  const emulator = { aws, vault, vaultToken, gcpRest, gcpGrpc }
  control = controlOf(emulator)
  const [orders, answers] = [new PassThrough(), new PassThrough()]
  const running = await startBenchService(emulator, bun, quiet)
  const obeyed = obey(running, createInterface({ input: orders }), async line => void answers.write(`${line}\n`))
  service = await command(orders, answers, obeyed)
  prover = await createProver(() => Date.now())
})
afterAll(async () => {
  await service.stop()
  await kms.close()
})

const tools = (lines: string[] = []) => ({
  shuffle: <T>(list: readonly T[]) => [...list].toReversed(),
  onProgress: (line: string) => void lines.push(line),
  signal: new AbortController().signal,
  now: () => Date.now(),
})
const variant = (name: string) => VARIANTS.find(each => each.name === name)!
const [mock] = GROUPS

describe('M-13 what access and policy add', () => {
  test('every variant of every group signs as often as it was asked; the first is what the others are held against', async () => {
    const lines: string[] = []
    const cells = await measureGateway(service, control, GROUPS, TURN, tools(lines))
    expect(cells.map(({ variant: name, concurrency }) => [name, concurrency])).toEqual(
      GROUPS.flatMap(({ concurrency }) => VARIANTS.map(({ name }) => [name, concurrency])),
    )
    for (const [at, cell] of cells.entries()) {
      expect(cell.samples).toBe(TURN.rounds * (cell.concurrency === 1 ? TURN.callsAlone : TURN.callsTogether))
      const base = cells[at - (at % VARIANTS.length)]!
      if (cell === base) {
        expect([cell.overMs, cell.sharePercent, cell.overUnrestMs]).toEqual([null, null, null])
      } else {
        expect(cell.overMs).toBe(cell.p50Ms - base.p50Ms)
        expect(cell.sharePercent).toBe((cell.overMs! / cell.p50Ms) * 100)
        expect(cell.overUnrestMs).toBeGreaterThanOrEqual(0)
      }
    }
    expect(lines.length).toBe(TURN.rounds)
  }, 60_000)

  test('no round begins when the time is over, from the third on; no group, no figures; a stop ends it', async () => {
    const one = [mock!]
    const lines: string[] = []
    await measureGateway(service, control, one, { ...TURN, timeMs: 0 }, tools(lines))
    expect(lines.length).toBe(3)
    expect(await measureGateway(service, control, [], TURN, tools())).toEqual([])
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(measureGateway(service, control, one, TURN, { ...tools(), signal })).rejects.toThrow('enough')
  }, 30_000)

  test('the gateway is on: no token, a token without its proof, a proof for another request and a proof used twice are refused', async () => {
    const { gateway } = await service.gateway()
    const url = `${gateway.url}/v1/keys/mock-native/sign`
    const token = await service.grant({ setup: 'gateway', constrained: true, thumbprint: prover.thumbprint })
    const { body } = nextPayment()
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(url, { method: 'POST', body, headers })
      const limits = response.headers.get('ratelimit-policy')
      return { limits, ...((await response.json()) as { code?: string; signature?: string }) }
    }
    const proof = (over: object = {}) =>
      prover.prove({ token, url: `${PUBLIC_URL}/v1/keys/mock-native/sign`, body, idempotencyKey: 'one', ...over })
    const common = { 'content-type': 'application/json', 'idempotency-key': 'one' }
    const bound = { ...common, authorization: `DPoP ${token}` }
    expect((await ask(common)).code).toBe('token/missing')
    expect((await ask({ ...common, authorization: `Bearer ${token}` })).code).toBe('token/invalid')
    expect((await ask({ ...bound, dpop: await proof({ idempotencyKey: 'two' }) })).code).toBe('token/invalid')
    expect((await ask({ ...bound, dpop: await proof({ url }) })).code).toBe('token/invalid')
    const good = await proof()
    const answer = await ask({ ...bound, dpop: good })
    expect([typeof answer.signature, answer.limits]).toEqual(['string', '"subject";q=1000000;w=60'])
    expect((await ask({ ...bound, dpop: good })).code).toBe('token/invalid')
    const { plain } = await service.gateway()
    expect([plain.url, service.url].includes(gateway.url)).toBe(false)
  })

  test('a request has to be made ready; each is for another payment, and its signature is for no other', async () => {
    const subject = await variantSubject(service, variant('gateway, DPoP, windows'), 'mock-native', prover)
    await expect(subject.sign()).rejects.toThrow('made ready')
    await subject.ready(2)
    const [first, second] = [await subject.sign(), await subject.sign()]
    expect([await subject.verify(first), await subject.verify(second)]).toEqual([true, true])
    const [sequence] = first.split(' ')
    expect(await subject.verify(`${sequence} ${second.split(' ')[1]}`)).toBe(false)
  })

  test('what is refused ends it: no figure of something that is turned away', async () => {
    const other = { ...service, grant: () => service.grant({ setup: 'plain', constrained: false }) }
    await expect(measureGateway(other, control, [mock!], TURN, tools())).rejects.toThrow(
      `${groupName(mock!)} gateway was refused: token/invalid`,
    )
  })

  test('quick stays under its twenty seconds by its own bounds: what is warmed, three rounds, and a time', () => {
    const { timeMs, callsAlone, callsTogether, warmup } = TURNS.quick
    const least = (GROUPS.length / 2) * VARIANTS.length * (warmup + 3 * (callsAlone + callsTogether))
    expect(timeMs).toBeLessThanOrEqual(16_000)
    expect(least / 400).toBeLessThan(20) // signatures a second, on a machine that does much else
    expect(Object.keys(TURNS)).toEqual(Object.keys(SETTINGS))
  })
})

describe('M-13 payments', () => {
  test('each has a sequence number of its own, and the hash is what stellar-sdk says', () => {
    const [one, two] = [nextPayment(), nextPayment()]
    expect(two.sequence).toBe(one.sequence + 1n)
    for (const { sequence, body } of [one, two]) {
      const { xdr } = JSON.parse(body) as { xdr: string }
      expect(xdr).toBe(xdrOf(sequence))
      const transaction = TransactionBuilder.fromXDR(xdr, Networks.TESTNET)
      expect('sequence' in transaction && transaction.sequence).toBe(String(sequence))
      expect(hashOf(sequence)).toEqual(Uint8Array.from(transaction.hash()))
    }
  })

  test('a counted loop makes so many calls, so many at once', async () => {
    let calls = 0
    const load = await countedLoop(async () => String(await Bun.sleep(1).then(() => calls++)), 4, 10)
    expect([calls, load.latencies.length, load.inFlightMax]).toEqual([10, 10, 4])
    expect((await countedLoop(async () => 'x', 4, 2)).latencies.length).toBe(2)
  })
})
