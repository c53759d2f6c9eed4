import { approles } from './auth/approle.ts'
import { jwtRoles } from './auth/jwt.ts'
import { kubernetesRoles } from './auth/kubernetes.ts'
import { kindOf } from './kinds.ts'
import type { Core } from './context.ts'
import type { Mount, Namespace } from './state.ts'
import { shownKey, transitState } from './transit/model.ts'

const WARNING = 'local-kms is an emulator and no secure store: keys lie in memory and in snapshots in the clear'

/** What there is, without secrets: tokens go by their accessors. */
export function inspectState(core: Core): Record<string, unknown> {
  const { state } = core
  return {
    warning: WARNING,
    flavour: core.flavour,
    server: state.server,
    now: core.now(),
    namespaces: Object.fromEntries(Object.values(state.namespaces).map(each => [each.path, namespaceView(core, each)])),
    tokens: Object.values(state.tokens).map(token => ({
      accessor: token.accessor,
      displayName: token.displayName,
      namespace: token.namespace,
      policies: token.policies,
      expiresMs: token.expiresMs,
      usesLeft: token.usesLeft,
    })),
    quotas: state.quotas,
  }
}

function namespaceView(core: Core, namespace: Namespace): Record<string, unknown> {
  return {
    policies: Object.keys(namespace.policies).toSorted(),
    mounts: Object.fromEntries(
      Object.values(namespace.mounts).map(mount => [
        mount.path,
        {
          type: mount.type,
          ...(mount.type === 'transit'
            ? { keys: Object.values(transitState(mount).keys).map(key => shownKey(core, key)) }
            : {}),
        },
      ]),
    ),
    auth: Object.fromEntries(
      Object.values(namespace.auths).map(mount => [mount.path, { type: mount.type, roles: roleNames(mount) }]),
    ),
  }
}

function roleNames(mount: Mount): string[] {
  const roles = { approle: approles, jwt: jwtRoles, kubernetes: kubernetesRoles }[kindOf(mount)]
  return roles === undefined ? [] : Object.keys(roles(mount)).toSorted()
}

/** `active` or `soft-deleted`. False: no such key in any engine. @throws RangeError for another state of a key that is here */
export function setKeyState(core: Core, name: string, state: string): boolean {
  let found = false
  for (const namespace of Object.values(core.state.namespaces)) {
    for (const mount of Object.values(namespace.mounts)) {
      if (mount.type !== 'transit') continue
      for (const key of Object.values(transitState(mount).keys)) {
        if (name !== key.name && name !== `${namespace.path}${mount.path}${key.name}`) continue
        // Only now: the same name may be a key of another face, which has other states
        if (!['active', 'soft-deleted'].includes(state)) {
          throw new RangeError(`Cannot set key state '${state}': use active or soft-deleted`)
        }
        key.softDeleted = state === 'soft-deleted'
        found = true
      }
    }
  }
  if (found) core.world.onChange()
  return found
}
