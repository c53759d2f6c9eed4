import { findManagedKey, operation, refuseStates } from './context.ts'
import { AwsError } from './errors.ts'
import * as member from './members.ts'
import { list, required, string, struct } from './shapes.ts'

const TAGS_MAX = 50

/** All or nothing. @throws TagException on doubles, reserved names, more than 50. */
export function addTags(tags: Map<string, string>, added: readonly { TagKey: string; TagValue: string }[]): void {
  const names = new Set(added.map(tag => tag.TagKey))
  if (names.size < added.length) throw new AwsError('TagException', 'Duplicate tag keys')
  if (added.some(tag => tag.TagKey.toLowerCase().startsWith('aws:'))) {
    throw new AwsError('TagException', 'Tags beginning with aws: are reserved')
  }
  if (new Set([...tags.keys(), ...names]).size > TAGS_MAX) throw new AwsError('TagException', 'Too many tags')
  for (const tag of added) tags.set(tag.TagKey, tag.TagValue)
}

export const TagResource = operation(
  struct({ KeyId: required(member.keyId), Tags: required(member.tags) }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion')
    addTags(key.tags, input.Tags)
    return undefined
  },
  { mutates: true },
)

export const UntagResource = operation(
  struct({ KeyId: required(member.keyId), TagKeys: required(list(string({ min: 1, max: 128 }))) }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion')
    for (const name of input.TagKeys) key.tags.delete(name)
    return undefined
  },
  { mutates: true },
)

export const ListResourceTags = operation(
  struct({ KeyId: required(member.keyId), Limit: member.limit, Marker: member.marker }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    const { items, paging } = member.page([...key.tags], ([name]) => name, {
      limit: input.Limit ?? 50,
      marker: input.Marker,
    })
    return { Tags: items.map(([TagKey, TagValue]) => ({ TagKey, TagValue })), ...paging }
  },
)
