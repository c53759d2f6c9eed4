import { isSignerError } from '../../src/domain/errors.ts'
import { TransportError } from '../one-fetch.ts'
import { CredentialError } from './credential-error.ts'

/** AWS repeats the signed headers to whom it refuses a signature, and the token of a session is one of them. */
const SESSION_TOKEN = /(x-amz-security-token: ?)[^\s'"]+/gi

/** What AWS or the runtime said: name and text. It may name accounts and keys, and shows no token. */
export function vendorErrorOf(error: unknown): { vendorError?: string } {
  const vendor = vendorOf(error)
  if (vendor === undefined) return {}
  const { name } = vendor
  const message = vendor.message.replaceAll(SESSION_TOKEN, '$1[secret]')
  return { vendorError: message === '' || message === 'UnknownError' ? name : `${name}: ${message}` }
}

export function vendorOf(error: unknown): { name: string; message: string } | undefined {
  let at = error
  while (isSignerError(at) || at instanceof CredentialError) at = at.cause
  if (typeof at !== 'object' || at === null) return undefined
  const { name, message } = at as { name?: unknown; message?: unknown }
  if (at instanceof TransportError) return { name: at.kind, message: (at.cause as Error | undefined)?.message ?? '' }
  return { name: String(name), message: String(message) }
}

export const DENIED = ['AccessDeniedException', 'AccessDenied', 'NotAuthorized']
export const isDenied = (error: unknown): boolean => DENIED.includes(vendorOf(error)?.name ?? '')

/** Which policy stands in the way, by the words the service ends its refusal with. */
export function denialMeaning(permission: string, error: unknown): string {
  const { message = '' } = vendorOf(error) ?? {}
  const kind =
    /(identity-based|resource-based|session|service control|resource control|VPC endpoint) policy|permissions boundary/.exec(
      message,
    )?.[0]
  if (message.includes('explicit deny')) {
    return `${kind === undefined ? 'a policy' : article(kind)} denies ${permission} in so many words, which no other policy can make good`
  }
  return `our identity may not ${permission} here: no ${kind ?? 'policy'} allows it`
}

const article = (kind: string): string => `${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${kind}`

type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>

/** The statement that is missing, and the command that adds it for the identity we are; as `deploy/iam/aws` has it. */
export function grantFix(
  permission: string,
  resource: string,
  conditions: Conditions | undefined,
  arn?: string,
): string {
  const statement = {
    Effect: 'Allow',
    Action: permission,
    Resource: resource,
    ...(conditions === undefined ? {} : { Condition: conditions }),
  }
  const holder = holderOf(arn)
  if (holder === undefined) return `add to the identity's policy: ${JSON.stringify(statement)}`
  const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  const name = `countersign-${permission.split(':')[1]?.toLowerCase() ?? ''}`
  return `aws iam put-${holder.kind}-policy --${holder.kind}-name ${holder.name} --policy-name ${name} --policy-document '${document}'`
}

/** Sessions come from roles; policies belong to those. */
function holderOf(arn = ''): { kind: 'role' | 'user'; name: string } | undefined {
  const [, , , , , resource = ''] = arn.split(':')
  const [kind, ...path] = resource.split('/')
  if (kind === 'assumed-role' && path[0] !== undefined) return { kind: 'role', name: path[0] }
  if (kind === 'user' || kind === 'role') return { kind, name: path.at(-1) ?? '' }
  return undefined
}
