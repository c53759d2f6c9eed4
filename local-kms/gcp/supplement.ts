/**
 * Messages and services that Cloud KMS serves although its own descriptors do not carry them: IAM policies, locations and
 * the details of errors. Same form as the descriptors; fields as `type name = number`, as in the published definitions
 * (google/iam/v1, google/cloud/location, google/rpc).
 */
import type { DescriptorNode } from './descriptors.ts'

type Fields = NonNullable<DescriptorNode['fields']>

/** `repeated` and `map` stand before the type: `repeated string members = 2`. */
function message(...lines: string[]): DescriptorNode {
  const fields: Fields = {}
  for (const line of lines) {
    const words = line.split(' ')
    const rule = words[0] === 'repeated' || words[0] === 'map' ? words.shift() : undefined
    const [type, name, , id] = words as [string, string, string, string]
    fields[name] = {
      type,
      id: Number(id),
      ...(rule === 'repeated' ? { rule } : {}),
      ...(rule === 'map' ? { keyType: 'string' } : {}),
    }
  }
  return { fields }
}

function method(requestType: string, responseType: string, ...bindings: Record<string, string>[]): DescriptorNode {
  const [first, ...more] = bindings
  const rule = more.length === 0 ? first : { ...first, additional_bindings: more }
  return { requestType, responseType, parsedOptions: [{ '(google.api.http)': rule }] }
}

const RESOURCES = [
  'projects/*/locations/*/keyRings/*',
  'projects/*/locations/*/keyRings/*/cryptoKeys/*',
  'projects/*/locations/*/keyRings/*/importJobs/*',
]
const onResources = (verb: 'get' | 'post', suffix: string): Record<string, string>[] =>
  RESOURCES.map(pattern => ({
    [verb]: `/v1/{resource=${pattern}}:${suffix}`,
    ...(verb === 'post' ? { body: '*' } : {}),
  }))

const iam: DescriptorNode = {
  nested: {
    IAMPolicy: {
      methods: {
        SetIamPolicy: method('SetIamPolicyRequest', 'Policy', ...onResources('post', 'setIamPolicy')),
        GetIamPolicy: method(
          'GetIamPolicyRequest',
          'Policy',
          ...onResources('get', 'getIamPolicy'),
          ...onResources('post', 'getIamPolicy'),
        ),
        TestIamPermissions: method(
          'TestIamPermissionsRequest',
          'TestIamPermissionsResponse',
          ...onResources('post', 'testIamPermissions'),
        ),
      },
    },
    SetIamPolicyRequest: message(
      'string resource = 1',
      'Policy policy = 2',
      'google.protobuf.FieldMask updateMask = 3',
    ),
    GetIamPolicyRequest: message('string resource = 1', 'GetPolicyOptions options = 2'),
    GetPolicyOptions: message('int32 requestedPolicyVersion = 1'),
    TestIamPermissionsRequest: message('string resource = 1', 'repeated string permissions = 2'),
    TestIamPermissionsResponse: message('repeated string permissions = 1'),
    Policy: message(
      'int32 version = 1',
      'repeated Binding bindings = 4',
      'repeated AuditConfig auditConfigs = 6',
      'bytes etag = 3',
    ),
    Binding: message('string role = 1', 'repeated string members = 2', 'google.type.Expr condition = 3'),
    AuditConfig: message('string service = 1', 'repeated AuditLogConfig auditLogConfigs = 3'),
    AuditLogConfig: {
      ...message('LogType logType = 1', 'repeated string exemptedMembers = 2'),
      nested: { LogType: { values: { LOG_TYPE_UNSPECIFIED: 0, ADMIN_READ: 1, DATA_WRITE: 2, DATA_READ: 3 } } },
    },
  },
}

const location: DescriptorNode = {
  nested: {
    Locations: {
      methods: {
        ListLocations: method('ListLocationsRequest', 'ListLocationsResponse', {
          get: '/v1/{name=projects/*}/locations',
        }),
        GetLocation: method('GetLocationRequest', 'Location', { get: '/v1/{name=projects/*/locations/*}' }),
      },
    },
    ListLocationsRequest: message('string name = 1', 'string filter = 2', 'int32 pageSize = 3', 'string pageToken = 4'),
    ListLocationsResponse: message('repeated Location locations = 1', 'string nextPageToken = 2'),
    GetLocationRequest: message('string name = 1'),
    Location: message(
      'string name = 1',
      'string locationId = 4',
      'string displayName = 5',
      'map string labels = 2',
      'google.protobuf.Any metadata = 3',
    ),
  },
}

const rpc: DescriptorNode = {
  nested: {
    Status: message('int32 code = 1', 'string message = 2', 'repeated google.protobuf.Any details = 3'),
    ErrorInfo: message('string reason = 1', 'string domain = 2', 'map string metadata = 3'),
    PreconditionFailure: {
      ...message('repeated Violation violations = 1'),
      nested: { Violation: message('string type = 1', 'string subject = 2', 'string description = 3') },
    },
    BadRequest: {
      ...message('repeated FieldViolation fieldViolations = 1'),
      nested: { FieldViolation: message('string field = 1', 'string description = 2') },
    },
    RetryInfo: message('google.protobuf.Duration retryDelay = 1'),
  },
}

/** By package. */
export const SUPPLEMENT: Readonly<Record<string, DescriptorNode>> = {
  'google.iam.v1': iam,
  'google.type': {
    nested: {
      Expr: message('string expression = 1', 'string title = 2', 'string description = 3', 'string location = 4'),
    },
  },
  'google.cloud.location': location,
  'google.rpc': rpc,
}
