/**
 * M-62: a replica that is stopped by the operating system anywhere on the way of a signature, and goes on after the revocation
 * was acknowledged elsewhere: nothing leaves it then.
 */
import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { reveal, Secret } from '../../src/domain/secret.ts'
import { revokeKey } from '../../src/service/revoke.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { realClock, seeded } from '../support/audit-world.ts'
import { postgres } from '../support/postgres.ts'

const ROUNDS = process.env['COUNTERSIGN_TEST_LONG'] === '1' ? 100 : 3
const DATABASE = 'paused_replica'
const started = await postgres()
const ended: (() => Promise<void> | void)[] = []
afterAll(async () => {
  for (const end of ended.toReversed()) await end()
})

test.skipIf('skip' in started)(
  `M-62 I5 T59 SIGSTOP at a random moment, a revocation elsewhere, SIGCONT, ${ROUNDS} times: nothing is released after the acknowledgement`,
  async () => {
    if ('skip' in started) return
    const connection = await started.server.database(DATABASE)
    if (!(connection.password instanceof Secret)) throw new Error('a password is expected')
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, '../crash/paused-child.ts'), String(connection.port), DATABASE],
      { env: { ...process.env, PASSWORD_OF_TEST: reveal(connection.password) }, stdout: 'pipe', stderr: 'inherit' },
    )
    ended.push(async () => {
      child.kill('SIGKILL')
      await child.exited
    })
    const heard: { readonly line: string; readonly at: number }[] = []
    const reading = (async () => {
      let rest = ''
      for await (const bytes of child.stdout) {
        const lines = (rest + new TextDecoder().decode(bytes)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) heard.push({ line, at: performance.now() })
      }
    })()
    const until = async (isSo: () => boolean): Promise<void> => {
      for (let n = 0; !isSo(); n++) {
        if (n > 2_000 || child.exitCode !== null) throw new Error(`waited in vain; heard ${heard.length} lines`)
        await realClock.sleep(5)
      }
    }
    await until(() => heard.some(({ line }) => line === 'ready'))
    const store = await openPostgresStore({ connection, clock: realClock, instance: 'elsewhere' })
    ended.push(() => store.end())
    const actor = { subject: 'operator', peer: '127.0.0.1' }
    const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
    const audit = { append: async () => ({ seq: 1, hash: '' }) }
    const deps = { registry: store.keys, clock: realClock, audit, random, actor }
    const chance = seeded(620)
    let released = 0
    for (let round = 0; round < ROUNDS; round++) {
      const from = heard.length
      await until(() => heard.slice(from).some(({ line }) => line === 'released'))
      await realClock.sleep(chance() * 60)
      child.kill('SIGSTOP')
      await revokeKey(deps, 'treasury', { reason: 'r' })
      const acknowledged = performance.now()
      const before = heard.length
      child.kill('SIGCONT')
      await until(() => heard.slice(before).filter(({ line }) => line === 'key/not-active').length >= 6)
      const late = heard.filter(({ line, at }) => line === 'released' && at > acknowledged)
      expect({ round, late: late.length }).toEqual({ round, late: 0 })
      released += heard.slice(from, before).filter(({ line }) => line === 'released').length
      await store.keys.setState('treasury', 1, 'active', ['revoked'])
    }
    expect(released).toBeGreaterThan(0)
    expect(new Set(heard.map(({ line }) => line))).toEqual(new Set(['ready', 'released', 'key/not-active']))
    child.kill('SIGKILL')
    await reading
  },
  ROUNDS > 10 ? 300_000 : 60_000,
)
