/**
 * One step of a rotation in a process that dies at the nth point (`dying.ts`): `bun test/crash/rotate-child.ts DIRECTORY STEP N`.
 * It ends by itself with 0 when it has fewer.
 */
import { isSignerError } from '../../src/domain/errors.ts'
import { beginRotation, rotationStep, type RotationStep } from '../../src/service/rotate/index.ts'
import { openDying } from './dying.ts'

const [directory = '', step = '', nth = '0'] = process.argv.slice(2)

const { deps, close } = await openDying(directory, Number(nth), (registry, between) => ({
  addVersion: entry => between(() => registry.addVersion(entry)),
  setStates: (key, moves) => between(() => registry.setStates(key, moves)),
}))
try {
  if (step === 'begin') await beginRotation(deps, 'treasury')
  else await rotationStep(deps, 'treasury', step as RotationStep)
} catch (error) {
  if (!isSignerError(error) || error.code !== 'key/rotation') throw error // made by the run before, which was killed later
}
await close()
