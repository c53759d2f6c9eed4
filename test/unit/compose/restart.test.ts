import { afterAll, describe, expect, test } from 'bun:test'
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { readRecords } from '../../../src/audit/read.ts'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { httpClient, ProblemError } from '../../../src/client/http.ts'
import { registerDeps } from '../../../src/compose/keys.ts'
import { openRoom, type RoomSettings } from '../../../src/compose/room.ts'
import { type ServiceSettings, startService } from '../../../src/compose/service.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { World } from '../../../src/domain/ports.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { demoPolicy } from '../../../src/policy/index.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { createNative } from '../../../src/service/register.ts'
import { memoryLogger } from '../../support/rig.ts'
import { EXAMPLE_FILE, ROOT, scratch } from '../../support/cli.ts'

const files = scratch()
afterAll(files.remove)
const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const world = bun.world()
const issuer = createDevIssuer({ clock: world.clock })

const room = (name: string): RoomSettings => ({
  environment: 'development',
  dataDirectory: files.path(name),
  instance: 'test',
  providers: { mock: { kind: 'mock' } },
})
const settings = (name: string): ServiceSettings => ({
  ...room(name),
  server: { host: '127.0.0.1', port: 0 },
  limits: { bodyBytes: 65_536, concurrency: 16, deadlineMs: 5000, tries: 1, breakerFailures: 5, breakerResetMs: 1000 },
  tokens: { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock: world.clock },
})

async function up(name: string, runtime: typeof bun = bun) {
  const logs: Record<string, unknown>[] = []
  const service = await startService(settings(name), runtime, memoryLogger(logs))
  const token = await issuer.issue({ subject: 'api', scopes: ['sign:*'] })
  const client = httpClient({ url: service.url, token: () => token, fetch: world.fetch })
  return { ...service, logs, sign: (key = 'order-1', xdr = EXAMPLE) => client.signStellar('treasury', xdr, key) }
}

async function withKey(name: string): Promise<void> {
  const opened = await openRoom(room(name), world)
  const key = {
    name: 'treasury',
    chain: 'stellar',
    network: 'testnet',
    provider: 'mock',
    policy: demoPolicy().text,
  } as const
  await createNative(registerDeps(opened, world, 'development'), key)
  await opened.close()
}

/** The store as it lies on disk when nobody has it open. */
const store = (name: string, to: string) => {
  for (const end of ['', '-wal', '-shm']) {
    rmSync(files.path(to, `countersign.db${end}`), { force: true })
    const from = files.path(name, `countersign.db${end}`)
    if (existsSync(from)) cpSync(from, files.path(to, `countersign.db${end}`))
  }
}
const recordsOf = async (name: string): Promise<AuditRecord[]> =>
  Array.fromAsync(readRecords(await nodeAuditFiles(files.path(name, 'audit'), { access: 'read' })))
const code = (error: unknown) =>
  error instanceof ProblemError ? error.problem.code : isSignerError(error) ? error.code : error
const failing = (promise: Promise<unknown>) => promise.then(value => ({ value }), code)

describe('I3: one release for one idempotency key, over restarts', () => {
  test('after close and open the same request gets the same answer, byte for byte', async () => {
    await withKey('plain')
    const first = await up('plain')
    const answer = await first.sign()
    await first.stop(1000)
    const second = await up('plain')
    expect(await second.sign()).toEqual(answer)
    await second.stop(1000)
    const released = (await recordsOf('plain')).filter(r => r.kind === 'outcome' && r.result === 'released')
    expect(released).toHaveLength(1)
  })

  test('the store lost its last commits: the log gives them back, and nothing is signed twice', async () => {
    await withKey('lost')
    await Bun.write(files.path('before', '.keep'), '')
    store('lost', 'before')
    const first = await up('lost')
    const answer = await first.sign()
    const other = await first.sign('order-2')
    await first.stop(1000)
    store('before', 'lost')
    const second = await up('lost')
    expect(await second.sign()).toEqual(answer)
    expect(await second.sign('order-2')).toEqual(other)
    const bytes = fromBase64(EXAMPLE)!
    bytes[43]! += 1 // one stroop more of fee
    const unlike = toBase64(bytes)
    expect(await failing(second.sign('order-1', unlike))).toBe('idempotency/mismatch')
    await second.stop(1000)
    const released = (await recordsOf('lost')).filter(r => r.kind === 'outcome' && r.result === 'released')
    expect(released).toHaveLength(2)
  })

  test('the log was put back behind the store: refused, nothing starts on a log that lost records', async () => {
    await withKey('rolled')
    cpSync(files.path('rolled', 'audit'), files.path('old-audit'), { recursive: true })
    const first = await up('rolled')
    await first.sign()
    await first.stop(1000)
    rmSync(files.path('rolled', 'audit'), { recursive: true })
    cpSync(files.path('old-audit'), files.path('rolled', 'audit'), { recursive: true })
    // In a process of its own: a start that is refused ends its process, and what it held goes with it.
    const command = [process.execPath, join(ROOT, 'src/main.ts'), 'dev', '--json', '--data', files.path('rolled')]
    const { exitCode, stdout } = Bun.spawnSync(command, { env: {} })
    expect(JSON.parse(stdout.toString())).toMatchObject({ error: { code: 'audit/corrupt' } })
    expect(exitCode).toBe(1)
  })
})

