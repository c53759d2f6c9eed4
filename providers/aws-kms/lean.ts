import { SignatureV4 } from '@smithy/signature-v4'
import { TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import { attempt, type SendHandle } from './attempt.ts'
import { type AwsKmsConfig, isLocal } from './config.ts'
import { openCredentials, type PlatformSources } from './credentials.ts'
import { type CallRecord, kmsRequest, type WireResponse } from './handler.ts'
import { decodeError, decodeOutput, encodeInput } from './json.ts'
import { kmsEndpoint } from './regions.ts'
import { Sha256 } from './sha256.ts'
import { type Asked, type AskedName, OPERATIONS, type Output, type Transport } from './transport.ts'

/** AWS takes requests up to 5 minutes off; from here on the time of its answers counts, as in AWS's client. */
const SKEW_MS = 4 * 60_000

/**
 * AWS KMS by AWS's own request signing and one fetch a call, without the middleware of its client. Credentials, the checks
 * on every answer and the table of errors are the same for both transports.
 * @throws `config/invalid`
 */
export function openLean(config: AwsKmsConfig, world: ProviderWorld, platform: PlatformSources | undefined): Transport {
  const local = isLocal(config)
  const url = kmsEndpoint(config)
  const credentials = openCredentials(config, world, local, platform)
  const signer = new SignatureV4({
    credentials: credentials.provider,
    region: config.region,
    service: 'kms',
    sha256: Sha256,
  })
  const provider = config.name ?? config.kind
  let closed = false
  let skewMs = 0

  const send = async <N extends AskedName>(name: N, input: Asked[N], handle: SendHandle): Promise<Output> => {
    if (closed) throw new TransportError('not-sent')
    const { record, abortSignal } = handle
    const body = encodeInput(name, input)
    try {
      const now = world.clock.now() + skewMs
      const signed = await signer.sign(requestTo(url, name, body), { signingDate: new Date(now) })
      const answer = await kept(record, () => kmsRequest(world.fetch, signed, record, abortSignal, config.endpoint))
      return outputOf(answer, record)
    } finally {
      if (typeof body !== 'string') body.fill(0)
      if (record.serverTimeMs !== undefined) {
        const off = record.serverTimeMs - world.clock.now()
        skewMs = Math.abs(off) >= SKEW_MS ? off : 0
      }
    }
  }

  return {
    local,
    endpoint: config.endpoint ?? url.href,
    ask: (name, input, { signal }) =>
      attempt({ provider, credentials }, OPERATIONS[name], signal, handle => send(name, input, handle)),
    close: () => {
      closed = true
    },
  }
}

const requestTo = (url: URL, name: AskedName, body: string | Uint8Array) => ({
  method: 'POST',
  protocol: url.protocol,
  hostname: url.hostname,
  ...(url.port === '' ? {} : { port: Number(url.port) }),
  path: '/',
  query: {},
  headers: {
    host: url.host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `TrentService.${name}`,
    'user-agent': 'countersign',
  },
  body,
})

/** What the wire threw outranks an abortion that came at the same time. */
async function kept<T>(record: CallRecord, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    record.failure = error
    throw error
  }
}

function outputOf({ response: { statusCode, headers, body } }: WireResponse, record: CallRecord): Output {
  if (record.answered || statusCode !== 200) throw decodeError(headers['x-amzn-errortype'], body)
  return decodeOutput(body)
}
