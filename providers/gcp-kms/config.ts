import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { refineEndpoint } from '../endpoint.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'
import { isId, isLocation, isProject } from './names.ts'

/** `rest` runs everywhere; `grpc` needs a runtime with HTTP/2 sockets (Bun, Node, Deno). */
export const TRANSPORTS = ['rest', 'grpc'] as const
export type Transport = (typeof TRANSPORTS)[number]

/** Plain data. Secrets are already resolved, as in every provider. */
export const gcpKmsSchema = (secret: z.ZodType<Secret> = z.instanceof(Secret)) =>
  z
    .strictObject({
      kind: z.literal('gcp-kms'),
      /** What bindings call this provider; `gcp-kms` unless several are configured. */
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
        .optional(),
      transport: z.enum(TRANSPORTS).optional(),
      /** Together they let people say `KEY/VERSION`, and say where new keys are made. Bindings carry full names. */
      project: z.string().refine(isProject, 'not a project id ⇒ use a project id such as payments-prod').optional(),
      location: z.string().refine(isLocation, 'not a location ⇒ use a location such as europe-west3').optional(),
      keyRing: z
        .string()
        .refine(isId, 'not the id of a key ring ⇒ use the id alone: letters, digits, _ and -, at most 63')
        .optional(),
      /** Instead of https://cloudkms.googleapis.com: a regional or private endpoint, or an emulator on loopback. */
      endpoint: z.string().superRefine(refineEndpoint).optional(),
      /** A token somebody else renews. */
      accessToken: secret.optional(),
      /** The text of a credential file: service_account, external_account or authorized_user. */
      credentials: secret.optional(),
      /** The project that is charged and counted, when it is not the project of the key. */
      quotaProject: z.string().refine(isProject, 'not a project id ⇒ use a project id').optional(),
    })
    .superRefine((config, context) => {
      if (config.accessToken !== undefined && config.credentials !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['accessToken'],
          message: 'given beside credentials ⇒ remove one of accessToken and credentials',
        })
      }
      if (config.keyRing !== undefined && (config.project === undefined || config.location === undefined)) {
        context.addIssue({
          code: 'custom',
          path: ['keyRing'],
          message: 'given without its project and location ⇒ give project, location and keyRing together',
        })
      }
    })

export type GcpKmsConfig = z.output<ReturnType<typeof gcpKmsSchema>>

export const gcpKms = providerKind({
  kind: 'gcp-kms',
  schema: gcpKmsSchema,
  aliases: ['gcp', 'gcpkms', 'google', 'googlekms', 'googlecloudkms', 'cloudkms'],
  familiar: [
    { variable: 'GCP_PROJECT_ID', field: 'project' },
    { variable: 'GOOGLE_CLOUD_PROJECT', field: 'project' },
    { variable: 'GCP_LOCATION', field: 'location' },
    { variable: 'GCP_KEY_RING', field: 'keyRing' },
    { variable: 'GCP_KEYRING', field: 'keyRing' },
    { variable: 'GOOGLE_CLOUD_QUOTA_PROJECT', field: 'quotaProject' },
  ],
  meanings: {
    ...COMMON_MEANINGS,
    transport: 'rest (default) or grpc',
    project: 'project of the key ring, for short names and new keys',
    location: 'location of the key ring',
    keyRing: 'id of the key ring',
    endpoint: 'instead of the public endpoint: https, or http on loopback',
    accessToken: 'an OAuth access token that something else renews',
    credentials: 'text of a credential file; without it the application-default credentials are asked',
    quotaProject: 'project that is charged, when it is not the project of the key',
  },
})
