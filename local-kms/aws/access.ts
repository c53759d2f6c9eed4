import { AwsError } from './errors.ts'
import type { Credential } from './sigv4.ts'

/**
 * The small part of IAM that least-privilege tests need: a credential with an `allow` list may do what stands there and
 * nothing else. `kms:*`, `kms:Describe*` and the same form for resources are understood.
 */
export function authorize(credential: Credential, principalArn: string, operation: string, resource: string): void {
  if (credential.allow === undefined) return
  const action = `kms:${operation}`
  const allowed = credential.allow.some(
    statement =>
      statement.actions.some(pattern => fits(pattern, action)) &&
      (statement.resources === undefined || statement.resources.some(pattern => fits(pattern, resource))),
  )
  if (allowed) return
  throw new AwsError(
    'AccessDeniedException',
    `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource} because no ` +
      `identity-based policy allows the ${action} action`,
  )
}

function fits(pattern: string, value: string): boolean {
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value
}
