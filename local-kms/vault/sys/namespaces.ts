import type { Call, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { DEFAULT_POLICY } from '../default-policy.ts'
import { type Namespace, newNamespace } from '../state.ts'

const shown = (base: Namespace, each: Namespace): Record<string, unknown> => ({
  custom_metadata: each.customMetadata,
  id: each.id,
  locked: false,
  path: each.path.slice(base.path.length),
  tainted: false,
  uuid: each.uuid,
})

/** Directly below the one asked in. */
function children({ core, namespace }: Call): Namespace[] {
  return Object.values(core.state.namespaces).filter(
    each =>
      each.path !== namespace.path &&
      each.path.startsWith(namespace.path) &&
      each.path.slice(namespace.path.length).split('/').length === 2,
  )
}

const fullPath = (call: Call): string => `${call.namespace.path}${call.data.string('path').replace(/\/+$/, '')}/`

export const namespaceRoutes: readonly Route[] = [
  {
    path: 'namespaces',
    list(call) {
      const found = children(call)
      const relative = ({ path }: Namespace): string => path.slice(call.namespace.path.length)
      return {
        data: {
          key_info: Object.fromEntries(found.map(each => [relative(each), shown(call.namespace, each)])),
          keys: found.map(relative).toSorted(),
        },
      }
    },
  },
  {
    path: 'namespaces/*path',
    fields: { custom_metadata: 'kv' },
    read(call) {
      const each = call.core.state.namespaces[fullPath(call)]
      return each === undefined ? undefined : { data: shown(call.namespace, each) }
    },
    update(call) {
      const name = call.data.string('path').replace(/\/+$/, '')
      if (name.includes('/')) throw bad('namespace name cannot contain /')
      const reserved = ['root', 'sys', 'auth', 'audit', 'cubbyhole', 'identity']
      if (reserved.includes(name)) {
        throw bad(`${JSON.stringify(`${name}/`)} is a reserved path and cannot be used as a namespace name`)
      }
      const { core } = call
      const made = (core.state.namespaces[fullPath(call)] ??= newNamespace(
        core.streams,
        fullPath(call),
        DEFAULT_POLICY,
        core.now(),
      ))
      if (call.data.has('custom_metadata'))
        made.customMetadata = call.data.map('custom_metadata') as Record<string, string>
      return { data: shown(call.namespace, made) }
    },
    remove(call) {
      const { namespaces, tokens } = call.core.state
      const path = fullPath(call)
      if (namespaces[path] === undefined) {
        call.warnings.push('requested namespace does not exist')
        return undefined
      }
      for (const each of Object.keys(namespaces)) if (each.startsWith(path)) delete namespaces[each]
      for (const token of Object.values(tokens)) if (token.namespace.startsWith(path)) delete tokens[token.id]
      return { data: { status: 'in-progress' } }
    },
  },
]
