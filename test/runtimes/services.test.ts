/** M-14: AWS KMS, Vault Transit and Google Cloud KMS over fetch, the same answers on Bun, Node, Deno and workerd. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { developmentSecret, devPublicKey } from '../../providers/mock/index.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { wasmFromBytes, world } from '../../src/runtime/bun.ts'
import type { ServicesReport } from './report.ts'
import { RUNTIME_NAMES, runServicesOn } from './run.ts'
import { edge } from './services/edge.ts'
import { startServices } from './services/emulator.ts'
import { MESSAGE, seed } from './services/keys.ts'
import { EVM_KEY, FAULTY_KEYS, type Places, SERVICES, type Service } from './services/places.ts'
import { roomsOf, subjectOf } from './services/suite.ts'

let places: Places
let close = async (): Promise<void> => {}
const reports = new Map<string, Promise<ServicesReport>>()

beforeAll(async () => {
  ;({ close, ...places } = await startServices())
  // All at once: each waits for the emulator most of the time.
  for (const name of RUNTIME_NAMES) {
    const running = runServicesOn(name, places)
    running.catch(() => {})
    reports.set(name, running)
  }
})
afterAll(() => close())

const reportOf = async (name: string): Promise<ServicesReport> => (await reports.get(name)) as ServicesReport

describe('M-14 R-36 three key services, four runtimes', () => {
  test.each(RUNTIME_NAMES)(
    '%s gives the same answers',
    async name => {
      const [{ edge: expected }, seen] = [await reportOf('bun'), await reportOf(name)]
      expect(expected.results.length).toBeGreaterThanOrEqual(60)
      expect(seen.edge.results.filter(each => each.failed !== undefined)).toEqual([])
      expect(seen.edge.results).toEqual(expected.results as never)
      expect(seen.edge.digest).toBe(expected.digest)
      console.log(`# ${seen.runtime}, over fetch: ${seen.edge.results.length} cases, digest ${seen.edge.digest}`)
    },
    180_000,
  )

  test.each(RUNTIME_NAMES)(
    "%s gives them through AWS's own client too",
    async name => {
      const [{ edge: expected }, { runtime, sdk }] = [await reportOf('bun'), await reportOf(name)]
      expect(sdk.results).toEqual(expected.results.filter(each => each.name.startsWith('aws-kms: ')) as never)
      expect(sdk.results.length).toBeGreaterThan(8)
      console.log(`# ${runtime}, AWS KMS through AWS's client: ${sdk.results.length} of them, the same`)
    },
    180_000,
  )

  test.each(['bun', 'node', 'deno'])(
    '%s gives them with the entries of a machine too: credential chains, node-vault, gRPC',
    async name => {
      const [{ edge: expected }, { runtime, machine, grpc }] = [await reportOf('bun'), await reportOf(name)]
      expect(machine?.results).toEqual(expected.results as never)
      expect(grpc?.results).toEqual(expected.results.filter(each => each.name.startsWith('gcp-kms: ')) as never)
      expect(grpc?.results.length).toBeGreaterThan(8)
      console.log(`# ${runtime}, entries of a machine: ${machine?.results.length} cases, digest ${machine?.digest}`)
      console.log(`# ${runtime}, Google Cloud KMS over gRPC: ${grpc?.results.length} of them, the same`)
    },
    180_000,
  )

  test('where nobody listens, reading says so everywhere; workerd cannot tell whether a signature was asked for', async () => {
    const unavailable = ['provider/unavailable', 'provider/unavailable']
    // A connection that was refused and one that broke are one error there, so a signature may exist. Vault's login,
    // which comes first, makes none.
    const unknown = ['provider/unavailable', 'provider/ambiguous']
    for (const name of RUNTIME_NAMES) {
      const blind = name === 'workerd' ? unknown : unavailable
      expect([name, (await reportOf(name)).nowhere]).toEqual([
        name,
        { 'aws-kms': blind, 'vault-transit': unavailable, 'gcp-kms': blind },
      ])
    }
  }, 180_000)
})

/** Runs one case here, and gives what came out instead of its digest. */
function outputOf(service: Service, title: string, room: string = service): Promise<any> {
  const subject = subjectOf(service, { capability: { wasmFromBytes }, world: world(), openers: edge, places })
  const run = roomsOf(subject)[room]?.[title]
  if (run === undefined) throw new Error(`the case has another name now: ${title}`)
  return Promise.resolve(run())
}

