/**
 * One step of a rotation in a process that dies at the nth point: `bun test/crash/rotate-child.ts DIRECTORY STEP N`. A point
 * lies before and after every record and every change of the registry. It ends by itself with 0 when it has fewer.
 */
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom } from '../../src/compose/room.ts'
import type { AuditLog } from '../../src/domain/audit.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { KeyRegistry } from '../../src/domain/ports.ts'
import * as bun from '../../src/runtime/bun.ts'
import { beginRotation, rotationStep, type RotationStep } from '../../src/service/rotate/index.ts'

const [directory = '', step = '', nth = '0'] = process.argv.slice(2)

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
const dying: KeyRegistry = {
  ...deps.registry,
  addVersion: entry => between(() => deps.registry.addVersion(entry)),
  setStates: (key, moves) => between(() => deps.registry.setStates(key, moves)),
}
const audit: AuditLog = {
  get state() {
    return deps.audit.state
  },
  close: () => deps.audit.close(),
  append: (...entries) => between(() => deps.audit.append(...entries)),
}
const parts = { ...deps, registry: dying, audit }
try {
  if (step === 'begin') await beginRotation(parts, 'treasury')
  else await rotationStep(parts, 'treasury', step as RotationStep)
} catch (error) {
  if (!isSignerError(error) || error.code !== 'key/rotation') throw error // made by the run before, which was killed later
}
await room.close()
