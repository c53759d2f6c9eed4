import { z } from 'zod'
import * as field from './fields.ts'

const ARGUMENTS_MAX = 64
const LENGTH_MAX = 65_536

const length = z.number().int().min(0).max(LENGTH_MAX)
const lengths = z.strictObject({ minLength: length, maxLength: length })

const KINDS = ['any', 'void', 'bools', 'integer', 'symbols', 'strings', 'bytes', 'addresses', 'vec', 'map'] as const

/**
 * What may stand at a position of a call. Several grants for one position add up; a position without any takes nothing.
 * Exactly one kind each.
 */
const argumentGrant = z
  .strictObject({
    /** From 0; `all`: at every position. */
    at: z.union([
      z.literal('all'),
      z
        .number()
        .int()
        .min(0)
        .max(ARGUMENTS_MAX - 1),
    ]),
    any: z.literal(true).optional(),
    void: z.literal(true).optional(),
    bools: z.array(z.boolean()).max(2).optional(),
    /** Both ends included, of whatever width the argument is. In the smallest unit. */
    integer: z.strictObject({ min: field.wideInteger, max: field.wideInteger }).optional(),
    symbols: z.array(field.text).max(field.LIST_MAX).optional(),
    strings: z.array(field.text).max(field.LIST_MAX).optional(),
    bytes: z.array(field.hex).max(field.LIST_MAX).optional(),
    /** An account listed here does not stand for its sub-accounts. */
    addresses: z.array(field.argumentAddress).max(field.LIST_MAX).optional(),
    /** How many values; what they are is not looked at. */
    vec: lengths.optional(),
    map: lengths.optional(),
  })
  .superRefine((grant, context) => {
    const kinds = KINDS.filter(kind => grant[kind] !== undefined)
    if (kinds.length === 1) return
    const found = kinds.length === 0 ? 'no kind of value' : `${kinds.join(' and ')} together`
    field.problem(context, `grants ${found}`, `Write one of ${KINDS.join(', ')}`)
  })

/** A name alone: with any arguments. */
const functionGrant = z.union([
  field.name.transform(name => ({ name, arguments: undefined })),
  z.strictObject({ name: field.name, arguments: z.array(argumentGrant).max(field.LIST_MAX) }),
])

const functions = z.array(functionGrant).min(1).max(field.LIST_MAX)

export const contracts = z
  .array(z.strictObject({ contract: field.contract, functions }))
  .max(field.LIST_MAX)
  .superRefine((list, context) => field.distinct(list, entry => entry.contract, context))

/** Token contracts: what their calls move counts as payments of `asset`. */
export const tokens = z
  .array(z.strictObject({ contract: field.contract, asset: field.oneAsset, functions }))
  .max(field.LIST_MAX)
  .superRefine((list, context) => {
    field.distinct(list, entry => entry.contract, context)
    list.forEach(({ contract, asset }, at) => {
      if (asset.startsWith('C') && !asset.includes(':') && asset !== contract) {
        field.problem(context, 'names another contract as its asset', 'Write the same C… address', [at, 'asset'])
      }
    })
  })

export type ArgumentGrant = z.output<typeof argumentGrant>
export type FunctionGrant = z.output<typeof functionGrant>
export type ContractGrant = z.output<typeof contracts>[number]
export type TokenGrant = z.output<typeof tokens>[number]
