import { type Binding, type ResolvedKey, successorOf } from '../domain/key.ts'
import type { Target } from './flag.ts'

/**
 * The binding that a flag means: by id, or by provider when the version has one binding there; one
 * whose place another took, and that waits to be removed, makes nothing ambiguous. All bindings of a version
 * hold one public key, so nothing a flag says leads to another.
 * @returns why not, when there is no such binding or more than one
 */
export function bindingAt({ key, bindings }: ResolvedKey, target: Target): Binding | string {
  const named = bindings.find(({ id }) => id === target)
  if (named !== undefined) return named
  const [first, ...more] = bindings.filter(each => each.provider === target && successorOf(each) === undefined)
  if (first === undefined) return `the key ${key.name} has no binding at ${JSON.stringify(target)}`
  if (more.length > 0) {
    const ids = [first, ...more].map(({ id }) => id).join(', ')
    return `the key ${key.name} has ${more.length + 1} bindings at ${JSON.stringify(target)}: name one of ${ids}`
  }
  return first
}
