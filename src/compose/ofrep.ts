import {
  ErrorCode,
  type EvaluationContext,
  type Provider,
  type ResolutionDetails,
  StandardResolutionReasons,
} from '@openfeature/server-sdk'
import type { Fetch } from '../domain/ports.ts'

const BYTES_MAX = 65_536
const DEADLINE_MS = 1_000

/**
 * A provider for flag services that speak the OpenFeature Remote Evaluation Protocol, one POST a flag.
 * @param url  base address; `/ofrep/v1/evaluate/flags/<name>` is put behind it
 * @see https://openfeature.dev/docs/reference/other-technologies/ofrep/openapi
 */
export function ofrepProvider({ url, fetch }: { readonly url: string; readonly fetch: Fetch }): Provider {
  const base = url.endsWith('/') ? url.slice(0, -1) : url

  const evaluate = async <T>(flag: string, fallback: T, context: EvaluationContext): Promise<ResolutionDetails<T>> => {
    const response = await fetch(`${base}/ofrep/v1/evaluate/flags/${encodeURIComponent(flag)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ context }),
      redirect: 'error',
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const text = await response.text()
    if (text.length > BYTES_MAX) return failed(fallback, ErrorCode.PARSE_ERROR, 'the answer is too long')
    if (response.status === 404) return failed(fallback, ErrorCode.FLAG_NOT_FOUND, 'the service does not know the flag')
    if (!response.ok) return failed(fallback, ErrorCode.GENERAL, `the service answered ${response.status}`)
    try {
      const { value } = JSON.parse(text) as { value?: T }
      if (value === undefined) return failed(fallback, ErrorCode.PARSE_ERROR, 'the answer holds no value')
      return { value, reason: StandardResolutionReasons.TARGETING_MATCH }
    } catch {
      return failed(fallback, ErrorCode.PARSE_ERROR, 'the answer is not JSON')
    }
  }
  return {
    metadata: { name: 'ofrep' },
    runsOn: 'server',
    resolveBooleanEvaluation: evaluate<boolean>,
    resolveStringEvaluation: evaluate<string>,
    resolveNumberEvaluation: evaluate<number>,
    resolveObjectEvaluation: evaluate,
  }
}

const failed = <T>(value: T, errorCode: ErrorCode, errorMessage: string): ResolutionDetails<T> => ({
  value,
  errorCode,
  errorMessage,
  reason: StandardResolutionReasons.ERROR,
})
