import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'

export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
export type Day = (typeof DAYS)[number]

/** Part of a day on the wall clock of a zone. */
export interface HoursWindow {
  /** IANA name, such as `Europe/Berlin` or `UTC`. */
  readonly zone: string
  /** Days on which the window opens; one that runs over midnight belongs to the day it opens on. */
  readonly days: readonly Day[]
  /** `HH:MM`, inclusive. */
  readonly from: string
  /** `HH:MM`, exclusive, up to `24:00`. Before `from`: on the next day. */
  readonly to: string
}

export interface HoursRule {
  /** Open when any of them is. */
  readonly windows: readonly HoursWindow[]
  /** `YYYY-MM-DD` in the zone of each window: nothing is open on that date, and no window opens on it. */
  readonly except?: readonly string[]
}

/** A rule that has been read. */
export interface Hours {
  readonly windows: readonly { readonly zone: string; readonly days: readonly boolean[]; from: number; to: number }[]
  /** Days since 1970-01-01. */
  readonly except: ReadonlySet<number>
}

const WINDOWS_MAX = 32
const EXCEPT_MAX = 1000
const ZONE = /^(UTC|[A-Za-z]{1,16}(\/[A-Za-z0-9_+-]{1,32}){1,2})$/
const TIME = /^([01][0-9]|2[0-3]):([0-5][0-9])$/
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/

/**
 * Whether the rule is open at this instant. The instant is turned into wall time, never the other way round, so there is
 * nothing to guess where clocks change: a time of day that comes twice is open twice, one that is skipped never comes.
 * @param at  milliseconds since the epoch
 */
export function isOpenAt(hours: Hours, at: number): boolean {
  return hours.windows.some(({ zone, days, from, to }) => {
    const { day, minute } = wallTime(zone, at)
    if (hours.except.has(day)) return false
    const opensOn = (date: number): boolean => days[weekday(date)] === true && !hours.except.has(date)
    if (from < to) return opensOn(day) && minute >= from && minute < to
    return (opensOn(day) && minute >= from) || (opensOn(day - 1) && minute < to)
  })
}

/** T63: how far the wall clock may fall behind the monotonic one; a leap second that is taken back stays inside. */
const BACK_MAX_MS = 1000

export interface HoursParts {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  /** Milliseconds since the epoch of the newest audit record; undefined when there is none. */
  readonly lastRecordAt: () => number | undefined
}

export interface OfficeClock {
  /** Why no time rule may pass now; undefined when the wall clock can be believed. */
  fault(): string | undefined
  /** Whole milliseconds since the epoch, never less than was seen here or in the log: what began stays begun, whatever the clock says. */
  time(): number
  isOpen(hours: Hours): boolean
  /** @throws `access/denied` outside the hours, or when the wall clock cannot be believed */
  assertOpen(hours: Hours, action: string): void
}

/**
 * Judges hours by a wall clock that is watched. Time rules deny while it precedes the newest audit record, and while it is
 * more than a second behind where the monotonic clock has seen it: until it is put right, or has caught up. After a clock
 * that was ahead was put back for good, a restart makes the audit log alone the measure.
 */
export function createHours({ clock, lastRecordAt }: HoursParts): OfficeClock {
  let lead = clock.now() - clock.monotonic()
  /** Looks once, so that what is checked is what is judged. */
  const look = (): { readonly now: number; readonly fault: string | undefined } => {
    const now = clock.now()
    const ahead = now - clock.monotonic()
    if (!Number.isFinite(ahead)) return { now, fault: 'the clock does not tell the time' }
    if (!(ahead <= lead)) lead = ahead
    if (lead - ahead > BACK_MAX_MS)
      return { now, fault: 'the clock was set back; time rules deny until it has caught up' }
    const last = lastRecordAt()
    return { now, fault: last !== undefined && !(now >= last) ? 'the clock is behind the audit log' : undefined }
  }
  return {
    fault: () => look().fault,
    time() {
      const { now } = look()
      return Math.floor(Math.max(now, lead + clock.monotonic(), lastRecordAt() ?? now))
    },
    isOpen(hours) {
      const { now, fault } = look()
      return fault === undefined && isOpenAt(hours, now)
    },
    assertOpen(hours, action) {
      const { now, fault } = look()
      if (fault !== undefined) throw new SignerError('access/denied', { action, reason: fault })
      if (!isOpenAt(hours, now)) throw new SignerError('access/denied', { action, reason: 'not at this time' })
    },
  }
}

