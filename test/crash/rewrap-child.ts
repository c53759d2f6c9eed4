/**
 * A re-wrap in a process that dies at the nth point (`dying.ts`): `bun test/crash/rewrap-child.ts DIRECTORY KEY REFERENCE N`.
 * It ends by itself with 0 when it has fewer.
 */
import { seedOfFile } from '../../src/compose/custody.ts'
import { rewrapKeys } from '../../src/service/rewrap/run.ts'
import { openDying } from './dying.ts'

const [directory = '', name = '', wrappingKey = '', nth = '0'] = process.argv.slice(2)

const { deps, close } = await openDying(directory, Number(nth), (registry, between) => ({
  replaceBinding: (old, entry) => between(() => registry.replaceBinding(old, entry)),
  removeBinding: id => between(() => registry.removeBinding(id)),
}))
const report = await rewrapKeys(
  { ...deps, seedOf: seedOfFile, settle: async () => {} },
  { name, provider: 'mock', wrappingKey },
  { dryRun: false },
)
await close()
if (report.failed.length > 0) throw new Error(JSON.stringify(report))
