import { z } from 'zod'
import { type ProviderConfig, providerSchemas } from '../../providers/configs.ts'
import type { Jwks } from '../domain/jwks.ts'
import type { Secret } from '../domain/secret.ts'
import {
  admission,
  approvals,
  breakGlass,
  equivocation,
  issuer,
  login,
  metadata,
  proxies,
  type SENDER_CONSTRAINTS,
  store,
  tokens,
} from './gateway.ts'
import { webhooks } from './webhooks.ts'
import { baseUrl, FIX, isLoopbackHost, name, text, whole } from './shapes.ts'
import { networks, templates } from './transactions.ts'

export const ENVIRONMENTS = ['development', 'staging', 'production'] as const
export const PLANES = ['data', 'control', 'all'] as const
export type Plane = (typeof PLANES)[number]
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

export { isLoopbackHost } from './shapes.ts'

const MINUTE_MS = 60_000

/** Where a plane listens. @param section its name in the file */
const listener = (section: 'server' | 'control', plane: 'data' | 'control', port: number) =>
  z
    .strictObject({
      host: text(253).default('127.0.0.1').describe(`address of the ${plane} plane`),
      port: whole(0, 65_535).default(port).describe(`port of the ${plane} plane; 0 takes any free port`),
      socket: z
        .string()
        .regex(/^\/[^\0]{1,103}$/, `is not a socket path${FIX}use an absolute path of at most 104 characters`)
        .optional()
        .describe('path of a unix socket, instead of host and port'),
      trustProxy: z
        .boolean()
        .default(false)
        .describe('states that a proxy which ends TLS stands before a host that is not loopback'),
      baseUrls: z
        .array(baseUrl)
        .max(20)
        .default([])
        .describe(`https URLs under which the ${plane} plane is reached from outside; proofs of callers name them`),
    })
    .superRefine(({ host, trustProxy, socket }, context) => {
      if (socket !== undefined || isLoopbackHost(host) || trustProxy) return
      context.addIssue({
        code: 'custom',
        path: ['host'],
        message: `${JSON.stringify(host.slice(0, 80))} can be reached from other machines, and this server speaks no TLS${FIX}use 127.0.0.1 or a socket, or set ${section}.trustProxy = true once a proxy that ends TLS stands before it`,
      })
    })
    .prefault({})

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
  tokenConcurrency: whole(1, 4096)
    .optional()
    .describe('signatures under way at one time for one token; limits.concurrency when left out'),
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
  provider: name.optional().describe('provider of references that name none; not needed where there is one provider'),
  mapping: z
    .record(z.string().regex(/^[A-Za-z0-9]{1,128}$/, `is not an address${FIX}use the G… or 0x… address`), text(2048))
    .default({})
    .describe('address to key of the key service: `reference`, or `provider:reference`'),
  mappingFile: text(4096).optional().describe('file with more of them: one JSON object, or TOML for a name in .toml'),
  cryptoPeriodDays: whole(1, 36_500)
    .optional()
    .describe('how long a version of a key should sign before `keys inventory` calls it overdue; left out: for ever')
    .meta({ unit: 'days' }),
  recheckHours: whole(0, 720)
    .default(24)
    .describe('how often `serve` asks the key services whether they still have the keys that were pinned; 0: never')
    .meta({ unit: 'hours' }),
  destroyAfterDays: whole(0, 365)
    .default(7)
    .describe('how long a version rests, retired or revoked, before `keys destroy` gives its private key up')
    .meta({ unit: 'days' }),
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
    plane: z
      .enum(PLANES)
      .default('data')
      .describe('what `serve` serves: `data` signs, `control` administers, `all` is both in one process'),
    server: listener('server', 'data', 8420),
    control: listener('control', 'control', 8421),
    proxies: proxies.prefault({}),
    admission: admission.prefault({}),
    data: z
      .strictObject({ directory: text(4096).optional().describe('directory of the store and the audit log') })
      .prefault({}),
    store: store(secret).prefault({}),
    tokens: tokens.optional(),
    issuer: issuer(secret).prefault({}),
    login: login(secret).prefault({}),
    approvals: approvals.prefault({}),
    breakGlass: breakGlass.optional().describe('access in an emergency; left out: there is none'),
    equivocation: equivocation.prefault({}),
    metadata: metadata(secret).prefault({}),
    webhooks: webhooks(secret).optional().describe('who is told by webhook; left out: nobody'),
    providers: z
      .record(name, z.discriminatedUnion('kind', providerSchemas(secret)))
      .default({})
      .describe('key services, by the name that bindings call them'),
    keys: keys.prefault({}),
    flags: flags.prefault({}),
    limits: limits.prefault({}),
    audit: audit.prefault({}),
    networks,
    templates,
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('least level that is logged') })
      .prefault({}),
  })

type Parsed = z.output<ReturnType<typeof configSchema>>

/** The file as it was read, before what holds between sections was looked at. */
export type Draft = Parsed

/** `jwks` is read, `senderConstraint` is decided. One of `jwks` and `jwksUrl` is there. */
export type TokenSettings = Omit<z.output<typeof tokens>, 'jwks' | 'senderConstraint'> & {
  readonly jwks?: Jwks
  readonly senderConstraint: (typeof SENDER_CONSTRAINTS)[number]
}

/** The configuration, checked, complete and frozen. The key set is read; every provider carries its name. */
export interface Config extends Omit<Parsed, 'tokens' | 'providers'> {
  readonly tokens?: TokenSettings
  readonly providers: Readonly<Record<string, ProviderConfig>>
}
