import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'

/** Plain data. `keys` maps a name to its secret: an S… strkey (Ed25519) or 0x and 64 hex digits (secp256k1). */
export const rawEnvSchema = (secret: z.ZodType<Secret> = z.instanceof(Secret)) =>
  z.strictObject({
    kind: z.literal('raw-env'),
    /** What bindings call this provider; `raw-env` unless several are configured. */
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
      .optional(),
    keys: z
      .record(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/), secret)
      .refine(
        keys => Object.keys(keys).length > 0,
        'holds no key ⇒ name at least one secret, such as treasury = "env:TREASURY_SECRET"',
      ),
  })

export type RawEnvConfig = z.output<ReturnType<typeof rawEnvSchema>>

export const rawEnv = providerKind({
  kind: 'raw-env',
  schema: rawEnvSchema,
  aliases: ['raw', 'rawenv', 'env'],
  familiar: [],
  meanings: { ...COMMON_MEANINGS, keys: 'development only: name to secret (S… or 0x…)' },
})
