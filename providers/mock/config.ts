import { z } from 'zod'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'

/** Plain data. There is nothing to set: keys follow from their labels. */
export const mockSchema = () =>
  z.strictObject({
    kind: z.literal('mock'),
    /** What bindings call this provider; `mock` unless several are configured. */
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
      .optional(),
  })

export type MockConfig = z.output<ReturnType<typeof mockSchema>>

export const mock = providerKind({
  kind: 'mock',
  schema: mockSchema,
  aliases: [],
  familiar: [],
  meanings: COMMON_MEANINGS,
})
