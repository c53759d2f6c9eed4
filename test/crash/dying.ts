/** What a command works with in a process that dies at the nth point: before and after every record and every change of the registry. */
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom } from '../../src/compose/room.ts'
import type { KeyRegistry } from '../../src/domain/ports.ts'
import * as bun from '../../src/runtime/bun.ts'
import type { RegisterDeps } from '../../src/service/register.ts'

/** Changes of the registry, each with a point before and after it. */
type Changes = (real: KeyRegistry, between: <T>(body: () => Promise<T>) => Promise<T>) => Partial<KeyRegistry>

/** @param nth the point to die at; 0, or more than there are: none */
export async function openDying(
  directory: string,
  nth: number,
  changes: Changes,
): Promise<{ readonly deps: RegisterDeps; close(): Promise<void> }> {
  let passed = 0
  const point = (): void => {
    if (++passed === nth) process.kill(process.pid, 'SIGKILL')
  }
  const between = async <T>(body: () => Promise<T>): Promise<T> => {
    point()
    const result = await body()
    point()
    return result
  }
  const providers = { mock: { kind: 'mock' } } as never
  const settings = { environment: 'development', dataDirectory: directory, instance: 'main', providers } as const
  const world = bun.world()
  const room = await openRoom(settings, world)
  const real = registerDeps(room, world, 'development')
  const registry = { ...real.registry, ...changes(real.registry, between) }
  const audit: RegisterDeps['audit'] = {
    get state() {
      return real.audit.state
    },
    close: () => real.audit.close(),
    append: (...entries) => between(() => real.audit.append(...entries)),
  }
  return { deps: { ...real, registry, audit }, close: room.close }
}
