/** Networks and templates: what transactions are built for, and where they go. */
import { z } from 'zod'
import type { ConfigProblem } from '../domain/errors.ts'
import { CONTRACT_INTEGERS } from '../domain/stellar.ts'
import type { ArgumentShape, IntegerType, TemplateArgument, TransactionTemplate } from '../domain/transactions.ts'
import { endpoint, FIX, keyName, text, whole } from './shapes.ts'
import { isStellarText } from '../bytes/stellar-text.ts'

const network = z
  .strictObject({
    rpc: endpoint.optional(),
    horizon: endpoint.optional(),
    timeoutMs: whole(500, 20_000).default(10_000),
  })
  .superRefine(({ rpc, horizon }, context) => {
    if (rpc === undefined && horizon === undefined) {
      context.addIssue({ code: 'custom', message: `names no endpoint${FIX}give rpc, horizon, or both` })
    }
  })

export type NetworkSettings = z.output<typeof network>

const NETWORK_NAME = /^(?:[a-z]{1,32}|custom:[ -~]{1,256})$/
const ANY_NETWORK_NAME = /^(?:[a-z][a-z-]{0,31}|eip155:[0-9]{1,19}|custom:[ -~]{1,256})$/

export const networks = z
  .record(
    z
      .string()
      .regex(
        ANY_NETWORK_NAME,
        `is not the name of a network${FIX}use testnet, public, …, custom:PASSPHRASE, sepolia, base, … or eip155:ID`,
      ),
    network,
  )
  .default({})
  .describe(
    'endpoints of networks by their name: `rpc` (Soroban RPC, or JSON-RPC of an EVM node), `horizon` (Stellar), `timeoutMs`',
  )

const decimal = z
  .union([
    z.int(),
    z.string().regex(/^(?:0|-?[1-9][0-9]{0,77})$/, `is not a whole number${FIX}write it in decimal digits`),
  ])
  .transform(value => BigInt(value))

const TYPES = ['bool', 'symbol', 'string', 'bytes', 'address', 'vec', 'struct', ...CONTRACT_INTEGERS] as const
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,29}$/
const fieldName = z.string().regex(FIELD_NAME, `is not a name${FIX}use 1 to 30 of A-Z a-z 0-9 _`)
const DEPTH_MAX = 5

/** One shape, with everything that any type of value may be given; what does not belong to its type is refused. */
interface RawShape {
  readonly type: (typeof TYPES)[number]
  readonly min?: bigint | undefined
  readonly max?: bigint | undefined
  readonly oneOf?: readonly string[] | undefined
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  readonly signer?: boolean | undefined
  readonly items?: RawShape | undefined
  readonly fields?: readonly (RawShape & { readonly name: string })[] | undefined
}

const flat = {
  type: z.enum(TYPES),
  min: decimal.optional(),
  max: decimal.optional(),
  oneOf: z.array(text(64)).min(1).max(1000).optional(),
  minLength: whole(0, 65_536).optional(),
  maxLength: whole(0, 65_536).optional(),
  signer: z.boolean().optional(),
}

/** A fixed number of levels, so that the schema is a tree. */
function shapeAt(depth: number): Readonly<Record<string, z.ZodType>> {
  if (depth === DEPTH_MAX) return flat
  const below = shapeAt(depth + 1)
  return {
    ...flat,
    items: z.strictObject(below).optional(),
    fields: z
      .array(z.strictObject({ name: fieldName, ...below }))
      .min(1)
      .max(20)
      .optional(),
  }
}

const argument = z.strictObject({
  name: fieldName,
  as: z.enum(['argument', 'contract', 'signer']).default('argument'),
  value: z.unknown().optional(),
  key: keyName.optional(),
  ...shapeAt(1),
}) as unknown as z.ZodType<RawArgument>

interface RawArgument extends RawShape {
  readonly name: string
  readonly as: 'argument' | 'contract' | 'signer'
  readonly value?: unknown
  readonly key?: string | undefined
}

const isContract = (value: string): boolean => isStellarText(value, 'contract')
const contract = z.string().refine(isContract, `is not a contract${FIX}use its C… address`)
const symbol = z
  .string()
  .regex(/^[A-Za-z0-9_]{1,32}$/, `is not the name of a function${FIX}use 1 to 32 of A-Z a-z 0-9 _`)

const isAccount = (value: string): boolean => isStellarText(value, 'address')

