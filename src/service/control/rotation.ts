import { rotationStatus } from '../rotate/status.ts'
import type { Done, Granted } from './guard.ts'
import type { ControlParts, RotationWish } from './ports.ts'

/** @throws `key/unknown` */
export const showRotation = async ({ keys }: Pick<ControlParts, 'keys'>, name: string): Promise<Done> => ({
  answer: await rotationStatus(keys, name),
})

/** One step. @throws as `beginRotation` and `rotationStep` */
export async function rotate(
  parts: ControlParts,
  { actor }: Granted,
  { key, ...wish }: RotationWish & { readonly key: string },
): Promise<Done> {
  const changed = await parts.rotate(key, wish, actor)
  const answer = await rotationStatus(parts.keys, key)
  return { answer: { changed, ...answer }, facts: { step: wish.step, changed, phase: answer.phase } }
}
