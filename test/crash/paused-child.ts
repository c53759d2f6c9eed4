/** A replica that signs without a pause and says so, until it is stopped: each answer is one line, written at once. */
import { writeSync } from 'node:fs'
import { Secret } from '../../src/domain/secret.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { realClock } from '../support/audit-world.ts'
import { openRig, problemOf } from '../support/rig.ts'

const [port = '', database = ''] = process.argv.slice(2)
const store = await openPostgresStore({
  connection: {
    ...{ host: '127.0.0.1', port: Number(port), database, user: 'countersign', tls: 'off' },
    password: new Secret(process.env['PASSWORD_OF_TEST'] ?? '', 'store password'),
  },
  clock: realClock,
  instance: 'paused',
})
const rig = await openRig({
  store,
  log: 'memory',
  unguarded: true,
  // Time goes on as it does for everybody; what day it is, the example says.
  door: ({ world }) => ({ world: { ...world, clock: { ...world.clock, monotonic: realClock.monotonic } } }),
  // The answer of the database takes its time to arrive: most of the time this replica holds a look that is getting old.
  catalogue: real => ({
    ...real,
    stateOf: async (key, version) => {
      const state = await real.stateOf(key, version)
      await realClock.sleep(40)
      return state
    },
  }),
})
const token = await rig.token(['sign:*'])
const say = (line: string): void => void writeSync(1, `${line}\n`)
say('ready')
const work = async (n: number): Promise<void> => {
  for (let count = 0; ; count++) {
    const answer = await rig.sign({ idempotencyKey: `paused-${n}-${count}`, token })
    say(answer.ok ? 'released' : (await problemOf(answer)).code)
  }
}
for (const n of [0, 1, 2]) void work(n)
