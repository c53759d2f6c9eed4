import type { Core } from './context.ts'
import { VaultError } from './errors.ts'
import type { Quota } from './state.ts'

/** Paths no quota holds up. */
export const EXEMPT_PATHS = [
  'sys/generate-recovery-token/attempt',
  'sys/generate-recovery-token/update',
  'sys/generate-root/attempt',
  'sys/generate-root/update',
  'sys/health',
  'sys/seal-status',
  'sys/unseal',
]

interface Window {
  startMs: number
  used: number
  blockedUntilMs: number
}

export interface Quotas {
  /** @throws VaultError 429 when the rate of the quota that fits best is used up for this caller */
  take(path: string, client: string): void
  reset(): void
}

/** So many requests in each interval from each address, counted from that address's first request. */
export function createQuotas(core: Core): Quotas {
  // A quota written anew counts anew
  let windows = new WeakMap<Quota, Map<string, Window>>()
  return {
    take(path, client) {
      if (EXEMPT_PATHS.includes(path)) return
      const quota = bestQuota(core.state.quotas, path)
      if (quota === undefined) return
      const now = core.now()
      const clients = windows.get(quota) ?? new Map<string, Window>()
      windows.set(quota, clients)
      let window = clients.get(client)
      if (window === undefined || now >= window.startMs + quota.intervalMs) {
        window = { startMs: now, used: 0, blockedUntilMs: window?.blockedUntilMs ?? 0 }
        clients.set(client, window)
      }
      if (now < window.blockedUntilMs) throw exceeded(core, path, quota, window.blockedUntilMs - now)
      if (window.used >= Math.ceil(quota.rate)) {
        if (quota.blockMs > 0) window.blockedUntilMs = now + quota.blockMs
        throw exceeded(core, path, quota, quota.blockMs || window.startMs + quota.intervalMs - now)
      }
      window.used += 1
    },
    reset() {
      windows = new WeakMap()
    },
  }
}

/** The longest path wins; a quota without one holds for everything. */
function bestQuota(quotas: Readonly<Record<string, Quota>>, path: string): Quota | undefined {
  return Object.values(quotas)
    .filter(quota => path === quota.path || path.startsWith(quota.path.replace(/\*$/, '')))
    .toSorted((a, b) => a.path.length - b.path.length)
    .at(-1)
}

function exceeded(core: Core, path: string, quota: Quota, waitMs: number): VaultError {
  const seconds = String(Math.max(1, Math.ceil(waitMs / 1000)))
  const text = 'rate limit quota exceeded'
  return new VaultError(
    429,
    [core.flavour === 'vault' ? text : `request path ${JSON.stringify(path)}: ${text}`],
    false,
    core.state.quotaHeaders
      ? {
          'Retry-After': seconds,
          'X-Ratelimit-Limit': String(Math.ceil(quota.rate)),
          'X-Ratelimit-Remaining': '0',
          'X-Ratelimit-Reset': seconds,
        }
      : {},
  )
}
