import { z } from 'zod'
import { Secret } from '../../src/domain/secret.ts'
import { refineEndpoint } from '../endpoint.ts'
import { COMMON_MEANINGS, providerKind } from '../kind.ts'

const AUTH_METHODS = ['token', 'approle', 'kubernetes', 'jwt'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

/** Where Kubernetes puts the token of a pod's service account. */
export const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

type AuthField = 'token' | 'tokenFile' | 'roleId' | 'secretId' | 'role' | 'audience' | 'jwt' | 'jwtFile' | 'authMount'

/** Which fields a method has; `one` of a group, and only one. What stands in no column belongs to another method. */
const METHODS: Readonly<
  Record<AuthMethod, { needs: readonly AuthField[]; one?: readonly AuthField[]; may?: readonly AuthField[] }>
> = {
  token: { needs: [], one: ['token', 'tokenFile'] },
  approle: { needs: ['roleId', 'secretId'], may: ['authMount'] },
  kubernetes: { needs: ['role', 'audience'], may: ['jwtFile', 'authMount'] },
  jwt: { needs: ['role', 'audience'], one: ['jwt', 'jwtFile'], may: ['authMount'] },
}
const AUTH_FIELDS: readonly AuthField[] = [
  'token',
  'tokenFile',
  'roleId',
  'secretId',
  'role',
  'audience',
  'jwt',
  'jwtFile',
  'authMount',
]

/** A mount or namespace path: segments of plain characters, so that it means the same in a URL, a policy and a log. */
const PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,63}){0,7}$/
const path = (what: string) =>
  z.string().regex(PATH, `is no ${what} ⇒ use segments of A-Z a-z 0-9 . _ - apart by /, without one at the ends`)
const file = z.string().regex(/^\/[^\0]{1,4095}$/, 'is no path of a file ⇒ use an absolute path')
const role = z.string().min(1).max(512)

/** Plain data; secrets are resolved before it gets here (see `providers/aws-kms/config.ts`). */
export const vaultTransitSchema = (secret: z.ZodType<Secret> = z.instanceof(Secret)) =>
  z
    .strictObject({
      kind: z.literal('vault-transit'),
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
        .optional(),
      address: z.string().superRefine(refineEndpoint),
      namespace: path('namespace').optional(),
      mount: path('mount').optional(),
      auth: z.enum(AUTH_METHODS).optional(),
      authMount: path('mount').optional(),
      token: secret.optional(),
      tokenFile: file.optional(),
      roleId: z.string().min(1).max(4096).optional(),
      secretId: secret.optional(),
      role: role.optional(),
      /** A token that is good elsewhere too is not sent: whoever receives it could use it there. */
      audience: z.string().min(1).max(512).optional(),
      jwt: secret.optional(),
      jwtFile: file.optional(),
    })
    .superRefine((config, context) => {
      const method = config.auth ?? 'token'
      const { needs, one = [], may = [] } = METHODS[method]
      const complain = (field: AuthField, message: string) =>
        context.addIssue({ code: 'custom', path: [field], message })
      for (const field of needs) {
        if (config[field] === undefined)
          complain(field, `missing: auth = "${method}" needs it ⇒ give ${needs.join(' and ')}`)
      }
      const given = one.filter(field => config[field] !== undefined)
      const [first] = one
      if (first !== undefined && given.length === 0)
        complain(
          first,
          `missing: auth = "${method}" needs it ⇒ give ${one.join(' or ')}, or set auth to another method`,
        )
      for (const field of given.slice(1)) complain(field, `given beside ${given[0]} ⇒ remove one of them`)
      const own = new Set<AuthField>([...needs, ...one, ...may])
      for (const field of AUTH_FIELDS) {
        if (config[field] !== undefined && !own.has(field))
          complain(field, `does not belong to auth = "${method}" ⇒ remove it, or set auth to the method it belongs to`)
      }
    })

export type VaultTransitConfig = z.output<ReturnType<typeof vaultTransitSchema>>

export const vaultTransit = providerKind({
  kind: 'vault-transit',
  schema: vaultTransitSchema,
  aliases: ['vault', 'vaulttransit', 'openbao', 'bao'],
  familiar: [
    // Before the address, and only where the address comes from the environment too: a file that says where Vault is says
    // whose part of it as well, and is not led to another tenant by a variable.
    { variable: 'VAULT_NAMESPACE', field: 'namespace', unless: ['address'] },
    { variable: 'BAO_NAMESPACE', field: 'namespace', unless: ['address'] },
    { variable: 'VAULT_ADDR', field: 'address' },
    { variable: 'BAO_ADDR', field: 'address' },
    { variable: 'VAULT_TOKEN', field: 'token', secret: true, unless: AUTH_FIELDS },
    { variable: 'BAO_TOKEN', field: 'token', secret: true, unless: AUTH_FIELDS },
  ],
  meanings: {
    ...COMMON_MEANINGS,
    address: 'address of Vault or OpenBao: https, or http on loopback',
    namespace: 'namespace, where the server has them',
    mount: 'where the Transit engine is mounted; `transit` unless set',
    auth: 'how to log in: `token` unless set',
    authMount: 'where the login method is mounted; its own name unless set',
    token: '`token`: a token made beforehand; it is used as it is and never renewed',
    tokenFile:
      '`token`: file with the token, such as the sink of an agent; read again when it is refused or a minute old',
    roleId: '`approle`: id of the role',
    secretId: '`approle`: secret id of the role',
    role: '`kubernetes`, `jwt`: name of the role',
    audience:
      '`kubernetes`, `jwt`: the one audience (`aud`) of the token to log in with, which the role is bound to as well',
    jwt: '`jwt`: the token to log in with',
    jwtFile: '`kubernetes`, `jwt`: file with the token to log in with, read at every login',
  },
})
