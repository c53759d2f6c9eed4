import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'
import { COST_NAMES } from './cost.ts'

/** Plain data. `passphrases` maps a name to its secret; the wrapping key of that name is `passphrase/NAME`. */
export const passphraseSchema = (secret: z.ZodType<Secret> = z.instanceof(Secret)) =>
  z.strictObject({
    kind: z.literal('passphrase'),
    /** What bindings call this provider; `passphrase` unless several are configured. */
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
      .optional(),
    passphrases: z
      .record(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/), secret)
      .refine(
        passphrases => Object.keys(passphrases).length > 0,
        'holds no passphrase ⇒ name at least one, such as channels = "file:/run/secrets/channels"',
      ),
    kdf: z.enum(COST_NAMES).optional(),
    parallel: z.int().min(1).max(16).optional(),
  })

export type PassphraseConfig = z.output<ReturnType<typeof passphraseSchema>>

export const passphrase = providerKind({
  kind: 'passphrase',
  schema: passphraseSchema,
  aliases: [],
  familiar: [],
  meanings: {
    ...COMMON_MEANINGS,
    passphrases: 'low-value keys only: name to passphrase; the wrapping key is called passphrase/NAME',
    kdf: 'what new rows cost to open (argon2id where the runtime has it, scrypt elsewhere); rows keep theirs',
    parallel: 'rows opened at a time, each with its memory (one less than the machine has cores, at most 3)',
  },
})
