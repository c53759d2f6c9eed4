import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'

/**
 * Plain data. Secrets are already resolved: the configuration reads `env:` and `file:` references and hands on a
 * `Secret`. It may pass its own schema for such a reference, so that one definition serves parsing and JSON Schema.
 */
export const awsKmsSchema = (secret: z.ZodType<Secret> = z.instanceof(Secret)) =>
  z
    .strictObject({
      kind: z.literal('aws-kms'),
      /** What bindings call this provider; `aws-kms` unless several are configured. */
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
        .optional(),
      region: z
        .string()
        .regex(
          /^[a-z]{2,5}(-[a-z]{2,16}){1,3}-[0-9]{1,2}$/,
          'not an AWS Region ⇒ use a Region name such as eu-central-1',
        ),
      /** Instead of the Region's public endpoint: a VPC or FIPS endpoint, or an emulator on loopback. */
      endpoint: z.string().superRefine(refineEndpoint).optional(),
      /** Static credentials, all or none; without them the SDK's default chain is asked, lazily. */
      accessKeyId: secret.optional(),
      secretAccessKey: secret.optional(),
      sessionToken: secret.optional(),
      /** A profile of the shared AWS configuration files, for the default chain. */
      profile: z.string().min(1).max(128).optional(),
    })
    .superRefine((config, context) => {
      const half = (config.accessKeyId === undefined) !== (config.secretAccessKey === undefined)
      const loneToken = config.sessionToken !== undefined && config.accessKeyId === undefined
      if (half || loneToken) {
        context.addIssue({
          code: 'custom',
          path: [config.accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey'],
          message: 'missing: static credentials come together ⇒ give accessKeyId and secretAccessKey, or neither',
        })
      }
      if (config.profile !== undefined && config.accessKeyId !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['profile'],
          message: 'given beside static credentials ⇒ remove profile, or accessKeyId and secretAccessKey',
        })
      }
    })

export type AwsKmsConfig = z.output<ReturnType<typeof awsKmsSchema>>

export const awsKms = providerKind({
  kind: 'aws-kms',
  schema: awsKmsSchema,
  aliases: ['aws', 'awskms'],
  familiar: [
    { variable: 'AWS_REGION', field: 'region' },
    { variable: 'AWS_DEFAULT_REGION', field: 'region' },
    { variable: 'AWS_ENDPOINT_URL_KMS', field: 'endpoint' },
  ],
  meanings: {
    ...COMMON_MEANINGS,
    region: 'AWS Region',
    endpoint: 'instead of the public endpoint: https, or http on loopback',
    accessKeyId: 'static credentials, all or none; without them the default chain of the SDK is asked',
    secretAccessKey: 'static credentials, all or none',
    sessionToken: 'static credentials that are temporary',
    profile: 'profile of the shared AWS configuration files',
  },
})

function refineEndpoint(text: string, context: z.RefinementCtx): void {
  const problem = endpointProblem(text)
  if (problem !== undefined) {
    context.addIssue({
      code: 'custom',
      message: `${problem} ⇒ use https://HOST[:PORT], or http:// on 127.0.0.1, [::1] or localhost`,
    })
  }
}

/** Why `text` may not be an endpoint; undefined when it may. Quotes it, unless it carries a user or a password. */
export function endpointProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return `${quoted(text)} is not a URL`
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'carries a user or a password'
  if (url.search !== '' || url.hash !== '' || (url.pathname !== '/' && url.pathname !== '')) {
    return `${quoted(text)} has a path, query or fragment`
  }
  if (url.protocol === 'https:') return undefined
  if (url.protocol !== 'http:') return `${quoted(text)} is neither https nor http`
  return isLoopback(url.hostname) ? undefined : `${quoted(text)} is plain http to another machine`
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 120))

/** As `URL.hostname` prints it: IPv4 in canonical dotted form, IPv6 in brackets. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  const parts = hostname.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every(part => part !== '' && Number.isInteger(Number(part)))
}
