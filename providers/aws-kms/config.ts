import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { isLoopback, refineEndpoint } from '../endpoint.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'

export { isLoopback } from '../endpoint.ts'

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
      /** Instead of the Region's public endpoint: a VPC endpoint, or an emulator on loopback. */
      endpoint: z.string().superRefine(refineEndpoint).optional(),
      /** The Region's FIPS 140 endpoints, of KMS and of STS. */
      fips: z.boolean().optional(),
      /** The Region's endpoints for IPv4 and IPv6. */
      dualstack: z.boolean().optional(),
      /** `lean` unless given: AWS's request signing over one fetch. `sdk`: the same requests by AWS's own client. */
      transport: z.enum(['lean', 'sdk']).optional(),
      /** Static credentials, all or none; without them the SDK's default chain is asked, lazily. */
      accessKeyId: secret.optional(),
      secretAccessKey: secret.optional(),
      sessionToken: secret.optional(),
      /** A profile of the shared AWS configuration files, for the default chain. */
      profile: z.string().min(1).max(128).optional(),
      /** The role to be: assumed with the credentials above, or with a web identity. */
      roleArn: z
        .string()
        .regex(
          /^arn:aws[a-z-]*:iam::[0-9]{12}:role\/[\w+=,.@/-]{1,512}$/,
          'not a role ARN ⇒ use arn:aws:iam::ACCOUNT:role/NAME',
        )
        .optional(),
      /** What the session is called in CloudTrail; `countersign` unless given. */
      roleSessionName: z
        .string()
        .regex(/^[\w+=,.@-]{2,64}$/)
        .optional(),
      /** What the role's trust policy asks of its callers. No secret. */
      externalId: z
        .string()
        .regex(/^[\w+=,.@:/-]{2,1224}$/)
        .optional(),
      /** A file with an OpenID Connect token (service account of Kubernetes); read again at every renewal. */
      webIdentityTokenFile: z.string().min(1).max(4096).optional(),
      /** The one audience of that token; `sts.amazonaws.com` unless given. A token that is good elsewhere too is not sent. */
      webIdentityAudience: z.string().min(1).max(512).optional(),
      /** Instead of the Region's public STS endpoint. */
      stsEndpoint: z.string().superRefine(refineEndpoint).optional(),
    })
    .superRefine(refineRole)
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

/** The endpoint is on this machine: an emulator. */
export const isLocal = ({ endpoint }: Pick<AwsKmsConfig, 'endpoint'>): boolean =>
  endpoint !== undefined && isLoopback(new URL(endpoint).hostname)

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
    fips: 'true: the FIPS endpoints of the Region',
    dualstack: 'true: the IPv4 and IPv6 endpoints of the Region',
    transport: 'lean (unless given): requests by this program; sdk: by the client of AWS itself',
    accessKeyId: 'static credentials, all or none; without them the default chain of the SDK is asked',
    secretAccessKey: 'static credentials, all or none',
    sessionToken: 'static credentials that are temporary',
    profile: 'profile of the shared AWS configuration files',
    roleArn: 'role to assume, with these credentials or with a web identity',
    roleSessionName: 'name of the session in CloudTrail; countersign unless given',
    externalId: 'external id that the trust policy of the role asks for',
    webIdentityTokenFile: 'file with an OpenID Connect token to become the role with',
    webIdentityAudience: 'the one audience (`aud`) of that token; sts.amazonaws.com unless given',
    stsEndpoint: 'instead of the public endpoint of STS in the Region: https, or http on loopback',
  },
})

interface RoleFields {
  readonly endpoint?: string | undefined
  readonly fips?: boolean | undefined
  readonly dualstack?: boolean | undefined
  readonly accessKeyId?: unknown
  readonly profile?: string | undefined
  readonly roleArn?: string | undefined
  readonly roleSessionName?: string | undefined
  readonly externalId?: string | undefined
  readonly webIdentityTokenFile?: string | undefined
  readonly webIdentityAudience?: string | undefined
  readonly stsEndpoint?: string | undefined
}

/** Combinations that would mean something else than they say. */
function refineRole(config: RoleFields, context: z.RefinementCtx): void {
  const refuse = (field: keyof RoleFields, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message })
  for (const field of ['fips', 'dualstack'] as const) {
    if (config[field] === true && config.endpoint !== undefined) {
      refuse(field, `given beside endpoint ⇒ remove endpoint, or name the ${field} endpoint there and remove ${field}`)
    }
  }
  for (const field of ['roleSessionName', 'externalId', 'webIdentityTokenFile'] as const) {
    if (config[field] !== undefined && config.roleArn === undefined) {
      refuse(field, `given without roleArn ⇒ give roleArn, or remove ${field}`)
    }
  }
  if (config.webIdentityAudience !== undefined && config.webIdentityTokenFile === undefined) {
    refuse('webIdentityAudience', 'given without webIdentityTokenFile ⇒ give webIdentityTokenFile, or remove it')
  }
  if (config.webIdentityTokenFile !== undefined) {
    const other = (['accessKeyId', 'profile', 'externalId'] as const).find(field => config[field] !== undefined)
    if (other !== undefined) refuse('webIdentityTokenFile', `given beside ${other} ⇒ remove one of them`)
  }
  const local =
    config.endpoint !== undefined && URL.canParse(config.endpoint) && isLoopback(new URL(config.endpoint).hostname)
  if (local && config.roleArn !== undefined && config.stsEndpoint === undefined) {
    refuse(
      'stsEndpoint',
      'missing: with endpoint on this machine the role would be asked of AWS itself ⇒ give stsEndpoint',
    )
  }
}