/** Contracts that one template may have its keys authorize calls to. */
const AUTHORIZED_MAX = 200

const template = z.strictObject({
  network: z.string().regex(NETWORK_NAME, `is not the name of a network${FIX}use testnet, public, …`),
  contract: contract.optional(),
  function: symbol,
  source: keyName,
  feeSource: keyName.optional(),
  arguments: z.array(argument).max(32).default([]),
  signers: z
    .record(z.string().refine(isAccount, `is not an address${FIX}use the G… address of an account`), keyName)
    .default({}),
  authorizes: z
    .array(z.strictObject({ contract, functions: z.array(symbol).min(1).max(50) }))
    .max(AUTHORIZED_MAX)
    .default([]),
  maxFee: whole(100, 1_000_000_000),
  maxResourceFee: whole(0, 3_000_000_000),
  validSeconds: whole(30, 3_600).default(300),
})

type RawTemplate = z.output<typeof template>

export const templates = z
  .record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, `is not a name${FIX}use 1 to 63 of a-z 0-9 -`), template)
  .default({})
  .describe('contract calls that callers may have built, signed and sent by name, with their values inside bounds')

const problem = (path: string, what: string, fix: string): ConfigProblem => ({ path, problem: what, fix })

/** What holds inside a template beyond the type of each field, and between templates and networks. */
export function templateProblems(
  given: Readonly<Record<string, RawTemplate>>,
  known: Readonly<Record<string, NetworkSettings>>,
): ConfigProblem[] {
  return Object.entries(given).flatMap(([name, raw]) => {
    const path = `templates.${name}`
    const place = known[raw.network]
    return [
      ...(place?.rpc === undefined
        ? [problem(`${path}.network`, `has no Soroban RPC, and calls are simulated`, `set networks.${raw.network}.rpc`)]
        : []),
      ...(raw.maxFee + raw.maxResourceFee > 0xffff_ffff
        ? [
            problem(
              `${path}.maxResourceFee`,
              'is more than a transaction can pay',
              'keep maxFee and it under 4,294,967,295',
            ),
          ]
        : []),
      ...(raw.feeSource !== undefined && raw.maxFee < 200
        ? [problem(`${path}.maxFee`, 'is less than a fee bump costs', 'use at least 200')]
        : []),
      ...contractProblems(path, raw),
      ...raw.arguments.flatMap((one, at) => argumentProblems(`${path}.arguments.${at}`, one, raw)),
      ...twice(`${path}.arguments`, raw.arguments),
    ]
  })
}

function contractProblems(path: string, { contract: fixed, arguments: list }: RawTemplate): ConfigProblem[] {
  const chosen = list.filter(({ as }) => as === 'contract').length
  if (fixed !== undefined && chosen === 0) return []
  if (fixed === undefined && chosen === 1) return []
  return fixed === undefined
    ? [problem(`${path}.contract`, 'is missing', 'set it, or give one argument as = "contract"')]
    : [problem(`${path}.contract`, 'is set beside an argument that says which', 'keep one of them')]
}

function argumentProblems(path: string, one: RawArgument, { signers }: RawTemplate): ConfigProblem[] {
  const found: ConfigProblem[] = []
  if (one.key !== undefined && one.value !== undefined)
    found.push(problem(`${path}.key`, 'is set beside value', 'keep one'))
  if ((one.key !== undefined || one.as !== 'argument') && one.type !== 'address') {
    found.push(problem(`${path}.type`, 'is not address', 'a key, a contract and a signer are addresses'))
  }
  if (one.as === 'contract' && one.oneOf === undefined && one.value === undefined) {
    found.push(problem(`${path}.oneOf`, 'is missing', 'list the contracts that may be called'))
  }
  if ((one.as === 'signer' || one.signer === true) && Object.keys(signers).length === 0) {
    found.push(problem(path, 'names a signer, and the template has none', 'add [templates.NAME.signers]'))
  }
  return [...found, ...shapeProblems(path, one)]
}

const twice = (path: string, list: readonly { readonly name: string }[]): ConfigProblem[] =>
  list.flatMap(({ name }, at) =>
    list.findIndex(other => other.name === name) === at
      ? []
      : [problem(`${path}.${at}.name`, 'stands there twice', 'name each once')],
  )

const isInteger = (type: RawShape['type']): type is IntegerType => CONTRACT_INTEGERS.some(each => each === type)

