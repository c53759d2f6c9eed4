import { findManagedKey, type OpContext, operation, refuseStates } from './context.ts'
import { AwsError, notFound, validation } from './errors.ts'
import * as member from './members.ts'
import { optional, required, struct } from './shapes.ts'
import { type Alias, aliasArn, aliasTarget, pointAlias, seconds, settleAll } from './store.ts'

const ALIASES_PER_KEY_MAX = 50

const named = struct({ AliasName: required(member.aliasName), TargetKeyId: required(member.keyId) })

function checkName(name: string): void {
  if (!name.startsWith('alias/')) {
    throw validation(
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    )
  }
  // Names under alias/aws/ belong to the keys that AWS manages itself
  if (name.startsWith('alias/aws/')) throw new AwsError('NotAuthorizedException')
  if (name === 'alias/' || name.includes(':')) {
    throw new AwsError('InvalidAliasNameException', `${name} contains invalid characters for an alias`)
  }
}

/** As writers see it: without the lag that readers may have. */
function existing(context: OpContext, name: string): Alias | undefined {
  const alias = context.store.aliases.get(name)
  return alias?.steps.at(-1)?.target === undefined ? undefined : alias
}

function checkRoom(context: OpContext, arn: string): void {
  const pointing = [...context.store.aliases.values()].filter(alias => alias.steps.at(-1)?.target === arn)
  if (pointing.length >= ALIASES_PER_KEY_MAX) {
    throw new AwsError('LimitExceededException', `The key ${arn} has reached its limit of aliases.`)
  }
}

export const CreateAlias = operation(
  named,
  (input, context) => {
    const { store, now } = context
    checkName(input.AliasName)
    const arn = aliasArn(store, input.AliasName)
    settleAll(store, now)
    if (existing(context, input.AliasName) !== undefined) {
      throw new AwsError('AlreadyExistsException', `An alias with the name ${arn} already exists`)
    }
    const key = findManagedKey(context, input.TargetKeyId)
    refuseStates(key, 'PendingDeletion')
    checkRoom(context, key.arn)
    const before = store.aliases.get(input.AliasName)?.steps ?? []
    const alias: Alias = { name: input.AliasName, arn, created: now, updated: now, steps: before }
    pointAlias(alias, key.arn, now, context.aliasLagMs)
    store.aliases.set(alias.name, alias)
    return undefined
  },
  { mutates: true },
)

export const UpdateAlias = operation(
  named,
  (input, context) => {
    const { store, now } = context
    checkName(input.AliasName)
    settleAll(store, now)
    const alias = existing(context, input.AliasName)
    if (alias === undefined) throw notFound(`Alias ${aliasArn(store, input.AliasName)} is not found.`)
    const key = findManagedKey(context, input.TargetKeyId)
    refuseStates(key, 'PendingDeletion')
    const present = store.keys.get(alias.steps.at(-1)!.target!)
    const kind = (spec: string): string => spec.split('_')[0]!.replace('ECC', 'asymmetric').replace('RSA', 'asymmetric')
    if (present !== undefined && (kind(present.spec) !== kind(key.spec) || present.usage !== key.usage)) {
      throw validation(
        `Alias ${alias.arn} points at a key of spec ${present.spec} and usage ${present.usage}: ` +
          'the new key must be of the same type and usage.',
      )
    }
    if (present !== key) checkRoom(context, key.arn)
    pointAlias(alias, key.arn, now, context.aliasLagMs)
    return undefined
  },
  { mutates: true },
)

export const DeleteAlias = operation(
  struct({ AliasName: required(member.aliasName) }),
  (input, context) => {
    const { store, now } = context
    checkName(input.AliasName)
    settleAll(store, now)
    const alias = existing(context, input.AliasName)
    if (alias === undefined) throw notFound(`Alias ${aliasArn(store, input.AliasName)} is not found.`)
    context.authorize(alias.steps.at(-1)!.target!)
    if (context.aliasLagMs === 0) store.aliases.delete(alias.name)
    else pointAlias(alias, undefined, now, context.aliasLagMs)
    return undefined
  },
  { mutates: true },
)

export const ListAliases = operation(
  struct({ KeyId: optional(member.keyId), Limit: member.limit, Marker: member.marker }),
  (input, context) => {
    const { store, now } = context
    context.authorize('*')
    settleAll(store, now)
    const only = input.KeyId === undefined ? undefined : findManagedKey(context, input.KeyId).arn
    const visible = [...store.aliases.values()].flatMap(alias => {
      const target = aliasTarget(alias, now)
      const key = target === undefined ? undefined : store.keys.get(target)
      return key === undefined || (only !== undefined && key.arn !== only) ? [] : [{ alias, key }]
    })
    const { items, paging } = member.page(visible, entry => entry.alias.name, {
      limit: input.Limit ?? 50,
      marker: input.Marker,
    })
    const entries = items.map(({ alias, key }) => ({
      AliasArn: alias.arn,
      AliasName: alias.name,
      CreationDate: seconds(alias.created),
      LastUpdatedDate: seconds(alias.updated),
      TargetKeyId: key.id,
    }))
    return { Aliases: entries, ...paging }
  },
)
