import type { Fault } from '../core/faults.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { AwsError } from './errors.ts'
import { faultReply } from './wire.ts'

/** AWS Query protocol: a form in, XML out. @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html */
const VERSION = '2011-06-15'
const NAMESPACE = `https://sts.amazonaws.com/doc/${VERSION}/`

/** True for requests of the Query protocol; KMS itself speaks JSON alone. */
export function isQueryRequest(request: Incoming): boolean {
  const [path, query = ''] = request.target.split('?')
  if (path !== '/' || request.headers['x-amz-target'] !== undefined) return false
  if (request.method === 'GET') return new URLSearchParams(query).has('Action')
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  return request.method === 'POST' && type === 'application/x-www-form-urlencoded'
}

export function readForm(request: Incoming): URLSearchParams {
  const text = request.method === 'GET' ? request.target.split('?')[1] : new TextDecoder().decode(request.body)
  return new URLSearchParams(text)
}

/** @throws InvalidAction, NoSuchVersion */
export function checkVersion(form: URLSearchParams): void {
  const version = form.get('Version') ?? ''
  if (version === VERSION) return
  throw new AwsError('InvalidAction', `Could not find operation ${form.get('Action') ?? ''} for version ${version}`)
}

/** Names of authentication errors here, by the name KMS has for them. */
const NAMES: Readonly<Record<string, string>> = {
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  IncompleteSignatureException: 'IncompleteSignature',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  UnrecognizedClientException: 'InvalidClientTokenId',
  AccessDeniedException: 'AccessDenied',
  ValidationException: 'ValidationError',
  KMSInternalException: 'InternalFailure',
}
const FORBIDDEN = [
  'AccessDenied',
  'ExpiredToken',
  'InvalidClientTokenId',
  'MissingAuthenticationToken',
  'RegionDisabledException',
  'SignatureDoesNotMatch',
]

export function statusOfSts(code: string): number {
  return FORBIDDEN.includes(code) ? 403 : code === 'InternalFailure' ? 500 : code === 'ServiceUnavailable' ? 503 : 400
}

/** The same error as this service names it. @param signed false: ExpiredTokenException speaks of a web identity token. */
export function toStsError(error: AwsError, signed: boolean): AwsError {
  const code = signed && error.code === 'ExpiredTokenException' ? 'ExpiredToken' : (NAMES[error.code] ?? error.code)
  return new AwsError(code, error.text, statusOfSts(code))
}

type Xml = { readonly [name: string]: string | number | Xml | undefined }

function write(members: Xml): string {
  return Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${typeof value === 'object' ? write(value) : escape(String(value))}</${name}>`)
    .join('')
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escape = (text: string): string => text.replace(/[&<>"]/g, character => ENTITIES[character]!)

function reply(status: number, text: string, requestId: string, now: number): Reply {
  return {
    status,
    headers: {
      'x-amzn-RequestId': requestId,
      Date: new Date(now).toUTCString(),
      'Content-Type': 'text/xml',
      'x-local-kms': 'emulator; not a secure store',
    },
    body: new TextEncoder().encode(text),
  }
}

export function stsSuccess(action: string, result: Xml, requestId: string, now: number): Reply {
  const inside = write({ [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } })
  return reply(200, `<${action}Response xmlns="${NAMESPACE}">${inside}</${action}Response>`, requestId, now)
}

export function stsFailure(error: AwsError, requestId: string, now: number): Reply {
  const Type = error.status >= 500 ? 'Receiver' : 'Sender'
  const inside = write({ Error: { Type, Code: error.code, Message: error.text ?? '' }, RequestId: requestId })
  return reply(error.status, `<ErrorResponse xmlns="${NAMESPACE}">${inside}</ErrorResponse>`, requestId, now)
}

/** What a fault puts in place of an answer. Undefined: this kind does not replace one. */
export function stsFaultReply(fault: Fault, requestId: string, now: number): Reply | undefined {
  if (fault.kind !== 'error') return faultReply(fault, requestId, now)
  const status = fault.status ?? statusOfSts(fault.name)
  return stsFailure(new AwsError(fault.name, fault.message, status), requestId, now)
}
