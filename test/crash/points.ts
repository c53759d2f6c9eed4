/** Places on the path of a signature, in the order in which a request passes them. */
export const POINTS = [
  'reserved',
  'intent before write',
  'intent half written',
  'intent written',
  'intent synced',
  'intent acknowledged',
  'key service asked',
  'key service answered',
  'verified',
  'outcome before write',
  'outcome half written',
  'outcome written',
  'outcome synced',
  'outcome acknowledged',
  'answer being kept',
  'answer kept',
  'state read again',
  'head being kept',
  'head kept',
  'response made',
] as const
/** And those that only a request passes whose answer was a lie. */
export const LIE_POINTS = ['quarantine on record', 'quarantined'] as const
export type Point = (typeof POINTS)[number] | (typeof LIE_POINTS)[number]

/** What the child is to do to itself. Without it, it serves until somebody ends it. */
export interface Plan {
  /** Dies by its own SIGKILL when it comes here for the n-th time. */
  readonly die?: { readonly point: Point; readonly nth: number }
  /** The n-th signature that the key service makes itself is not what it should be, and every one after it. */
  readonly lie?: { readonly nth: number }
  /** The n-th operation of this kind on a segment of the log, and every one after it, fails with this error number. */
  readonly disk?: { readonly kind: 'write' | 'datasync'; readonly code: string; readonly nth: number }
}

export interface Ready {
  readonly ready: true
  readonly url: string
  readonly token: string
  /** From opening the store to the first request that could be served. */
  readonly recoveryMs: number
  readonly interrupted: number
  readonly truncatedBytes: number
}
