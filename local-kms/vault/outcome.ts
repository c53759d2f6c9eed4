import type { Call, Core, Result } from './context.ts'
import type { Envelope } from './wire.ts'

/** What a handler's result is on the wire, and what it says to the audit trail. */
export interface Outcome {
  readonly data: Record<string, unknown> | null
  readonly auth: Envelope['auth']
  readonly warnings: readonly string[]
  /** Nothing to say: 204. */
  readonly silent: boolean
}

export function outcomeOf(result: Result | undefined, { warnings: said }: Call): Outcome {
  // Remarks on the request's form alone do not make an answer of none
  const warnings = result === undefined && said.every(text => text.startsWith('Endpoint ')) ? [] : said
  return {
    data: result?.data ?? null,
    auth: result?.auth ?? null,
    warnings,
    silent: result === undefined && warnings.length === 0,
  }
}

/** The member faults look into: `auth` where a login answered, else `data`. */
export function membersOf({ data, auth }: Outcome): { name: 'data' | 'auth'; members: Record<string, unknown> | null } {
  return data === null && auth !== null
    ? { name: 'auth', members: auth as unknown as Record<string, unknown> }
    : { name: 'data', members: data }
}

/** @param members  damaged or as they were */
export function envelopeOf(
  core: Core,
  requestId: string,
  { data, auth, warnings }: Outcome,
  { name, members }: { name: 'data' | 'auth'; members: Record<string, unknown> | null },
  mountType: string,
): Envelope {
  return {
    request_id: requestId,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: name === 'data' ? members : data,
    wrap_info: null,
    warnings: warnings.length === 0 ? null : warnings,
    auth: name === 'auth' ? (members as unknown as Envelope['auth']) : auth,
    ...(core.flavour === 'vault' ? { mount_type: mountType } : {}),
  }
}