/** Which bounds each type of value takes. */
const BOUNDS: Readonly<Record<string, readonly (keyof RawShape)[]>> = {
  bool: [],
  symbol: ['oneOf', 'minLength', 'maxLength'],
  string: ['oneOf', 'minLength', 'maxLength'],
  bytes: ['minLength', 'maxLength'],
  address: ['oneOf', 'signer'],
  vec: ['items', 'minLength', 'maxLength'],
  struct: ['fields'],
}
const ALL_BOUNDS = ['min', 'max', 'oneOf', 'minLength', 'maxLength', 'signer', 'items', 'fields'] as const

function shapeProblems(path: string, raw: RawShape): ConfigProblem[] {
  const takes: readonly string[] = isInteger(raw.type) ? ['min', 'max'] : (BOUNDS[raw.type] ?? [])
  const surplus = ALL_BOUNDS.filter(name => raw[name] !== undefined && !takes.includes(name))
  const needs =
    raw.type === 'vec' ? (['items', 'maxLength'] as const) : raw.type === 'struct' ? (['fields'] as const) : []
  const missing = needs.filter(name => raw[name] === undefined)
  const { min, max, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = raw
  return [
    ...surplus.map(name =>
      problem(`${path}.${name}`, `is not a bound of ${raw.type}`, `use ${takes.join(', ') || 'none'}`),
    ),
    ...missing.map(name => problem(`${path}.${name}`, 'is missing', `a ${raw.type} needs it`)),
    ...(min !== undefined && max !== undefined && min > max
      ? [problem(`${path}.max`, 'is less than min', 'swap them')]
      : []),
    ...(minLength > maxLength ? [problem(`${path}.maxLength`, 'is less than minLength', 'swap them')] : []),
    ...(raw.type === 'address'
      ? (raw.oneOf ?? []).flatMap((one, at) =>
          isContract(one) || isAccount(one)
            ? []
            : [problem(`${path}.oneOf.${at}`, 'is not an address', 'use G… or C…')],
        )
      : []),
    ...(raw.items === undefined ? [] : shapeProblems(`${path}.items`, raw.items)),
    ...(raw.fields ?? []).flatMap((field, at) => shapeProblems(`${path}.fields.${at}`, field)),
    ...twice(`${path}.fields`, raw.fields ?? []),
  ]
}

/** The templates as the service works with them. Call it for what has no problems. */
export const readTemplates = (given: Readonly<Record<string, RawTemplate>>): ReadonlyMap<string, TransactionTemplate> =>
  new Map(Object.entries(given).map(([name, raw]) => [name, readTemplate(name, raw)]))

function readTemplate(name: string, raw: RawTemplate): TransactionTemplate {
  return {
    name,
    network: raw.network,
    ...(raw.contract === undefined ? {} : { contract: raw.contract }),
    function: raw.function,
    source: raw.source,
    ...(raw.feeSource === undefined ? {} : { feeSource: raw.feeSource }),
    arguments: raw.arguments.map(readArgument),
    signers: new Map(Object.entries(raw.signers)),
    authorizes: raw.authorizes,
    maxFee: raw.maxFee,
    maxResourceFee: raw.maxResourceFee,
    validSeconds: raw.validSeconds,
  }
}

const readArgument = ({ name, as, value, key, ...shape }: RawArgument): TemplateArgument => ({
  name,
  as,
  shape: readShape(shape),
  ...(value === undefined ? {} : { value }),
  ...(key === undefined ? {} : { key }),
})

const SYMBOL_MAX = 32
const BYTES_MAX = 65_536

function readShape(raw: RawShape): ArgumentShape {
  const { type, oneOf, minLength = 0, maxLength = type === 'symbol' ? SYMBOL_MAX : BYTES_MAX } = raw
  const listed = oneOf === undefined ? {} : { oneOf }
  switch (type) {
    case 'bool':
      return { type }
    case 'symbol':
    case 'string':
      return { type, ...listed, minLength, maxLength }
    case 'bytes':
      return { type, minLength, maxLength }
    case 'address':
      return { type, ...listed, signer: raw.signer === true }
    case 'vec':
      return { type, items: readShape(raw.items ?? { type: 'bool' }), minLength, maxLength }
    case 'struct':
      return { type, fields: (raw.fields ?? []).map(({ name, ...field }) => ({ name, shape: readShape(field) })) }
    default: {
      const { min, max } = raw
      return { type, ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }
    }
  }
}
