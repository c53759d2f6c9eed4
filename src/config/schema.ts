import { z } from 'zod'
import { type ProviderConfig, providerSchemas } from '../../providers/configs.ts'
import type { Jwks } from '../domain/jwks.ts'
import type { Secret } from '../domain/secret.ts'

export const ENVIRONMENTS = ['development', 'staging', 'production'] as const
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** A refinement says problem and fix in one text; this stands between them (as in `providers`). */
export const FIX = ' ⇒ '

const MINUTE_MS = 60_000
const whole = (least: number, most: number) => z.int().min(least).max(most)
const text = (most: number) => z.string().min(1).max(most)
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, `is not a name${FIX}use 1 to 63 of a-z 0-9 -, such as aws-kms`)

/** 127.0.0.0/8, ::1 and localhost: nobody outside this machine can connect. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  const parts = host.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every(part => /^\d{1,3}$/.test(part) && Number(part) <= 255)
}

const server = z
  .strictObject({
    host: text(253).default('127.0.0.1').describe('address of the data plane'),
    port: whole(0, 65_535).default(8420).describe('port of the data plane; 0 takes any free port'),
    socket: z
      .string()
      .regex(/^\/[^\0]{1,103}$/, `is not a socket path${FIX}use an absolute path of at most 104 characters`)
      .optional()
      .describe('path of a unix socket, instead of host and port'),
    trustProxy: z
      .boolean()
      .default(false)
      .describe('states that a proxy which ends TLS stands before a host that is not loopback'),
  })
  .superRefine(({ host, trustProxy, socket }, context) => {
    if (socket !== undefined || isLoopbackHost(host) || trustProxy) return
    context.addIssue({
      code: 'custom',
      path: ['host'],
      message: `${JSON.stringify(host.slice(0, 80))} can be reached from other machines, and this server speaks no TLS${FIX}use 127.0.0.1 or a socket, or set server.trustProxy = true once a proxy that ends TLS stands before it`,
    })
  })

const tokens = z.strictObject({
  issuer: text(255).describe('`iss` that tokens must carry'),
  audience: text(255).describe('`aud` that tokens must carry: the name of this service'),
  jwks: text(4096).describe('file with the public keys of the issuer (JWKS); nothing is fetched'),
  maxAgeSeconds: whole(1, 900).default(900).describe('longest life of a token').meta({ unit: 'seconds' }),
  clockSkewSeconds: whole(0, 30)
    .default(30)
    .describe("how far the issuer's clock may be off")
    .meta({ unit: 'seconds' }),
})

const limits = z.strictObject({
  bodyBytes: whole(1024, 1_048_576).default(65_536).describe('largest request body').meta({ unit: 'bytes' }),
  concurrency: whole(1, 4096).default(64).describe('signatures under way at one time'),
  deadlineMs: whole(100, MINUTE_MS)
    .default(10_000)
    .describe('time for one signature, all tries together')
    .meta({ unit: 'ms' }),
  tries: whole(1, 3).default(3).describe('attempts at a call of the key service'),
  providerConcurrency: whole(1, 4096)
    .optional()
    .describe('calls under way at one key service at one time; half of limits.concurrency when left out'),
  breakerFailures: whole(1, 1000)
    .default(5)
    .describe('failures in a row after which a key or key service is left alone'),
  breakerResetMs: whole(100, MINUTE_MS)
    .default(5_000)
    .describe('longest time until one call tries it again')
    .meta({ unit: 'ms' }),
  idempotencyHours: whole(24, 168)
    .default(24)
    .describe('how long an answer is kept for replay')
    .meta({ unit: 'hours' }),
})

const audit = z.strictObject({
  segmentBytes: whole(65_536, 1_073_741_824)
    .default(67_108_864)
    .describe('size at which a new segment begins')
    .meta({ unit: 'bytes' }),
  instance: name.default('main').describe('name of this instance in every record'),
})

const keys = z.strictObject({
  reference: text(2048).optional().describe('key of the key service that `keys import` adopts when none is named'),
  mapping: z
    .record(z.string().regex(/^[A-Za-z0-9]{1,128}$/, `is not an address${FIX}use the G… or 0x… address`), text(2048))
    .default({})
    .describe('address to key of the key service'),
})

const flags = z.strictObject({
  file: text(4096)
    .optional()
    .describe(
      'file with the flags of routing (JSON or TOML), read again when it changes; `countersign flags` writes it',
    ),
  service: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional()
    .describe('flag service that speaks the OpenFeature remote evaluation protocol (OFREP), instead of a file'),
  name: text(128).default('countersign-route').describe('name of the flag; also salts the draw of a canary'),
  maxAgeSeconds: whole(1, 86_400)
    .default(900)
    .describe('how long flags that cannot be read again are good')
    .meta({ unit: 'seconds' }),
  whenStale: z
    .enum(['keep', 'off'])
    .default('keep')
    .describe('what holds after that: the last good flags, or the first binding of every key'),
  shadowConcurrency: whole(1, 64).default(4).describe('signatures under way in shadow at one time'),
  shadowQueue: whole(1, 10_000)
    .default(256)
    .describe('signatures that wait for their shadow; more are counted as dropped'),
})

/**
 * The whole file. `secret` is what stands where a secret belongs: a text for the JSON Schema, and while loading a
 * reference that becomes a `Secret`.
 */
export const configSchema = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    environment: z.enum(ENVIRONMENTS).describe('where this runs; production refuses everything meant for development'),
    server: server.prefault({}),
    data: z
      .strictObject({ directory: text(4096).optional().describe('directory of the store and the audit log') })
      .prefault({}),
    tokens: tokens.optional(),
    providers: z
      .record(name, z.discriminatedUnion('kind', providerSchemas(secret)))
      .default({})
      .describe('key services, by the name that bindings call them'),
    keys: keys.prefault({}),
    flags: flags.prefault({}),
    limits: limits.prefault({}),
    audit: audit.prefault({}),
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('least level that is logged') })
      .prefault({}),
  })

type Parsed = z.output<ReturnType<typeof configSchema>>

/** The configuration, checked, complete and frozen. The key set is read; every provider carries its name. */
export interface Config extends Omit<Parsed, 'tokens' | 'providers'> {
  readonly tokens?: Omit<z.output<typeof tokens>, 'jwks'> & { readonly jwks: Jwks }
  readonly providers: Readonly<Record<string, ProviderConfig>>
}
