/** Offsets of a dozen and a half zones, written down by hand from the laws they follow; no library is asked. */
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Midnight UTC of the n-th Sunday of a month (1 January), from the end when n is negative. */
function sunday(year: number, month: number, n: number): number {
  const first = Date.UTC(year, month - 1, 1)
  const days = (Date.UTC(year, month, 1) - first) / DAY
  const all = Array.from({ length: days }, (_, at) => first + at * DAY).filter(day => new Date(day).getUTCDay() === 0)
  return all.at(n > 0 ? n - 1 : n) as number
}

export interface Zone {
  readonly name: string
  /** Minutes east of Greenwich at this instant. */
  offset(at: number): number
  /** Instants at which the offset changes in this year. */
  changes(year: number): readonly number[]
}

const fixed = (name: string, minutes: number): Zone => ({ name, offset: () => minutes, changes: () => [] })

/** Summer time between two instants of the year; `summer` later than `winter` is the south. */
function seasonal(
  name: string,
  standard: number,
  shift: number,
  summer: (year: number) => number,
  winter: (year: number) => number,
): Zone {
  const isSummer = (at: number): boolean => {
    const year = new Date(at + standard * MINUTE).getUTCFullYear()
    const [begin, end] = [summer(year), winter(year)]
    return begin < end ? at >= begin && at < end : at >= begin || at < end
  }
  return {
    name,
    offset: at => standard + (isSummer(at) ? shift : 0),
    changes: year => [summer(year), winter(year)],
  }
}

/** Directive 2000/84/EC: at 01:00 UTC, last Sundays of March and October. */
const european = (name: string, standard: number, shift = 60): Zone =>
  seasonal(
    name,
    standard,
    shift,
    year => sunday(year, 3, -1) + HOUR,
    year => sunday(year, 10, -1) + HOUR,
  )
/** Energy Policy Act of 2005: at 02:00 on the clock, second Sunday of March, first of November. */
const american = (name: string, standard: number): Zone =>
  seasonal(
    name,
    standard,
    60,
    year => sunday(year, 3, 2) + (120 - standard) * MINUTE,
    year => sunday(year, 11, 1) + (120 - standard - 60) * MINUTE,
  )
/** At a time of standard time, from a Sunday of September or October to the first of April. */
const southern = (
  name: string,
  standard: number,
  shift: number,
  month: number,
  n: number,
  clock: number,
  end = clock,
) =>
  seasonal(
    name,
    standard,
    shift,
    year => sunday(year, month, n) + (clock - standard) * MINUTE,
    year => sunday(year, 4, 1) + (end - standard) * MINUTE,
  )

/** One change, once. */
const once = (name: string, before: number, after: number, change: number): Zone => ({
  name,
  offset: at => (at < change ? before : after),
  changes: () => [change],
})

export const FIXED: readonly Zone[] = [
  fixed('UTC', 0),
  fixed('Asia/Tokyo', 540),
  fixed('Asia/Kolkata', 330),
  fixed('Asia/Kathmandu', 345),
  fixed('America/Phoenix', -420),
  fixed('Pacific/Kiritimati', 840),
]

export const SEASONAL: readonly Zone[] = [
  european('Europe/Berlin', 60),
  european('Europe/London', 0),
  european('Europe/Athens', 120),
  european('Antarctica/Troll', 0, 120), // two hours at once
  american('America/New_York', -300),
  american('America/Chicago', -360),
  american('America/Los_Angeles', -480),
  american('America/St_Johns', -210),
  southern('Australia/Sydney', 600, 60, 10, 1, 120),
  southern('Australia/Lord_Howe', 630, 30, 10, 1, 120, 90), // half an hour
  southern('Pacific/Auckland', 720, 60, 9, -1, 120),
  southern('Pacific/Chatham', 765, 60, 9, -1, 165),
]

export const SINGULAR: readonly Zone[] = [
  once('Pacific/Apia', -600, 840, Date.UTC(2011, 11, 30, 10)), // a Friday that never was
  once('Asia/Pyongyang', 510, 540, Date.UTC(2018, 4, 4, 15)), // 23:30 to midnight
  once('America/Sao_Paulo', -180, -120, Date.UTC(2018, 10, 4, 3)), // a day without midnight
  once('America/Sao_Paulo', -120, -180, Date.UTC(2019, 1, 17, 2)), // the last hour of a Saturday twice
]
