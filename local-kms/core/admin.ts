import type { Clock } from './clock.ts'
import { isVirtual } from './clock.ts'
import type { FaceName } from './face-name.ts'
import type { FaultRule } from './faults.ts'
import type { LatencyName, LatencyOptions } from './latency.ts'
import { isLoopback, type Incoming, type Reply } from './server.ts'

export const ADMIN_PREFIX = '/_local-kms/'

/** What the administration surface can do; the whole instance stands behind it. Without a face: all of them, or the first one. */
export interface AdminTarget {
  readonly clock: Clock
  readonly faces: readonly FaceName[]
  reset(face?: FaceName): void
  inspect(face?: FaceName): unknown
  calls(face?: FaceName): Record<string, number>
  audit(face?: FaceName): readonly unknown[]
  faults(): readonly FaultRule[]
  addFaults(...rules: FaultRule[]): void
  clearFaults(): void
  setLatency(latency: LatencyName | LatencyOptions, face?: FaceName): void
  setKeyState(keyId: string, state: string, face?: FaceName): void
  setServerState(state: string, face?: FaceName): void
}

/**
 * GET health, inspect, calls, audit, faults · POST reset, faults, latency, clock, state, server-state · DELETE faults; each with
 * `?face=` where one face is meant. Loopback callers only; a page in a browser is turned away by its `Origin` or by a foreign
 * `Host`.
 * @param own  the face of this port: its calls and its trail are meant when none is named
 */
export async function handleAdmin(request: Incoming, target: AdminTarget, own: FaceName): Promise<Reply> {
  const hostName = (request.headers['host'] ?? '').replace(/:\d+$/, '')
  if (!isLoopback(request.remoteAddress) || !isLoopback(hostName) || request.headers['origin'] !== undefined) {
    return json(403, { error: 'The administration surface answers loopback callers only' })
  }
  const [path = '', query] = request.target.slice(ADMIN_PREFIX.length).split('?', 2)
  try {
    return await route(`${request.method} ${path}`, request, target, own, faceOf(query, target))
  } catch (problem) {
    if (problem instanceof RangeError || problem instanceof SyntaxError || problem instanceof TypeError) {
      return json(400, { error: problem.message })
    }
    throw problem
  }
}

/** @throws RangeError for anything else than one face that is there. */
function faceOf(query: string | undefined, target: AdminTarget): FaceName | undefined {
  const parameters = new URLSearchParams(query ?? '')
  for (const name of parameters.keys()) {
    if (name !== 'face') throw new RangeError(`No such parameter: ${name}`)
  }
  const wanted = parameters.get('face')
  if (wanted === null) return undefined
  const face = target.faces.find(name => name === wanted)
  if (face !== undefined) return face
  throw new RangeError(`There is no face '${wanted}' here: there are ${target.faces.join(', ')}`)
}

async function route(
  call: string,
  request: Incoming,
  target: AdminTarget,
  own: FaceName,
  face: FaceName | undefined,
): Promise<Reply> {
  switch (call) {
    case 'GET health':
      return json(200, { status: 'ok', warning: 'local-kms is an emulator and no secure store' })
    case 'GET inspect':
      return json(200, target.inspect(face))
    case 'GET calls':
      return json(200, target.calls(face ?? own))
    case 'GET audit':
      return json(200, target.audit(face ?? own))
    case 'GET faults':
      return json(200, faultsOf(target, face))
    case 'POST reset':
      target.reset(face)
      return json(200, {})
    case 'POST faults': {
      const rules = [body(request)].flat() as FaultRule[]
      target.addFaults(...(face === undefined ? rules : rules.map(rule => ({ face, ...rule }))))
      return json(200, faultsOf(target, face))
    }
    case 'DELETE faults':
      if (face !== undefined)
        throw new RangeError('Faults are removed all at once: a rule without a face is one of all')
      target.clearFaults()
      return json(200, [])
    case 'POST latency':
      target.setLatency(body(request) as LatencyOptions | LatencyName, face)
      return json(200, {})
    case 'POST state': {
      const { keyId, state } = body(request) as { keyId: string; state: string }
      target.setKeyState(keyId, state, face)
      return json(200, {})
    }
    case 'POST server-state': {
      const { state } = body(request) as { state: string }
      target.setServerState(state, face)
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

/** The rules this face may meet. */
const faultsOf = (target: AdminTarget, face: FaceName | undefined): readonly FaultRule[] =>
  target.faults().filter(rule => face === undefined || rule.face === undefined || rule.face === face)

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
