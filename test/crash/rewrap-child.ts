/**
 * A re-wrap in a process that dies at the nth point: `bun test/crash/rewrap-child.ts DIRECTORY KEY REFERENCE N`. A point lies
 * before and after every record and every change of the registry. It ends by itself with 0 when it has fewer.
 */
import { seedOfFile } from '../../src/compose/custody.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom } from '../../src/compose/room.ts'
import type { AuditLog } from '../../src/domain/audit.ts'
import type { KeyRegistry } from '../../src/domain/ports.ts'
import * as bun from '../../src/runtime/bun.ts'
import { rewrapKeys } from '../../src/service/rewrap/run.ts'

const [directory = '', name = '', wrappingKey = '', nth = '0'] = process.argv.slice(2)

let passed = 0
function point(): void {
  if (++passed === Number(nth)) process.kill(process.pid, 'SIGKILL')
}
async function between<T>(body: () => Promise<T>): Promise<T> {
  point()
  const result = await body()
  point()
  return result
}

const providers = { mock: { kind: 'mock' } } as never
const settings = { environment: 'development', dataDirectory: directory, instance: 'main', providers } as const
const world = bun.world()
const room = await openRoom(settings, world)
const deps = registerDeps(room, world, 'development')
const registry: KeyRegistry = {
  ...deps.registry,
  replaceBinding: (old, entry) => between(() => deps.registry.replaceBinding(old, entry)),
  removeBinding: id => between(() => deps.registry.removeBinding(id)),
}
const audit: AuditLog = {
  get state() {
    return deps.audit.state
  },
  close: () => deps.audit.close(),
  append: (...entries) => between(() => deps.audit.append(...entries)),
}
const report = await rewrapKeys(
  { ...deps, registry, audit, seedOf: seedOfFile, settle: async () => {} },
  { name, provider: 'mock', wrappingKey },
  { dryRun: false },
)
await room.close()
if (report.failed.length > 0) throw new Error(JSON.stringify(report))
