import type { Fault } from './faults.ts'
import type { Reply } from './server.ts'

/** The answer of a connection that breaks or stays silent, in place of a true one. Undefined: the fault is none of these. */
export function brokenReply(fault: Fault): Reply | undefined {
  if (fault.kind !== 'reset' && fault.kind !== 'hang') return undefined
  const wire = fault.kind === 'hang' ? ({ kind: 'hang' } as const) : ({ kind: 'reset', at: fault.at } as const)
  return { status: 200, headers: { 'content-type': 'application/json' }, body: new Uint8Array(0), wire }
}

/**
 * Damage to a written answer and to its way over the wire that is the same whatever the service: content type, date, cut
 * text, and all that `Wire` does. Faults of other kinds are left alone.
 * @param now  of the face's clock, for answers that bear no date yet
 */
export function damageHttp(reply: Reply, faults: readonly Fault[], now: number): Reply {
  let out = reply
  for (const fault of faults) {
    switch (fault.kind) {
      case 'content-type':
        out = { ...out, headers: withHeader(out.headers, 'Content-Type', fault.value) }
        break
      case 'date-skew': {
        const date = Object.entries(out.headers).find(([name]) => name.toLowerCase() === 'date')?.[1]
        const skewed = new Date((date === undefined ? now : Date.parse(date)) + fault.ms).toUTCString()
        out = { ...out, headers: withHeader(out.headers, 'Date', skewed) }
        break
      }
      case 'truncated-json':
        out = { ...out, body: out.body.subarray(0, fault.bytes ?? Math.floor(out.body.length / 2)) }
        break
      case 'truncate':
        out = { ...out, wire: { kind: 'truncate', bytes: fault.bytes } }
        break
      case 'slow-body':
        out = { ...out, wire: { kind: 'slow-body', msPerByte: fault.msPerByte, head: fault.head } }
        break
      case 'oversized-body':
        out = { ...out, wire: { kind: 'oversize', bytes: fault.bytes } }
        break
      default: // what the service itself plays
    }
  }
  return out
}

/** Header names are the same in any case; the one there is gives way. */
function withHeader(headers: Reply['headers'], name: string, value: string): Record<string, string> {
  const others = Object.entries(headers).filter(([each]) => each.toLowerCase() !== name.toLowerCase())
  return { ...Object.fromEntries(others), [name]: value }
}
