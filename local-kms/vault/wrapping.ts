import type { Incoming } from '../core/server.ts'
import type { Call, Core, Route } from './context.ts'
import { bad } from './errors.ts'
import { formatTime, GoError, parseDuration } from './go.ts'
import { tokenOf } from './request.ts'
import { base62, type Wrapped } from './state.ts'
import type { Envelope } from './wire.ts'

/** With `X-Vault-Wrap-TTL` the answer is put away under a token of one use. Undefined: it was not asked for. */
export function wrapAnswer(call: Call, incoming: Incoming, envelope: Envelope): Record<string, unknown> | undefined {
  const header = incoming.headers['x-vault-wrap-ttl']
  if (header === undefined || header === '' || header === '0') return undefined
  const ttl = readTtl(header)
  const { core, namespace } = call
  const wrapped: Wrapped = {
    token: `${core.flavour === 'vault' ? 'hvs.' : 's.'}${base62(core.streams, 'vault tokens', 24)}`,
    accessor: base62(core.streams, 'vault accessors', 24),
    ttl,
    createdMs: core.now(),
    path: incoming.target.split('?')[0]!.slice('/v1/'.length),
    namespace: namespace.path,
    answer: { ...envelope },
  }
  core.state.wrapped[wrapped.token] = wrapped
  call.changed()
  const accessor = envelope.auth?.accessor
  return {
    ...envelope,
    request_id: '',
    data: null,
    auth: null,
    wrap_info: { ...wrapInfo(wrapped), ...(accessor === undefined ? {} : { wrapped_accessor: accessor }) },
  }
}

function readTtl(text: string): number {
  try {
    return Math.max(1, parseDuration(text))
  } catch (problem) {
    if (problem instanceof GoError) throw bad(problem.message)
    throw problem
  }
}

const wrapInfo = ({ token, accessor, ttl, createdMs, path }: Wrapped): Record<string, unknown> => ({
  token,
  accessor,
  ttl,
  creation_time: formatTime(createdMs),
  creation_path: path,
})

function take(core: Core, id: string, keep: boolean): Wrapped {
  const wrapped = Object.hasOwn(core.state.wrapped, id) ? core.state.wrapped[id] : undefined
  if (wrapped === undefined || wrapped.createdMs + wrapped.ttl * 1000 <= core.now()) {
    delete core.state.wrapped[id]
    throw bad('wrapping token is not valid or does not exist')
  }
  if (!keep) delete core.state.wrapped[id]
  return wrapped
}

const named = (call: Call): string => call.data.string('token') || tokenOf(call.incoming)

export const wrappingRoutes: readonly Route[] = [
  {
    path: 'wrapping/unwrap',
    fields: { token: 'string' },
    // The wrapping token itself may stand where the caller's token does
    open: true,
    update(call) {
      const { answer } = take(call.core, named(call), false)
      call.changed()
      const envelope = answer as unknown as Envelope
      call.warnings.push(...(envelope.warnings ?? []))
      return { data: envelope.data, ...(envelope.auth === null ? {} : { auth: envelope.auth }) }
    },
  },
  {
    path: 'wrapping/lookup',
    fields: { token: 'string' },
    open: true,
    pure: true,
    read: lookup,
    update: lookup,
  },
  {
    path: 'wrapping/wrap',
    pure: true,
    update: call => ({ data: { ...call.data.raw } }),
  },
]

function lookup(call: Call): { data: Record<string, unknown> } {
  const wrapped = take(call.core, named(call), true)
  return {
    data: {
      creation_path: wrapped.path,
      creation_time: formatTime(wrapped.createdMs),
      creation_ttl: wrapped.ttl,
    },
  }
}
