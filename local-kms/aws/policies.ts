import { findManagedKey, operation } from './context.ts'
import { AwsError, notFound, unsupported } from './errors.ts'
import * as member from './members.ts'
import { boolean, optional, required, string, struct } from './shapes.ts'

const policyName = optional(string({ min: 1, max: 128, pattern: /^[\w]+$/ }))

/** The policy a key gets when its maker names none: the account's own IAM decides. */
export function defaultPolicy(accountId: string): string {
  const statement = {
    Sid: 'Enable IAM User Permissions',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${accountId}:root` },
    Action: 'kms:*',
    Resource: '*',
  }
  return JSON.stringify({ Version: '2012-10-17', Id: 'key-default-1', Statement: [statement] }, undefined, 2)
}

/** Only the form is looked at: policies are kept and given back, never enforced (README). */
export function checkPolicy(text: string): void {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new AwsError('MalformedPolicyDocumentException', 'The policy is not valid JSON.')
  }
  if (typeof parsed !== 'object' || parsed === null || !('Statement' in parsed)) {
    throw new AwsError('MalformedPolicyDocumentException', 'The policy has no Statement.')
  }
}

export const GetKeyPolicy = operation(
  struct({ KeyId: required(member.keyId), PolicyName: policyName }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    if ((input.PolicyName ?? 'default') !== 'default') throw notFound('No such policy exists')
    return { Policy: key.policy, PolicyName: 'default' }
  },
)

export const PutKeyPolicy = operation(
  struct({
    KeyId: required(member.keyId),
    PolicyName: policyName,
    Policy: required(member.policyText),
    BypassPolicyLockoutSafetyCheck: optional(boolean),
  }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    if ((input.PolicyName ?? 'default') !== 'default') throw unsupported('Only the default policy is supported.')
    checkPolicy(input.Policy)
    key.policy = input.Policy
    return undefined
  },
  { mutates: true },
)

export const ListKeyPolicies = operation(
  struct({ KeyId: required(member.keyId), Limit: member.limit, Marker: member.marker }),
  (input, context) => {
    findManagedKey(context, input.KeyId)
    return { PolicyNames: ['default'], Truncated: false }
  },
)
