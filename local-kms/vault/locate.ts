import { kindOf } from './kinds.ts'
import { type Asked, type Located, locate } from './request.ts'
import { labelOf, type Matched } from './router.ts'

/** Undefined: nothing is mounted there, which is said once the caller has shown that it may ask. */
export function tryLocate(asked: Asked): Located | undefined {
  try {
    return locate(asked.namespace, asked.path)
  } catch {
    return undefined
  }
}

/** What faults, latency and counters call a request: `transit/sign`, `auth/approle/login`, `sys/mounts`. */
export function describe(located: Located | undefined, matched: Matched | undefined): string {
  if (located === undefined || matched === undefined) return 'unknown'
  const kind = kindOf(located.mount)
  return `${located.isAuth ? 'auth/' : ''}${kind === 'system' ? 'sys' : kind}/${labelOf(matched.route)}`
}