/** Reads a rule, with every problem at once; use it only when there is none. Unknown members are problems. */
export function readHours(
  value: unknown,
  path: string,
): { readonly hours: Hours; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const complain: Complain = (at, problem, fix) => void problems.push({ path: at, problem, fix })
  const { windows, except = [] } = members(value, ['windows', 'except'], path, complain)
  const read: Hours['windows'][number][] = []
  if (!Array.isArray(windows) || windows.length === 0 || windows.length > WINDOWS_MAX)
    complain(`${path}.windows`, `is not a list of 1 to ${WINDOWS_MAX} windows`, 'name zone, days, from and to of each')
  else windows.forEach((window: unknown, at) => read.push(readWindow(window, `${path}.windows.${at}`, complain)))
  const dates = new Set<number>()
  if (!Array.isArray(except) || except.length > EXCEPT_MAX)
    complain(`${path}.except`, `is not a list of at most ${EXCEPT_MAX} dates`, 'write dates as "2026-12-25"')
  else
    except.forEach((date: unknown, at) => {
      const day = typeof date === 'string' ? dayOf(date) : undefined
      if (day === undefined) complain(`${path}.except.${at}`, 'is not a date', 'write "2026-12-25"')
      else dates.add(day)
    })
  return { hours: { windows: read, except: dates }, problems }
}

type Complain = (path: string, problem: string, fix: string) => void

function readWindow(value: unknown, path: string, complain: Complain): Hours['windows'][number] {
  const { zone, days, from, to } = members(value, ['zone', 'days', 'from', 'to'], path, complain)
  if (typeof zone !== 'string' || !isZone(zone))
    complain(`${path}.zone`, 'is not a time zone', 'use an IANA name such as "Europe/Berlin", or "UTC"')
  const known = Array.isArray(days) && days.length > 0 && days.every(day => DAYS.includes(day as Day))
  if (!known || new Set(days).size !== days.length)
    complain(`${path}.days`, 'is not a list of days', `use ${DAYS.join(', ')}, each once`)
  const [start, end] = [minuteOf(from), to === '24:00' ? 1440 : minuteOf(to)]
  if (start === undefined) complain(`${path}.from`, 'is not a time of day', 'write "09:00"')
  if (end === undefined) complain(`${path}.to`, 'is not a time of day', 'write "17:30"; the end of the day is "24:00"')
  if (start !== undefined && start === end)
    complain(path, 'ends when it begins', 'for the whole day write "00:00" to "24:00"')
  const open = DAYS.map(day => known && days.includes(day))
  return Object.freeze({ zone: String(zone), days: Object.freeze(open), from: start ?? 0, to: end ?? 0 })
}

function members(value: unknown, names: readonly string[], path: string, complain: Complain): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    complain(path, 'is not an object', `use ${names.join(', ')}`)
    return {}
  }
  for (const name of Object.keys(value))
    if (!names.includes(name)) complain(`${path}.${name}`, 'is unknown', `use ${names.join(', ')}`)
  return value as Record<string, unknown>
}

function minuteOf(text: unknown): number | undefined {
  const match = typeof text === 'string' ? TIME.exec(text) : null
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2])
}

const DAY_MS = 86_400_000
/** Days since 1970-01-01, a Thursday. */
function dayOf(text: string): number | undefined {
  if (!DATE.test(text)) return undefined
  const at = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? undefined : at / DAY_MS
}
const weekday = (day: number): number => (((day + 4) % 7) + 7) % 7

/** Formatters are slow to make and quick to use. Zones come from tokens too, so there is an end to how many are kept. */
const FORMATTERS_MAX = 256
const formatters = new Map<string, Intl.DateTimeFormat>()

/** @throws RangeError for a zone that the runtime does not know */
function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known !== undefined) return known
  if (formatters.size >= FORMATTERS_MAX) formatters.clear()
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const
  const made = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', { ...numeric, timeZone: zone, hourCycle: 'h23' })
  formatters.set(zone, made)
  return made
}

/** Names with a slash, and UTC: abbreviations such as EST mean other things elsewhere, offsets know no summer. */
function isZone(zone: string): boolean {
  if (!ZONE.test(zone)) return false
  try {
    formatterOf(zone)
    return true
  } catch {
    return false
  }
}

function wallTime(zone: string, at: number): { readonly day: number; readonly minute: number } {
  const part: Record<string, number> = {}
  for (const { type, value } of formatterOf(zone).formatToParts(at)) part[type] = Number(value)
  const { year = Number.NaN, month = Number.NaN, day = Number.NaN, hour = Number.NaN, minute = Number.NaN } = part
  return { day: Date.UTC(year, month - 1, day) / DAY_MS, minute: hour * 60 + minute }
}
