import { after } from 'node:test'
import { CreateKeyCommand, type CreateKeyCommandInput, KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import { type LocalKms, type LocalKmsOptions, startLocalKms } from '../../local-kms/index.ts'

/** An emulator and the real, unmodified SDK pointed at it; both end with the test file. */
export async function start(
  options: LocalKmsOptions = {},
  config: KMSClientConfig = {},
): Promise<{ kms: LocalKms; client: KMSClient }> {
  const kms = await startLocalKms(options)
  const client = clientOf(kms, config)
  after(async () => {
    client.destroy()
    await kms.close()
  })
  return { kms, client }
}

export function clientOf(kms: LocalKms, config: KMSClientConfig = {}): KMSClient {
  return new KMSClient({
    endpoint: kms.aws,
    region: kms.region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
    ...config,
  })
}

export interface Failure {
  name: string
  message: string
  status: number | undefined
}

/** What the SDK makes of a refusal. Throws when nothing was refused. */
export async function failure(call: Promise<unknown>): Promise<Failure> {
  try {
    await call
  } catch (problem) {
    const error = problem as Error & { $metadata?: { httpStatusCode?: number } }
    return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode }
  }
  throw new Error('Nothing was refused')
}

export async function createKey(
  client: KMSClient,
  input: CreateKeyCommandInput = {},
): Promise<{ id: string; arn: string }> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand(input))
  return { id: KeyMetadata!.KeyId!, arn: KeyMetadata!.Arn! }
}

/** A call below the SDK, for requests it would never send. */
export async function raw(
  kms: LocalKms,
  operation: string,
  body: string | Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; text: string; json: Record<string, unknown> }> {
  const response = await fetch(kms.aws, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `TrentService.${operation}`,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  let json: Record<string, unknown> = {}
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch {
    // some answers are no JSON on purpose
  }
  return { status: response.status, headers: response.headers, text, json }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
export const toHex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('hex')
export const base64 = (value: Uint8Array): string => Buffer.from(value).toString('base64')
