/**
 * The end of a key in a process that dies at the nth point (`dying.ts`): `bun test/crash/destroy-child.ts DIRECTORY KEY ADDRESS N`.
 * It ends by itself with 0 when it has fewer.
 */
import { SignerError } from '../../src/domain/errors.ts'
import { destroyVersion } from '../../src/service/destroy.ts'
import { openDying } from './dying.ts'

const [directory = '', name = '', confirm = '', nth = '0'] = process.argv.slice(2)

let around = <T>(body: () => Promise<T>): Promise<T> => body()
const { deps, close } = await openDying(directory, Number(nth), (registry, between) => {
  around = between
  return {
    setState: (...asked) => between(() => registry.setState(...asked)),
    removeEnvelopes: (...asked) => between(() => registry.removeEnvelopes(...asked)),
  }
})
const wish = { version: 1, confirm, days: 7, reason: 'its end' }
const report = await destroyVersion(
  {
    ...deps,
    restMs: 0,
    waitDaysMax: async () => 30,
    publicKeyAt: async () =>
      Promise.reject(new SignerError('provider/refused', { provider: 'mock', reason: 'silent' })),
    giveUp: async () => around(async () => ({ at: 0 })),
    accounts: () => undefined,
  },
  name,
  wish,
)
await close()
if (!report.done) throw new Error(JSON.stringify(report))
