import type { ErrorCode } from '../domain/errors.ts'

/** Nothing goes on after one of these, for no other row can do better. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['audit/sealed', 'store/unavailable', 'service/stopping', 'internal'])
/** The key service says no, or nothing. So many in a row, and the others will not hear better. */
const FROM_SERVICE: ReadonlySet<ErrorCode> = new Set(['provider/unavailable', 'provider/refused', 'provider/ambiguous'])
const SERVICE_FAILURES_MAX = 8

/** Of a run over many rows, each of which may fail by itself: whether the ones after it can do better. */
export function countFailures() {
  let inARow = 0
  return {
    succeeded: (): void => void (inARow = 0),
    /**
     * @param where the row, in words
     * @returns why the run ends here; undefined when it goes on
     */
    failed(code: ErrorCode, where?: string): string | undefined {
      inARow = FROM_SERVICE.has(code) ? inARow + 1 : 0
      if (FATAL.has(code)) return where === undefined ? code : `${code} in ${where}`
      return inARow >= SERVICE_FAILURES_MAX ? `${inARow} rows one after the other ended with ${code}` : undefined
    },
  }
}
