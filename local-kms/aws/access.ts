import { AwsError } from './errors.ts'
import { type AccessRequest, decide } from './policy.ts'
import type { Credential } from './sigv4.ts'
import { aliasTarget, type AwsStore, type KmsKey } from './store.ts'

/** Who a credential stands for, as the service writes it. */
export const principalOf = (credential: Credential, accountId: string): string =>
  credential.principalArn ?? `arn:aws:iam::${accountId}:user/${credential.accessKeyId}`

/**
 * Identity policies of the credential, and for a session also the policies it was narrowed by.
 * @throws AccessDeniedException in the service's words.
 */
export function authorize(credential: Credential, principalArn: string, request: AccessRequest): void {
  const { action, resource } = request
  const text = `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource}`
  const sources = [
    ['identity-based', credential],
    ['session', { policies: credential.sessionPolicies }],
  ] as const
  const context = new Map(request.context)
  // For a session this is the role: policies name roles, not the sessions made from them.
  context.set('aws:principalarn', credential.roleArn ?? principalArn)
  const decisions = sources.map(([kind, rights]) => [kind, decide(rights, { ...request, context })] as const)
  const denied = decisions.find(([, decision]) => decision === 'denied')
  if (denied !== undefined) throw accessDenied(`${text} with an explicit deny in ${article(denied[0])} policy`)
  const missing = decisions.find(([, decision]) => decision === 'not allowed')
  if (missing !== undefined) throw accessDenied(`${text} because no ${missing[0]} policy allows the ${action} action`)
}

const article = (kind: string): string => (kind.startsWith('i') ? `an ${kind}` : `a ${kind}`)
const accessDenied = (text: string): AwsError => new AwsError('AccessDeniedException', text)

/** The condition keys of a request, as far as requests and keys tell them. */
export function conditionKeys(
  store: AwsStore,
  now: number,
  action: string,
  input: Readonly<Record<string, unknown>>,
  resource: string,
): Map<string, string | string[]> {
  const found = new Map<string, string | string[]>()
  const set = (name: string, value: unknown): void => {
    if (typeof value === 'string' || typeof value === 'boolean') found.set(name.toLowerCase(), String(value))
  }
  const operation = action.slice('kms:'.length)
  const key = store.keys.get(resource)
  set('kms:CallerAccount', store.accountId)
  keyProperties(set, operation === 'CreateKey' ? undefined : key, operation, input)
  if (key !== undefined) {
    const aliases = [...store.aliases.values()].filter(alias => aliasTarget(alias, now) === key.arn)
    if (aliases.length > 0) {
      found.set(
        'kms:resourcealiases',
        aliases.map(alias => alias.name),
      )
    }
  }
  const alias = typeof input['KeyId'] === 'string' ? aliasName(input['KeyId']) : undefined
  if (alias !== undefined) set('kms:RequestAlias', alias)
  if (operation === 'Sign' || operation === 'Verify') {
    set('kms:SigningAlgorithm', input['SigningAlgorithm'])
    set('kms:MessageType', input['MessageType'] ?? 'RAW')
  }
  for (const name of ['MacAlgorithm', 'WrappingAlgorithm', 'WrappingKeySpec', 'ExpirationModel']) {
    set(`kms:${name}`, input[name])
  }
  set('kms:DataKeyPairSpec', input['KeyPairSpec'])
  encryption(found, set, operation, input)
  return found
}

type Set_ = (name: string, value: unknown) => void

function keyProperties(
  set: Set_,
  key: KmsKey | undefined,
  operation: string,
  input: Readonly<Record<string, unknown>>,
): void {
  if (key !== undefined) {
    set('kms:KeySpec', key.spec)
    set('kms:KeyUsage', key.usage)
    set('kms:KeyOrigin', key.origin)
    set('kms:MultiRegion', key.multiRegion)
  } else if (operation === 'CreateKey') {
    set('kms:KeySpec', input['KeySpec'] ?? input['CustomerMasterKeySpec'] ?? 'SYMMETRIC_DEFAULT')
    set('kms:KeyUsage', input['KeyUsage'] ?? 'ENCRYPT_DECRYPT')
    set('kms:KeyOrigin', input['Origin'] ?? 'AWS_KMS')
    set('kms:MultiRegion', input['MultiRegion'] ?? false)
  }
}

const ENCRYPTING = ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo']

function encryption(
  found: Map<string, string | string[]>,
  set: Set_,
  operation: string,
  input: Readonly<Record<string, unknown>>,
): void {
  const side = operation === 'ReEncryptFrom' ? 'Source' : operation === 'ReEncryptTo' ? 'Destination' : ''
  if (!ENCRYPTING.includes(operation) && !operation.startsWith('GenerateDataKey')) return
  set('kms:EncryptionAlgorithm', input[`${side}EncryptionAlgorithm`] ?? 'SYMMETRIC_DEFAULT')
  const context = input[`${side}EncryptionContext`]
  if (typeof context !== 'object' || context === null || Array.isArray(context)) return
  const names = Object.keys(context)
  for (const name of names) set(`kms:EncryptionContext:${name}`, (context as Record<string, unknown>)[name])
  if (names.length > 0) found.set('kms:encryptioncontextkeys', names)
}

const aliasName = (id: string): string | undefined => {
  const name = id.startsWith('arn:') ? (id.split(':')[5] ?? '') : id
  return name.startsWith('alias/') ? name : undefined
}
