import type { Credential } from './sigv4.ts'
import type { AwsError } from './errors.ts'
import type { KmsKey } from './store.ts'

/** One event as AWS CloudTrail writes it for this service. What was signed or encrypted never stands in it. */
export interface AuditRecord {
  readonly eventVersion: '1.11'
  readonly userIdentity: Readonly<Record<string, unknown>>
  readonly eventTime: string
  readonly eventSource: 'kms.amazonaws.com' | 'sts.amazonaws.com'
  readonly eventName: string
  readonly awsRegion: string
  readonly sourceIPAddress: string
  readonly userAgent: string
  readonly errorCode?: string
  readonly errorMessage?: string
  readonly requestParameters: Readonly<Record<string, unknown>> | null
  readonly responseElements: Readonly<Record<string, unknown>> | null
  readonly requestID: string
  readonly eventID: string
  readonly readOnly: boolean
  readonly resources: readonly {
    readonly accountId: string
    readonly type: 'AWS::KMS::Key' | 'AWS::IAM::Role'
    readonly ARN: string
  }[]
  readonly eventType: 'AwsApiCall'
  readonly managementEvent: true
  readonly recipientAccountId: string
  readonly eventCategory: 'Management'
}

/** Members of requests that may be shown. A member not listed is not: a new one cannot leak by being forgotten. */
const SHOWN = new Set([
  'KeyId',
  'SourceKeyId',
  'DestinationKeyId',
  'TargetKeyId',
  'AliasName',
  'SigningAlgorithm',
  'MessageType',
  'EncryptionContext',
  'EncryptionAlgorithm',
  'SourceEncryptionContext',
  'DestinationEncryptionContext',
  'SourceEncryptionAlgorithm',
  'DestinationEncryptionAlgorithm',
  'KeySpec',
  'CustomerMasterKeySpec',
  'KeyUsage',
  'KeyPairSpec',
  'NumberOfBytes',
  'Origin',
  'MultiRegion',
  'Description',
  'Policy',
  'PolicyName',
  'Tags',
  'TagKeys',
  'WrappingAlgorithm',
  'WrappingKeySpec',
  'ExpirationModel',
  'ValidTo',
  'PendingWindowInDays',
  'Limit',
  'Marker',
  'MacAlgorithm',
  'RotationPeriodInDays',
  'BypassPolicyLockoutSafetyCheck',
  'DryRun',
  'KeyMaterialId',
  'ImportType',
])

const camel = (name: string): string => name[0]!.toLowerCase() + name.slice(1)

/** Context names and tags are the caller's own words: only member names change case. */
function parameters(input: unknown): Record<string, unknown> | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return null
  const shown = Object.entries(input).filter(([name, value]) => SHOWN.has(name) && value !== null)
  return shown.length === 0 ? null : Object.fromEntries(shown.map(([name, value]) => [camel(name), value]))
}

export interface AuditFacts {
  readonly operation: string
  readonly mutates: boolean
  readonly input: unknown
  readonly output: Readonly<Record<string, unknown>> | undefined
  readonly error: AwsError | undefined
  readonly credential: Credential | undefined
  readonly principalArn: string
  readonly touched: readonly KmsKey[]
  readonly now: number
  readonly requestId: string
  readonly eventId: string
  readonly region: string
  readonly accountId: string
  readonly sourceAddress: string
  readonly userAgent: string
}

export function auditRecord(facts: AuditFacts): AuditRecord {
  const { error, credential, accountId } = facts
  return {
    eventVersion: '1.11',
    userIdentity: {
      type: facts.principalArn.includes(':assumed-role/') ? 'AssumedRole' : 'IAMUser',
      principalId: credential?.accessKeyId ?? 'anonymous',
      arn: facts.principalArn,
      accountId,
      accessKeyId: credential?.accessKeyId ?? 'anonymous',
      userName: facts.principalArn.split('/').at(-1),
    },
    eventTime: new Date(facts.now).toISOString().replace(/\.\d+Z$/, 'Z'),
    eventSource: 'kms.amazonaws.com',
    eventName: facts.operation,
    awsRegion: facts.region,
    sourceIPAddress: facts.sourceAddress,
    userAgent: facts.userAgent,
    ...(error === undefined ? {} : { errorCode: error.code }),
    ...(error?.text === undefined ? {} : { errorMessage: error.text }),
    requestParameters: parameters(facts.input),
    responseElements: error === undefined && facts.mutates ? elements(facts) : null,
    requestID: facts.requestId,
    eventID: facts.eventId,
    readOnly: !facts.mutates,
    resources: facts.touched.map(key => ({ accountId: key.accountId, type: 'AWS::KMS::Key', ARN: key.arn })),
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: accountId,
    eventCategory: 'Management',
  }
}

const STS_SHOWN = ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'ExternalId', 'SourceIdentity']

/** The same for STS. Neither the web identity token nor anything of the credentials given out stands in it. */
export function stsAuditRecord(facts: AuditFacts): AuditRecord {
  const input = (facts.input ?? {}) as Record<string, unknown>
  const shown = STS_SHOWN.filter(name => input[name] !== undefined)
  const role = typeof input['RoleArn'] === 'string' ? input['RoleArn'] : undefined
  return {
    ...auditRecord(facts),
    eventSource: 'sts.amazonaws.com',
    requestParameters: shown.length === 0 ? null : Object.fromEntries(shown.map(name => [camel(name), input[name]])),
    resources:
      role === undefined ? [] : [{ accountId: role.split(':')[4] ?? '', type: 'AWS::IAM::Role' as const, ARN: role }],
  }
}

/** Operations that change a key tell which; nothing byte-valued is ever shown. */
function elements(facts: AuditFacts): Record<string, unknown> | null {
  const created = facts.output?.['KeyMetadata']
  if (created !== undefined) return { keyMetadata: parameterCase(created) }
  const arn = facts.touched[0]?.arn
  if (arn === undefined) return null
  const { DeletionDate, KeyState, PendingWindowInDays } = facts.output ?? {}
  const deletion =
    DeletionDate === undefined
      ? {}
      : { deletionDate: DeletionDate, keyState: KeyState, pendingWindowInDays: PendingWindowInDays }
  return { keyId: arn, ...deletion }
}

function parameterCase(value: unknown): Record<string, unknown> {
  const entries = Object.entries(value as Record<string, unknown>).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(
    entries.map(([name, entry]) => [name === 'AWSAccountId' ? 'aWSAccountId' : camel(name), entry]),
  )
}
