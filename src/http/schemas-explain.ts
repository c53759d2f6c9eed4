/** What a dry run answers, on either plane. */
import { z } from 'zod'

const windows = z
  .array(
    z.strictObject({
      counter: z.string(),
      seconds: z.number(),
      amount: z.string(),
      used: z.string(),
      limit: z.string(),
    }),
  )
  .describe('Spend windows it would take from, in the smallest unit, as they are now.')

/** @param policyHash  says which policy was asked */
export const explanation = (policyHash: z.ZodString) =>
  z.strictObject({
    decision: z.enum(['allow', 'deny', 'undecided']),
    policyHash,
    rule: z.string().optional().describe('The rule that decided, unless it allows.'),
    reason: z.string().optional(),
    summary: z.string().describe('What is asked, in one sentence.'),
    sentences: z.array(z.string()).describe('A plain sentence for each operation, call or part.'),
    payload: z.unknown().describe('The payload decoded: SEP-51 JSON on Stellar, its like elsewhere.'),
    hash: z.string().describe('Hex; what a signature would cover.'),
    checks: z.array(
      z.strictObject({ rule: z.string(), result: z.enum(['pass', 'deny', 'undecided']), sentence: z.string() }),
    ),
    windows,
  })
