import { z } from 'zod'

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