describe('a process that died in between', () => {
  test('an intent without outcome gets the outcome `interrupted` at the next start; the same request may come again', async () => {
    await withKey('died')
    // What kill -9 leaves: the intent is on disk, the reservation taken, nothing after it.
    const opened = await openRoom(room('died'), world)
    const key = (await opened.store.keys.resolve('treasury'))!
    const idempotency = { scope: 'api', key: 'order-1', fingerprint: 'f'.repeat(64) }
    await opened.idempotency.reserve({ ...idempotency, at: world.clock.now() })
    const about = { key: 'treasury', version: 1, address: key.version.address, network: 'testnet' }
    const actor = { subject: 'api', peer: '127.0.0.1' }
    await opened.audit.append({
      ...{ kind: 'intent', auditId: 'a_dead', requestId: 'r_dead', actor, operation: 'sign', ...about },
      ...{ payloadType: 'stellar-transaction', digest: '00', summary: 'a payment', decision: 'allow' },
      ...{ policyHash: key.key.policyHash, idempotency },
    })
    await opened.close()

    const second = await up('died')
    expect(second.room.recovery.interrupted).toEqual(['a_dead'])
    const records = await recordsOf('died')
    expect(records.filter(r => r.auditId === 'a_dead').map(r => (r.kind === 'outcome' ? r.result : r.kind))).toEqual([
      'intent',
      'interrupted',
    ])
    expect(records.find(r => r.kind === 'event' && r.event === 'service-started')).toMatchObject({
      detail: { interrupted: 1 },
    })
    const reservation = await second.room.idempotency.reserve({ ...idempotency, at: world.clock.now() })
    expect(reservation).toEqual({ kind: 'reserved' })
    await second.stop(1000)
  })

  test('a torn tail is cut away, and the start says how much', async () => {
    await withKey('torn')
    const log = files.path('torn', 'audit', '00000001.log')
    writeFileSync(log, Buffer.concat([readFileSync(log), Buffer.from([0, 0, 1, 0, 9])]))
    const service = await up('torn')
    expect(service.room.recovery).toMatchObject({ truncatedBytes: 5 })
    await service.sign()
    await service.stop(1000)
    expect((await recordsOf('torn')).some(r => r.kind === 'event' && r.event === 'audit-recovered')).toBe(true)
  })
})

