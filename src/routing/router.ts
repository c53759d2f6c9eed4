import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import { isChosen } from './bucket.ts'
import type { Flag, Mode, Target } from './flag.ts'
import type { FlagSource } from './source.ts'
import { bindingAt } from './targets.ts'

/** Where one request goes. */
export interface Route {
  /** The first signs. Those after it are asked one after another, each only when the one before has signed nothing. */
  readonly bindings: readonly [Binding, ...Binding[]]
  /** Signs too, after the answer is out, for comparison. */
  readonly shadow?: Binding
  /** Absent where nothing routes. */
  readonly by?: { readonly mode: Mode; readonly flags: string }
}

export interface RouteRequest {
  /** Subject of the token. */
  readonly scope: string
  /** The caller's idempotency key. */
  readonly key: string
}

export interface RouterOptions {
  readonly environment: string
  /** Name of the flag: salts the canary's draw. */
  readonly flagName: string
  readonly flags: FlagSource
  /** Asked for every binding that is used, for every request. @throws when it may not serve this key here */
  readonly mayServe: (key: ResolvedKey, binding: Binding) => Promise<void> | void
  /** Why a binding is suspended, as far as the registry may not know yet. */
  readonly suspension?: (binding: Binding) => string | undefined
  /** A flag that cannot be followed for this key; the first binding serves it. */
  readonly onIgnored: (about: { readonly key: string; readonly target: Target; readonly reason: string }) => void
}

export type Router = (key: ResolvedKey, request: RouteRequest) => Promise<Route>

/**
 * Asks the flag, and whether the bindings it means may serve. What cannot be followed (no such binding, one that may not
 * serve here, one that gave a wrong answer in shadow) is left out and reported, and the first binding serves, as with `off`.
 * @throws `key/mismatch` without any binding; what `mayServe` throws about the binding that is left
 */
export const createRouter =
  (options: RouterOptions): Router =>
  async (resolved, request) => {
    const { environment, flags, flagName } = options
    const context = { environment, key: resolved.key.name, caller: request.scope }
    const { flag, version } = await flags.evaluate(context)
    const drawn = { scope: request.scope, key: resolved.key.name, idempotencyKey: request.key }
    const chosen = flag.mode === 'canary' && isChosen(flag.percent, flagName, drawn)
    const by = { mode: flag.mode, flags: version }
    const usable = (target: Target) => usableAt(options, resolved, target)
    switch (flag.mode) {
      case 'off':
        return { bindings: [await firstBinding(options, resolved)], by }
      case 'shadow': {
        const first = await firstBinding(options, resolved)
        const shadow = await usableAt(options, resolved, flag.target, { evenSuspended: true })
        return { bindings: [first], ...(shadow === undefined || shadow.id === first.id ? {} : { shadow }), by }
      }
      case 'canary': {
        const target = chosen ? await usable(flag.target) : undefined
        return { bindings: [target ?? (await firstBinding(options, resolved))], by }
      }
      case 'on':
        return { bindings: [(await usable(flag.target)) ?? (await firstBinding(options, resolved))], by }
      case 'fail-over': {
        const [first, ...others] = (await Promise.all(flag.order.map(usable))).filter(each => each !== undefined)
        if (first === undefined) return { bindings: [await firstBinding(options, resolved)], by }
        return { bindings: [first, ...others.filter(({ id }) => id !== first.id)], by }
      }
      default:
        flag satisfies never
        throw new SignerError('internal', { incident: 'route' })
    }
  }

/** Without a flag, and whenever it cannot be followed. */
export async function firstBinding(
  { mayServe }: Pick<RouterOptions, 'mayServe'>,
  resolved: ResolvedKey,
): Promise<Binding> {
  const [first] = resolved.bindings
  if (first === undefined)
    throw new SignerError('key/mismatch', { key: resolved.key.name, reason: 'it has no binding' })
  await mayServe(resolved, first)
  return first
}

async function usableAt(
  { mayServe, onIgnored, suspension }: RouterOptions,
  resolved: ResolvedKey,
  target: Target,
  { evenSuspended = false } = {},
): Promise<Binding | undefined> {
  const ignored = (reason: string): undefined => onIgnored({ key: resolved.key.name, target, reason }) as undefined
  const found = bindingAt(resolved, target)
  if (typeof found === 'string') return ignored(found)
  const suspended = suspension?.(found) ?? found.suspended
  if (suspended !== undefined && !evenSuspended) return ignored(`suspended: ${suspended}`)
  try {
    await mayServe(resolved, found)
    return found
  } catch (error) {
    return ignored(isSignerError(error) ? error.code : 'unexpected fault')
  }
}

/** The places a flag names that this key cannot be sent to, in words; for those who check a flag before it is used. */
export function unusable(resolved: ResolvedKey, flag: Flag, targets: readonly Target[]): readonly string[] {
  return targets.flatMap(target => {
    const found = bindingAt(resolved, target)
    if (typeof found === 'string') return [found]
    if (found.suspended === undefined || flag.mode === 'shadow') return []
    const fix = `countersign keys restore ${resolved.key.name} --binding ${found.id}`
    return [`the binding ${found.id} at ${found.provider} is suspended (${found.suspended}): ${fix}`]
  })
}
