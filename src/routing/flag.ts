import { z } from 'zod'
import { SignerError } from '../domain/errors.ts'

/**
 * `off`: the first binding signs. `shadow`: it signs, and the target signs too, for comparison. `canary`: the target
 * signs for `percent` of the idempotency keys. `on`: the target signs. `fail-over`: the bindings of `order`, one after
 * another.
 */
export const MODES = ['off', 'shadow', 'canary', 'on', 'fail-over'] as const
export type Mode = (typeof MODES)[number]

/** Name of a provider of the configuration, or id of a binding. */
export type Target = string

export type Flag =
  | { readonly mode: 'off' }
  | { readonly mode: 'shadow' | 'on'; readonly target: Target }
  /** @property percent 0 to 100, two decimals at most */
  | { readonly mode: 'canary'; readonly target: Target; readonly percent: number }
  | { readonly mode: 'fail-over'; readonly order: readonly Target[] }

export const OFF: Flag = Object.freeze({ mode: 'off' })

/** Two decimals at most, compared so that 33.33 passes, which no binary fraction is. */
const isHundredth = (percent: number): boolean => Math.abs(percent * 100 - Math.round(percent * 100)) < 1e-6

const target = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/, 'is no name of a provider and no id of a binding')
const percent = z
  .number()
  .min(0, 'is below 0')
  .max(100, 'is above 100')
  .refine(isHundredth, 'has more than two decimals')

export const flagSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('off') }),
  z.strictObject({ mode: z.literal('shadow'), target }),
  z.strictObject({ mode: z.literal('canary'), target, percent }),
  z.strictObject({ mode: z.literal('on'), target }),
  z.strictObject({
    mode: z.literal('fail-over'),
    order: z
      .array(target)
      .min(1)
      .max(8)
      .refine(order => new Set(order).size === order.length, 'names one place twice'),
  }),
])

/** @throws `config/invalid` naming every field that is not as it must be */
export function readFlag(value: unknown): Flag {
  return checked(flagSchema, value, 'flag')
}

/** @throws `config/invalid` with every problem found; no value is quoted but names */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new SignerError('config/invalid', {
    problems: parsed.error.issues.slice(0, 20).map(({ path, message }) => ({
      path: [what, ...path].join('.').slice(0, 200),
      problem: message.slice(0, 200),
      fix: 'see docs/routing.md',
    })),
  })
}

/** Every place a flag may send a signature to. */
export function targetsOf(flag: Flag): readonly Target[] {
  switch (flag.mode) {
    case 'off':
      return []
    case 'fail-over':
      return flag.order
    default:
      return [flag.target]
  }
}
