import type { Clock } from './clock.ts'
import { isVirtual } from './clock.ts'
import type { FaultRule } from './faults.ts'
import type { LatencyName, LatencyOptions } from './latency.ts'
import { isLoopback, type Incoming, type Reply } from './server.ts'

export const ADMIN_PREFIX = '/_local-kms/'

/** What the administration surface can do; the whole instance stands behind it. */
export interface AdminTarget {
  readonly clock: Clock
  reset(): void
  inspect(): unknown
  calls(): Record<string, number>
  audit(): readonly unknown[]
  faults(): readonly FaultRule[]
  addFaults(...rules: FaultRule[]): void
  clearFaults(): void
  setLatency(latency: LatencyName | LatencyOptions): void
  setKeyState(keyId: string, state: string): void
}

/**
 * GET health, inspect, calls, audit, faults · POST reset, faults, latency, clock, state · DELETE faults.
 * Loopback callers only; a page in a browser is turned away by its `Origin` or by a foreign `Host`.
 */
export async function handleAdmin(request: Incoming, target: AdminTarget): Promise<Reply> {
  const hostName = (request.headers['host'] ?? '').replace(/:\d+$/, '')
  if (!isLoopback(request.remoteAddress) || !isLoopback(hostName) || request.headers['origin'] !== undefined) {
    return json(403, { error: 'The administration surface answers loopback callers only' })
  }
  const path = request.target.split('?')[0]!.slice(ADMIN_PREFIX.length)
  try {
    return await route(`${request.method} ${path}`, request, target)
  } catch (problem) {
    if (problem instanceof RangeError || problem instanceof SyntaxError || problem instanceof TypeError) {
      return json(400, { error: problem.message })
    }
    throw problem
  }
}

async function route(call: string, request: Incoming, target: AdminTarget): Promise<Reply> {
  switch (call) {
    case 'GET health':
      return json(200, { status: 'ok', warning: 'local-kms is an emulator and no secure store' })
    case 'GET inspect':
      return json(200, target.inspect())
    case 'GET calls':
      return json(200, target.calls())
    case 'GET audit':
      return json(200, target.audit())
    case 'GET faults':
      return json(200, target.faults())
    case 'POST reset':
      target.reset()
      return json(200, {})
    case 'POST faults': {
      const rules = body(request)
      target.addFaults(...((Array.isArray(rules) ? rules : [rules]) as FaultRule[]))
      return json(200, target.faults())
    }
    case 'DELETE faults':
      target.clearFaults()
      return json(200, [])
    case 'POST latency': {
      const options = body(request) as LatencyOptions | LatencyName
      target.setLatency(options)
      return json(200, {})
    }
    case 'POST state': {
      const { keyId, state } = body(request) as { keyId: string; state: string }
      target.setKeyState(keyId, state)
      return json(200, {})
    }
    case 'POST clock': {
      const { advanceMs } = body(request) as { advanceMs: number }
      if (!isVirtual(target.clock)) throw new RangeError('Cannot advance the clock: it is the real one')
      if (!(advanceMs >= 0)) throw new RangeError(`Cannot advance the clock by ${String(advanceMs)} ms`)
      await target.clock.advance(advanceMs)
      return json(200, { now: target.clock.now() })
    }
    default:
      return json(404, { error: `No such administration call: ${call}` })
  }
}

function body(request: Incoming): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body))
}

function json(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(value)),
  }
}
