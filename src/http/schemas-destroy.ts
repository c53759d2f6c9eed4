/** The end of a key, as the control plane is asked for it and tells it. */
import { z } from 'zod'

export const DestroyBody = z.strictObject({
  confirm: z.string().min(1).max(64).describe('The address of the version, to the letter.'),
  days: z
    .int()
    .min(0)
    .max(120)
    .describe('How long key services keep what can still be taken back there; 30 unless told. Vault grants 0 alone.')
    .optional(),
  reason: z.string().min(1).max(500).describe('Why, in one line; stands in the record.'),
  signerRemains: z.boolean().describe('Go on although an account lists the key as a signer.').optional(),
})

export const DestroyedAnswer = z.strictObject({
  key: z.string(),
  version: z.int(),
  address: z.string(),
  changed: z.boolean().describe('False: it was destroyed before, and what was left to do was asked for again.'),
  done: z
    .boolean()
    .describe('False: a place failed. The version is destroyed; send a new request, which goes on with it.'),
  places: z.array(
    z.strictObject({
      binding: z.string(),
      provider: z.string(),
      custody: z.string(),
      reference: z.string(),
      outcome: z
        .enum(['scheduled', 'removed', 'left', 'failed'])
        .describe('Gone at the time that is told; gone; not touched, since others need it; asked for in vain.'),
      at: z.iso.datetime().describe('When it will be gone.').optional(),
      reason: z.string().optional(),
    }),
  ),
  notes: z.array(z.string()).describe('What nobody has looked at, and where else its private key is.'),
})