describe('four runtimes do not merely agree on being wrong', () => {
  test.each(SERVICES)(
    '%s: keys, signatures, envelopes',
    async service => {
      const evm = service !== 'vault-transit'
      const [, , stellar, ethereum] = await outputOf(service, 'M-02 what the service says of its keys')
      expect(stellar.value[0].publicKey).toEqual(devPublicKey('treasury'))
      expect(evm ? ethereum.value[0].publicKey : ethereum.error).toEqual(
        evm ? devPublicKey(EVM_KEY, 'ecdsa-secp256k1') : 'provider/refused',
      )
      const signature = developmentSecret('ed25519', 'treasury').use(bytes => ed25519.sign(MESSAGE, bytes))
      for (const once of await outputOf(service, 'M-03 Ed25519 by the service, the same bytes every time')) {
        expect(once.value.slice(0, 2)).toEqual([signature, true])
      }
      const rounds = await outputOf(service, 'M-04 secp256k1 by the service: other bytes every time, each of them good')
      if (evm) expect(rounds.value).toEqual(Array.from({ length: 6 }, () => [true, true, true]))
      else expect(rounds.error).toBe('provider/refused')
      const opened = await outputOf(service, 'M-05 wraps, and unwraps only under the same context, key and bytes')
      for (const [title, told] of Object.entries<any>(opened)) {
        const good = title === 'as it was' || title === 'entries in another order'
        expect([title, told.error ?? told.value[0]]).toEqual([title, good ? seed().use(sha256) : 'envelope/unreadable'])
      }
    },
    60_000,
  )

  test('the three services and their two custodies give one signature for one key and payload', async () => {
    const signatures = await Promise.all(
      SERVICES.map(async service => {
        const [told] = await outputOf(service, 'I1–I5 the whole path, native and by decrypting')
        const rows = told.filter(Array.isArray) as [string, string | number, any][]
        const codes = rows
          .filter(([, , answer]) => 'error' in answer)
          .map(([key, at, { error }]) => `${key} ${at}: ${error}`)
        for (const key of ['swapped', 'elsewhere', 'mispinned']) expect(codes).toContain(`${key} 2: key/not-active`)
        expect(codes).toContain('swapped 1: envelope/mismatch')
        expect(codes).toContain('elsewhere 1: envelope/unreadable')
        expect(codes).toContain('mispinned 1: signature/unverified')
        expect(codes).toContain('disabled 2: provider/refused')
        return rows.flatMap(([key, name, { value }]) =>
          value === undefined ? [] : [[key, name, value.custody, value.signature]],
        )
      }),
    )
    const [first = [], ...others] = signatures
    expect(first.map(([key, name, custody]) => `${name} by ${key}, ${custody}`)).toEqual(
      ['treasury, native', 'vault, envelope'].flatMap(key =>
        ['payment', 'two payments, memo, time bounds', 'fee bump', 'again'].map(name => `${name} by ${key}`),
      ),
    )
    for (const other of others) expect(other).toEqual(first)
  }, 60_000)

  test.each(SERVICES)(
    '%s: what is cut off, damaged or given up gives no signature',
    async service => {
      const room = `${service} under faults`
      for (const name of FAULTY_KEYS) {
        const { sign } = await outputOf(service, `R-14 ${name}`, room)
        expect([name, sign.error ?? sign.value]).not.toEqual([name, 'verifies'])
      }
      const midway = await outputOf(service, 'R-14 given up while the request is on its way', room)
      expect(Object.entries<any>(midway).map(([call, { error }]) => [call, error])).toEqual([
        ['describe', 'provider/unavailable'],
        ['sign', 'provider/ambiguous'],
        ['wrap', 'provider/unavailable'],
        ['unwrap', 'provider/unavailable'],
      ])
    },
    60_000,
  )
})
