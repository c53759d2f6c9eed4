import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes } from '../core/random.ts'
import { findKey, findRing, type OpContext, operation } from './context.ts'
import { GcpError, notFound } from './errors.ts'
import { type Message, textOf } from './known-types.ts'
import { type ResourceName, requireName } from './names.ts'
import type { Binding, Policy } from './store.ts'

/** What a resource without a policy of its own answers. */
const EMPTY_ETAG = Uint8Array.of(0x00, 0x20, 0x01)

const COLLECTION = { keyRing: 'keyRings', cryptoKey: 'cryptoKeys', importJob: 'importJobs' } as const

function resourceOf(request: Message): ResourceName & { readonly kind: keyof typeof COLLECTION } {
  const name = requireName(request['resource'], 'resource', 'keyRing', 'cryptoKey', 'importJob')
  return name as ResourceName & { kind: keyof typeof COLLECTION }
}

function requireThere(context: OpContext, name: ResourceName): void {
  if (name.kind === 'keyRing') findRing(context, name.full)
  if (name.kind === 'cryptoKey') findKey(context, name.full)
  if (name.kind === 'importJob' && !context.store.jobs.has(name.full)) throw notFound('ImportJob', name.full)
}

const show = (policy: Policy | undefined): Message =>
  policy === undefined
    ? { etag: EMPTY_ETAG }
    : { ...policy, bindings: policy.bindings, auditConfigs: policy.auditConfigs }

export const GetIamPolicy = operation((request, context) => {
  const name = resourceOf(request)
  context.authorize(`cloudkms.${COLLECTION[name.kind]}.getIamPolicy`, name.full)
  requireThere(context, name)
  return show(context.store.policies.get(name.full))
})

export const SetIamPolicy = operation(
  (request, context) => {
    const name = resourceOf(request)
    context.authorize(`cloudkms.${COLLECTION[name.kind]}.setIamPolicy`, name.full)
    requireThere(context, name)
    const input = (request['policy'] ?? {}) as Message
    const before = context.store.policies.get(name.full)
    const etag = input['etag'] as Uint8Array | undefined
    if (etag !== undefined && etag.length > 0 && !equalBytes(etag, before?.etag ?? EMPTY_ETAG)) {
      throw new GcpError(
        'ABORTED',
        'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.',
      )
    }
    const bindings = ((input['bindings'] ?? []) as Message[]).map(
      (binding): Binding => ({
        role: textOf(binding, 'role'),
        members: (binding['members'] ?? []) as string[],
        condition: binding['condition'] as Message | undefined,
      }),
    )
    const auditConfigs = (input['auditConfigs'] ?? []) as Record<string, unknown>[]
    const version = bindings.some(binding => binding.condition !== undefined) ? 3 : 1
    const seed = JSON.stringify([bindings, auditConfigs, Buffer.from(before?.etag ?? EMPTY_ETAG).toString('hex')])
    const policy = { version, bindings, auditConfigs, etag: sha256(new TextEncoder().encode(seed)).subarray(0, 8) }
    context.store.policies.set(name.full, policy)
    return show(policy)
  },
  { admin: true },
)

/** Needs no permission, and answers for what is not there with nothing. */
export const TestIamPermissions = operation((request, context) => {
  const name = resourceOf(request)
  const asked = (request['permissions'] ?? []) as readonly string[]
  return { permissions: context.held(asked, name.full) }
})
