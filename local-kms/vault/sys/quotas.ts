import type { Call, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { EXEMPT_PATHS } from '../quotas.ts'

function checkedPath(call: Call): string {
  const path = call.data.string('path')
  if (path === '') return call.namespace.path
  const { mounts, auths } = call.namespace
  const known = [...Object.keys(mounts), ...Object.keys(auths).map(each => `auth/${each}`)]
  const mount = known.find(each => `${path}/` === each || path.startsWith(each))
  if (mount === undefined) throw bad(`invalid mount path ${JSON.stringify(path)}`)
  return call.namespace.path + (`${path}/` === mount ? mount : path)
}

export const quotaRoutes: readonly Route[] = [
  {
    path: 'quotas/config',
    fields: {
      enable_rate_limit_response_headers: 'bool',
      enable_rate_limit_audit_logging: 'bool',
      rate_limit_exempt_paths: 'strings',
    },
    read: call => ({
      data: {
        enable_rate_limit_audit_logging: false,
        enable_rate_limit_response_headers: call.core.state.quotaHeaders,
        rate_limit_exempt_paths: EXEMPT_PATHS,
      },
    }),
    update(call) {
      const member = 'enable_rate_limit_response_headers'
      if (call.data.has(member)) call.core.state.quotaHeaders = call.data.bool(member)
      return undefined
    },
  },
  { path: 'quotas/rate-limit', list: call => ({ data: { keys: Object.keys(call.core.state.quotas).toSorted() } }) },
  {
    path: 'quotas/rate-limit/:name',
    anyName: true,
    fields: {
      path: 'string',
      rate: 'float',
      interval: 'duration',
      block_interval: 'duration',
      role: 'string',
      inheritable: 'bool',
      type: 'string',
    },
    read(call) {
      const name = call.data.string('name')
      const quota = call.core.state.quotas[name]
      if (quota === undefined) return undefined
      return {
        data: {
          block_interval: quota.blockMs / 1000,
          inheritable: quota.inheritable,
          interval: quota.intervalMs / 1000,
          name,
          path: quota.path,
          rate: quota.rate,
          role: '',
          type: 'rate-limit',
        },
      }
    },
    update(call) {
      const { data, core } = call
      const rate = data.int('rate')
      if (!(rate > 0)) throw bad("'rate' is invalid")
      const path = checkedPath(call)
      core.state.quotas[data.string('name')] = {
        path,
        rate,
        intervalMs: (data.duration('interval') || 1) * 1000,
        blockMs: data.duration('block_interval') * 1000,
        inheritable: data.bool('inheritable', path === ''),
      }
      return undefined
    },
    remove(call) {
      delete call.core.state.quotas[call.data.string('name')]
      return undefined
    },
  },
]
