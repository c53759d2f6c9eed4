import type { FaceName } from './face-name.ts'
import type { Random } from './random.ts'
import { uniform } from './random.ts'

/**
 * What goes wrong. `when: 'before'` means nothing took effect; `'after'` means the operation was carried out and the
 * caller does not get to know.
 */
export type Fault =
  | {
      readonly kind: 'error'
      readonly name: string
      readonly message?: string
      readonly status?: number
      readonly when?: When
    }
  | { readonly kind: 'status'; readonly status: number; readonly body?: string; readonly when?: When }
  /** RST before the first byte of an answer (default), in the middle of its head, or in the middle of its body. */
  | { readonly kind: 'reset'; readonly at?: 'start' | 'head' | 'body'; readonly when?: When }
  | { readonly kind: 'hang'; readonly when?: When }
  | { readonly kind: 'delay'; readonly ms: number; readonly when?: When }
  /** The head promises the whole body; only `bytes` of it (default: half) come, then the connection ends. */
  | { readonly kind: 'truncate'; readonly bytes?: number }
  /** A complete HTTP answer whose text ends after `bytes` (default: half). */
  | { readonly kind: 'truncated-json'; readonly bytes?: number }
  /** One byte every `msPerByte`; with `head`, the status line and the headers as well. */
  | { readonly kind: 'slow-body'; readonly msPerByte: number; readonly head?: boolean }
  /** Inverts one bit of a byte-valued member of the answer (default `Signature`, bit 0 of its middle byte). */
  | {
      readonly kind: 'flip-bit'
      readonly member?: string
      readonly bit?: number
      /** Google only: the checksum beside the member stays as it was (default), or is made to fit the damage. */
      readonly crc?: 'keep' | 'recompute'
    }
  /** A valid signature, made by a key nobody asked for. */
  | { readonly kind: 'other-key-signature' }
  /** Members of the answer, set to what is given here. */
  | { readonly kind: 'replace'; readonly members: Readonly<Record<string, unknown>> }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** The answer's object grows by a member of so many bytes, sent chunk by chunk: 100 MB cost no memory. */
  | { readonly kind: 'oversized-body'; readonly bytes: number }
  /** Every member comes twice: first the true value, then `second` (default: the value of another answer, or null). */
  | { readonly kind: 'duplicate-json-keys'; readonly second?: Readonly<Record<string, unknown>> }
  | { readonly kind: 'content-type'; readonly value: string }
  /** Moves the `Date` header. */
  | { readonly kind: 'date-skew'; readonly ms: number }

export type When = 'before' | 'after'

export interface FaultRule {
  /** Absent: any face. Each face counts for itself. */
  readonly face?: FaceName
  /** Operation name; absent or `*`: any. */
  readonly operation?: string
  /** Key id; absent: any. */
  readonly key?: string
  /** Counted over the calls this rule fits, from 1: the first call that fails. Default 1. */
  readonly nth?: number
  /** How many calls fail from then on. Default 1; `Infinity` (or 0 in JSON) for all. */
  readonly times?: number
  /** Chance of each of these calls to fail, drawn from the seeded stream. Default 1. */
  readonly probability?: number
  readonly fault: Fault
}

export const FAULT_KINDS: readonly Fault['kind'][] = [
  'error',
  'status',
  'reset',
  'hang',
  'delay',
  'truncate',
  'truncated-json',
  'slow-body',
  'flip-bit',
  'other-key-signature',
  'replace',
  'redirect',
  'oversized-body',
  'duplicate-json-keys',
  'content-type',
  'date-skew',
]

export interface Faults {
  add(...rules: FaultRule[]): void
  clear(): void
  list(): readonly FaultRule[]
  /** The faults that hit this call. Every rule that fits counts the call, hit or not. */
  match(operation: string, keys: readonly string[]): readonly Fault[]
  reset(): void
}

export function createFaults(initial: readonly FaultRule[], random: () => Random): Faults {
  let stream = random()
  let entries = initial.map(counted)

  return {
    add: (...rules) => void entries.push(...rules.map(counted)),
    clear: () => void (entries = []),
    list: () => entries.map(e => e.rule),
    reset() {
      stream = random()
      entries = initial.map(counted)
    },
    match(operation, keys) {
      const hits: Fault[] = []
      for (const entry of entries) {
        const { rule } = entry
        if (rule.operation !== undefined && rule.operation !== '*' && rule.operation !== operation) continue
        if (rule.key !== undefined && !keys.includes(rule.key)) continue
        entry.seen += 1
        const first = rule.nth ?? 1
        const last = first + (rule.times === 0 ? Number.POSITIVE_INFINITY : (rule.times ?? 1)) - 1
        if (entry.seen < first || entry.seen > last) continue
        if (rule.probability !== undefined && uniform(stream) >= rule.probability) continue
        hits.push(rule.fault)
      }
      return hits
    },
  }
}

function counted(rule: FaultRule): { rule: FaultRule; seen: number } {
  checkRule(rule)
  return { rule, seen: 0 }
}

/** @throws RangeError for a rule that could never do what it says. */
function checkRule(rule: FaultRule): void {
  const kind: unknown = rule?.fault?.kind
  if (!FAULT_KINDS.includes(kind as Fault['kind'])) {
    throw new RangeError(`Cannot use fault kind '${String(kind)}': use one of ${FAULT_KINDS.join(', ')}`)
  }
}

/** The rules of one instance, with counters and chances of its own for each face. */
export interface FaultBook {
  of(face: FaceName): Faults
  add(...rules: FaultRule[]): void
  clear(): void
  /** In the order they were added. */
  list(): readonly FaultRule[]
  /** Back to the initial rules; with a face: only its counters and chances, over the rules as they are. */
  reset(face?: FaceName): void
}

/** One face's calls never shift what another face meets. @throws RangeError for a rule of a face that is not there. */
export function createFaultBook(
  initial: readonly FaultRule[],
  faces: readonly FaceName[],
  random: (face: FaceName) => Random,
): FaultBook {
  const fitting = (rules: readonly FaultRule[], face: FaceName) =>
    rules.filter(rule => rule.face === undefined || rule.face === face)
  const check = (rules: readonly FaultRule[]): readonly FaultRule[] => {
    for (const rule of rules) {
      checkRule(rule)
      if (rule.face !== undefined && !faces.includes(rule.face)) {
        throw new RangeError(`Cannot use a fault of face '${rule.face}': there are ${faces.join(', ')}`)
      }
    }
    return rules
  }
  const rules: FaultRule[] = [...check(initial)]
  const books = new Map(faces.map(face => [face, createFaults(fitting(rules, face), () => random(face))]))
  const each = (act: (faults: Faults, face: FaceName) => void): void => books.forEach(act)
  const clear = (): void => {
    rules.length = 0
    each(faults => faults.clear())
  }
  const add = (...added: FaultRule[]): void => {
    rules.push(...check(added))
    each((faults, face) => faults.add(...fitting(added, face)))
  }
  return {
    of: face => books.get(face)!,
    add,
    clear,
    list: () => [...rules],
    reset(only) {
      const kept = only === undefined ? initial : [...rules]
      each((faults, face) => {
        if (only !== undefined && face !== only) return
        faults.reset()
        faults.clear()
        faults.add(...fitting(kept, face))
      })
      if (only === undefined) rules.splice(0, rules.length, ...initial)
    },
  }
}