describe('opening and closing', () => {
  test('when the log cannot open, the store is let go: the next start is not refused for it', async () => {
    await withKey('unopened')
    const audit = files.path('unopened', 'audit')
    renameSync(audit, `${audit}-away`)
    writeFileSync(audit, 'in the way')
    for (let round = 0; round < 2; round++) {
      const error = (await openRoom(room('unopened'), world).catch((thrown: unknown) => thrown)) as Error
      expect(String(error)).not.toContain('another process signs')
    }
    rmSync(audit)
    renameSync(`${audit}-away`, audit)
    await (await openRoom(room('unopened'), world)).close()
  })

  test('close lets go of everything, provider included; a room that is closed takes no record', async () => {
    await withKey('closed')
    const opened = await openRoom(room('closed'), world)
    const provider = await opened.provider('mock')
    expect(await opened.provider('mock')).toBe(provider)
    await opened.close()
    await opened.close()
    const call = { requestId: 'r', signal: new AbortController().signal }
    expect(await failing(provider.describe('mock:ed25519:treasury', call))).toBe('provider/unavailable')
    const event = { kind: 'event', auditId: 'a', event: 'x', actor: { subject: 's', peer: 'p' }, detail: {} } as const
    expect(await failing(opened.audit.append(event))).toBe('service/stopping')
    await (await openRoom(room('closed'), world)).close()
  })

  test('a provider that is not configured is refused with those there are; one that failed to open is tried again', async () => {
    await withKey('providers')
    const raw = { kind: 'raw-env', keys: {} } as never
    const opened = await openRoom({ ...room('providers'), environment: 'production', providers: { raw } }, world)
    await expect((async () => opened.provider('gone'))()).rejects.toThrow('providers.gone')
    expect(await failing(opened.provider('raw'))).toBe('start/refused')
    expect(await failing(opened.provider('raw'))).toBe('start/refused')
    expect(await failing(opened.admin('raw'))).not.toHaveProperty('value')
    await opened.close()
  })

  test('a start that cannot listen closes the room; a stop that cannot write its record still lets go', async () => {
    await withKey('listen')
    const deaf = { ...bun, serve: () => Promise.reject(new Error('no socket')) } as typeof bun
    await expect(up('listen', deaf)).rejects.toThrow('no socket')
    const stubborn = {
      ...bun,
      serve: async (options: Parameters<typeof bun.serve>[0]) => {
        const real = await bun.serve(options)
        const stop = async (ms: number) => {
          await real.stop(ms)
          throw new Error('stop failed')
        }
        return { ...real, stop }
      },
    } as typeof bun
    const service = await up('listen', stubborn)
    await expect(service.stop(100)).rejects.toThrow('stop failed')
    await (await up('listen')).stop(100)
  })

  test('readiness: store and log; a store that went away is told, not thrown', async () => {
    await withKey('ready')
    const service = await up('ready')
    expect(await service.checks()).toEqual([
      { name: 'audit', ok: true },
      { name: 'store', ok: true },
      { name: 'providers', ok: true },
      { name: 'configuration', ok: true },
    ])
    service.room.store.close()
    expect((await service.checks())[1]).toEqual({ name: 'store', ok: false, detail: 'the store does not answer' })
    await service.stop(100).catch(() => {})
  })

  test('a sealed log: readiness says so and why, nothing more is signed, and the stop still lets go', async () => {
    await withKey('sealing')
    const service = await up('sealing')
    const { audit } = service.room
    Object.defineProperty(audit, 'state', { get: () => ({ kind: 'sealed', reason: 'disk full (test)' }) })
    expect(await service.checks()).toContainEqual({ name: 'audit', ok: false, detail: 'sealed: disk full (test)' })
    expect(await failing(service.sign())).toBe('audit/sealed')
    expect((await fetch(`${service.url}/readyz`)).status).toBe(503)
    await service.stop(100)
    await (await openRoom(room('sealing'), world)).close()
  })

  test('answers older than they are kept are forgotten once an hour, and a failure to do so is a warning', async () => {
    await withKey('purged')
    const hours: (() => void)[] = []
    const clock: World['clock'] = {
      ...world.clock,
      sleep: (ms, signal) =>
        ms < 3_600_000
          ? world.clock.sleep(ms, signal)
          : new Promise((resolve, reject) => {
              hours.push(resolve)
              signal?.addEventListener('abort', () => reject(signal.reason as Error))
            }),
    }
    const service = await up('purged', { ...bun, world: () => ({ ...world, clock }) })
    const { idempotency } = service.room.store
    const old = { scope: 's', key: 'old', fingerprint: 'f'.repeat(64), at: world.clock.now() - 25 * 3_600_000 }
    await idempotency.restore(old, undefined)
    hours.shift()?.()
    while (hours.length === 0) await new Promise(resolve => setImmediate(resolve))
    expect(await idempotency.purge(world.clock.now() - 24 * 3_600_000)).toBe(0)
    service.room.store.close()
    hours.shift()?.()
    while (hours.length === 0) await new Promise(resolve => setImmediate(resolve))
    expect(service.logs.some(({ event }) => event === 'answers-not-purged')).toBe(true)
    await service.stop(100).catch(() => {})
  })

  test('T65 a provider that cannot be opened: the caller learns nothing of the configuration, the log says it all', async () => {
    await withKey('weak-pool')
    const pool = { kind: 'passphrase' as const, passphrases: { channels: new Secret('canary-too-short', 'channels') } }
    const logs: Record<string, unknown>[] = []
    const changed = { ...settings('weak-pool'), providers: { mock: pool } }
    const service = await startService(changed, bun, memoryLogger(logs))
    const token = await issuer.issue({ subject: 'api', scopes: ['sign:*'] })
    const client = httpClient({ url: service.url, token: () => token, fetch: world.fetch })
    const problem = await client.signStellar('treasury', EXAMPLE, 'weak-pool-1').catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(ProblemError)
    const shown = JSON.stringify((problem as ProblemError).problem)
    expect(shown).toContain('key/unsupported')
    for (const word of ['passphrase', 'channels', 'shorter', 'canary', 'problems":']) expect(shown).not.toContain(word)
    const [told] = logs.filter(({ event }) => event === 'provider-not-opened')
    expect(JSON.stringify(told)).toContain('is shorter than 20 bytes')
    expect(JSON.stringify(logs)).not.toContain('canary')
    expect(await service.checks()).toContainEqual({
      name: 'configuration',
      ok: false,
      detail: 'cannot be opened: mock',
    })
    await service.stop(100)
  })
})
