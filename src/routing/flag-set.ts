import canonicalize from 'canonicalize'
import { z } from 'zod'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { checked, type Flag, flagSchema, OFF } from './flag.ts'

/** Who asks for what, where. */
export interface FlagContext {
  readonly environment: string
  readonly key: string
  /** Subject of the token. */
  readonly caller: string
}

/** A rule without a member fits every value of it. */
export interface Rule extends Partial<FlagContext> {
  readonly flag: Flag
}

export interface FlagSet {
  readonly version: 1
  /** The first that fits decides; when none does, the flag is `off`. */
  readonly rules: readonly Rule[]
}

export const NO_FLAGS: FlagSet = Object.freeze({ version: 1, rules: [] })
const RULES_MAX = 1000

const word = z.string().min(1).max(256)
const schema = z.strictObject({
  version: z.literal(1),
  rules: z
    .array(
      z.strictObject({
        environment: word.optional(),
        key: word.optional(),
        caller: word.optional(),
        flag: flagSchema,
      }),
    )
    .max(RULES_MAX),
})

/** @throws `config/invalid` with every problem found */
export const readFlagSet = (value: unknown): FlagSet => checked(schema, value, 'flags') as FlagSet

/** Hex; the same for every spelling of the same rules (RFC 8785). */
export const hashOfFlags = (flags: FlagSet | Flag): string =>
  toHex(sha256(new TextEncoder().encode(canonicalize(flags))))

export const MEMBERS = ['environment', 'key', 'caller'] as const

export const fits = (rule: Rule, context: FlagContext): boolean =>
  MEMBERS.every(member => rule[member] === undefined || rule[member] === context[member])

export const flagFor = (flags: FlagSet, context: FlagContext): Flag =>
  flags.rules.find(rule => fits(rule, context))?.flag ?? OFF

const sameScope = (one: Rule, other: Rule): boolean => MEMBERS.every(member => one[member] === other[member])

/**
 * The set with this rule in it: in place of the one with the same members, or else before the first rule that would
 * decide for everything it decides for.
 */
export function withRule(flags: FlagSet, rule: Rule): FlagSet {
  const known = flags.rules.findIndex(each => sameScope(each, rule))
  if (known >= 0) return { ...flags, rules: flags.rules.toSpliced(known, 1, rule) }
  const wider = flags.rules.findIndex(each =>
    MEMBERS.every(member => each[member] === undefined || each[member] === rule[member]),
  )
  return { ...flags, rules: flags.rules.toSpliced(wider < 0 ? flags.rules.length : wider, 0, rule) }
}

/** What an audit record says of a change: the rules that are only in one of the two; all of them when only their order differs. */
export function differenceOf(before: FlagSet, after: FlagSet): { readonly gone: string; readonly came: string } {
  const texts = ({ rules }: FlagSet): string[] => rules.map(rule => String(canonicalize(rule)))
  const [old, fresh] = [texts(before), texts(after)]
  const only = (some: readonly string[], others: readonly string[]) => some.filter(rule => !others.includes(rule))
  const [gone, came] = [only(old, fresh), only(fresh, old)]
  const moved = gone.length === 0 && came.length === 0
  const text = (rules: readonly string[]) => `[${rules.join(',')}]`
  return moved ? { gone: text(old), came: text(fresh) } : { gone: text(gone), came: text(came) }
}
