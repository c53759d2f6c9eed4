/**
 * Errors of the service as they stand on the wire: name, text, HTTP status. Client faults are 400 whatever the model's
 * traits say, because real traffic shows that; server faults are 500.
 */
export class AwsError extends Error {
  readonly code: string
  readonly status: number
  /** Undefined: the answer has no message member. */
  readonly text: string | undefined
  constructor(code: string, text?: string, status = 400) {
    super(text ?? code)
    this.code = code
    this.text = text
    this.status = status
  }
}

export const validation = (text: string): AwsError => new AwsError('ValidationException', text)
export const serialization = (text: string): AwsError => new AwsError('SerializationException', text)
export const notFound = (text: string): AwsError => new AwsError('NotFoundException', text)
export const invalidState = (text: string): AwsError => new AwsError('KMSInvalidStateException', text)
export const invalidUsage = (text: string): AwsError => new AwsError('InvalidKeyUsageException', text)
export const unsupported = (text: string): AwsError => new AwsError('UnsupportedOperationException', text)
export const invalidCiphertext = (): AwsError => new AwsError('InvalidCiphertextException')
export const incorrectKey = (): AwsError =>
  new AwsError(
    'IncorrectKeyException',
    'The key ID in the request does not identify a CMK that can perform this operation.',
  )
export const dryRunSucceeded = (): AwsError =>
  new AwsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.')
export const throttled = (): AwsError =>
  new AwsError(
    'ThrottlingException',
    'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
  )

const SERVER_FAULTS = new Set(['KMSInternalException', 'KeyUnavailableException', 'DependencyTimeoutException'])

/** Status a scripted error gets when the script names none. */
export function statusOf(code: string): number {
  return SERVER_FAULTS.has(code) || code === 'InternalFailure' ? 500 : code === 'ServiceUnavailable' ? 503 : 400
}
