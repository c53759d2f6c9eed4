import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createJudges } from '../../../src/access/judges.ts'
import { createHours, DAYS, type Day, type HoursRule, isOpenAt, readHours } from '../../../src/access/hours.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { FIXED, SEASONAL, SINGULAR, type Zone } from './zones.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const read = (rule: unknown) => {
  const { hours, problems } = readHours(rule, 'hours')
  assert.deepEqual(problems, [])
  return hours
}

type Times = { readonly days: readonly Day[]; readonly from: string; readonly to: string }
const clock = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
const dateOf = (local: number) => new Date(local).toISOString().slice(0, 10)

/** The other way to say it: every window is an interval of wall time, and the wall time comes from the table. */
function oracle(zone: Zone, { days, from, to }: Times, except: readonly string[], at: number): boolean {
  const local = at + zone.offset(at) * MINUTE
  if (except.includes(dateOf(local))) return false
  const midnight = Math.floor(local / DAY) * DAY
  return [midnight - DAY, midnight].some(date => {
    if (!days.includes(DAYS[new Date(date).getUTCDay()] as Day) || except.includes(dateOf(date))) return false
    const begin = date + clock(from) * MINUTE
    const length = (clock(to) - clock(from) + 1440) % 1440 || 1440
    return local >= begin && local < begin + length * MINUTE
  })
}

const EVERY: readonly Day[] = DAYS
const TIMES: readonly Times[] = [
  { days: EVERY, from: '02:00', to: '03:00' },
  { days: EVERY, from: '00:30', to: '02:30' },
  { days: ['sun'], from: '01:00', to: '03:30' },
  { days: ['sat', 'fri'], from: '22:00', to: '03:00' },
  { days: EVERY, from: '23:45', to: '00:15' },
  { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '00:00', to: '24:00' },
]

/** Minute by minute around an instant, and the last millisecond before each. */
function walk(zone: Zone, times: Times, around: number, hours: number): { open: number; shut: number } {
  const seen = { open: 0, shut: 0 }
  const except = around % 3 === 0 ? [dateOf(around + zone.offset(around) * MINUTE + DAY)] : []
  const rule = read({ windows: [{ zone: zone.name, ...times }], except })
  for (let at = around - hours * 60 * MINUTE; at <= around + hours * 60 * MINUTE; at += MINUTE)
    for (const instant of [at - 1, at]) {
      const truth = oracle(zone, times, except, instant)
      assert.equal(
        isOpenAt(rule, instant),
        truth,
        `${zone.name} ${JSON.stringify(times)} ${new Date(instant).toISOString()}`,
      )
      seen[truth ? 'open' : 'shut']++
    }
  return seen
}

test('hours T63 M-44: 420 cases of summer time, leap days and odd zones, minute by minute against a table by hand', () => {
  let cases = 0
  const seen = { open: 0, shut: 0 }
  const run = (zone: Zone, around: number): void => {
    for (const times of TIMES) {
      cases++
      const { open, shut } = walk(zone, times, around, 4)
      seen.open += open
      seen.shut += shut
    }
  }
  for (const zone of SEASONAL)
    for (const year of [2024, 2027]) for (const change of zone.changes(year)) run(zone, change)
  for (const zone of FIXED) {
    const local = (...[year, month, day]: [number, number, number]) =>
      Date.UTC(year, month, day) - zone.offset(0) * MINUTE
    run(zone, local(2028, 1, 29)) // the begin of a leap day
    run(zone, local(2028, 2, 1)) // and its end
    run(zone, local(2027, 0, 1))
  }
  for (const zone of SINGULAR) for (const change of zone.changes(0)) run(zone, change)
  assert.equal(cases, 420)
  assert.ok(seen.open > 20_000 && seen.shut > 20_000, JSON.stringify(seen))
})

test('hours M-44: an office day is open from its first minute to before its last, on working days only', () => {
  const office: HoursRule = {
    windows: [{ zone: 'Europe/Berlin', days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:30' }],
    except: ['2026-12-25'],
  }
  const open = (text: string) => isOpenAt(read(office), Date.parse(text))
  assert.equal(open('2026-11-23T08:59:59.999+01:00'), false)
  assert.equal(open('2026-11-23T09:00:00.000+01:00'), true)
  assert.equal(open('2026-11-23T17:29:59.999+01:00'), true)
  assert.equal(open('2026-11-23T17:30:00.000+01:00'), false)
  assert.equal(open('2026-11-22T12:00:00.000+01:00'), false) // Sunday
  assert.equal(open('2026-12-24T12:00:00.000+01:00'), true)
  assert.equal(open('2026-12-25T12:00:00.000+01:00'), false)
  assert.equal(open('2026-07-01T07:00:00.000Z'), true) // 09:00 in summer
  assert.equal(open('2026-01-05T07:00:00.000Z'), false) // 08:00 in winter
})

test('hours M-44: a window over midnight belongs to the day it opens on, and a closed date closes both sides', () => {
  const night = { zone: 'UTC', days: ['fri'], from: '22:00', to: '02:00' } as const
  const open = (except: string[], text: string) => isOpenAt(read({ windows: [night], except }), Date.parse(text))
  assert.equal(open([], '2026-11-20T22:00:00Z'), true) // Friday
  assert.equal(open([], '2026-11-21T01:59:59Z'), true)
  assert.equal(open([], '2026-11-21T02:00:00Z'), false)
  assert.equal(open([], '2026-11-20T01:00:00Z'), false) // Thursday's night
  assert.equal(open(['2026-11-20'], '2026-11-21T01:00:00Z'), false) // never opened
  assert.equal(open(['2026-11-21'], '2026-11-21T01:00:00Z'), false) // closed date
  assert.equal(open(['2026-11-21'], '2026-11-20T23:00:00Z'), true)
})

test('hours M-44: one open window is enough, each in its own zone', () => {
  const rule = read({
    windows: [
      { zone: 'Asia/Tokyo', days: ['mon'], from: '09:00', to: '10:00' },
      { zone: 'America/New_York', days: ['mon'], from: '09:00', to: '10:00' },
    ],
  })
  const open = (text: string) => isOpenAt(rule, Date.parse(text))
  assert.deepEqual(
    ['2026-11-23T00:30:00Z', '2026-11-23T14:30:00Z', '2026-11-23T09:30:00Z', '2026-11-22T23:59:59Z'].map(open),
    [true, true, false, false],
  )
})

test('hours M-44: everything wrong with a rule is named at once, and nothing unknown is let through', () => {
  const good = { zone: 'Europe/Berlin', days: ['mon'], from: '09:00', to: '17:00' }
  const paths = (rule: unknown) => readHours(rule, 'h').problems.map(({ path }) => path)
  const window = (change: object) => paths({ windows: [{ ...good, ...change }] })
  assert.deepEqual(paths({ windows: [good] }), [])
  for (const zone of [
    'EST',
    'CET',
    '+01:00',
    'Europe/Nowhere',
    'Europe/berlin\n',
    '',
    'local',
    7,
    null,
    'a/b/c/d',
    'Etc/Unknown',
  ])
    assert.deepEqual(window({ zone }), ['h.windows.0.zone'], String(zone))
  for (const days of [[], ['Mon'], ['mon', 'mon'], ['funday'], 'mon', [1], null])
    assert.deepEqual(window({ days }), ['h.windows.0.days'], String(days))
  for (const from of ['9:00', '24:00', '09:60', '0900', '09:00:00', ' 09:00', 9, null, '09:00\n'])
    assert.deepEqual(window({ from }), ['h.windows.0.from'], String(from))
  for (const to of ['24:01', '25:00', '17', '', undefined])
    assert.deepEqual(window({ to }), ['h.windows.0.to'], String(to))
  assert.deepEqual(window({ to: '09:00' }), ['h.windows.0'])
  assert.deepEqual(window({ week: 1 }), ['h.windows.0.week'])
  assert.deepEqual(paths({ windows: [good], closed: [] }), ['h.closed'])
  for (const windows of [[], undefined, {}, 'x', Array.from({ length: 33 }, () => good)])
    assert.deepEqual(paths({ windows }), ['h.windows'])
  assert.deepEqual(paths({ windows: [7, good] }).slice(0, 1), ['h.windows.0'])
  for (const date of ['2026-02-30', '2026-2-3', '26-02-03', '2027-02-29', 'x', 7, '2026-12-25T00:00'])
    assert.deepEqual(paths({ windows: [good], except: [date] }), ['h.except.0'], String(date))
  assert.deepEqual(paths({ windows: [good], except: 'never' }), ['h.except'])
  for (const rule of [null, undefined, [], 'mon', 7]) assert.equal(paths(rule)[0], 'h')
})

test('hours M-44: hundreds of zones stay judged right', () => {
  const names = Intl.supportedValuesOf('timeZone').filter(name => name.includes('/'))
  const rules = names.map(zone => ({
    zone,
    rule: read({ windows: [{ zone, days: EVERY, from: '12:00', to: '13:00' }] }),
  }))
  const at = Date.UTC(2026, 10, 23, 12, 30)
  assert.ok(rules.length > 300)
  for (const { zone, rule } of rules) {
    const hour = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit' }).format(at)
    assert.equal(isOpenAt(rule, at), hour === '12', zone)
  }
})

const ALWAYS = read({ windows: [{ zone: 'UTC', days: EVERY, from: '00:00', to: '24:00' }] })
const AWAY = [1001, 1500, 2000, 60_000, 3_600_000, DAY, 30 * DAY, 365 * DAY]

test('hours T63: a clock set back by 1 s to 1 year denies every time rule until it has caught up', () => {
  for (const back of AWAY) {
    let [wall, monotonic] = [Date.UTC(2026, 10, 23, 12), 5000.5]
    const office = createHours({
      clock: { now: () => wall, monotonic: () => monotonic },
      lastRecordAt: () => undefined,
    })
    const pass = (ms: number) => void ([wall, monotonic] = [wall + ms, monotonic + ms])
    assert.equal(office.isOpen(ALWAYS), true)
    pass(10_000)
    assert.equal(office.isOpen(ALWAYS), true)
    wall -= back
    assert.equal(office.isOpen(ALWAYS), false, `${back} ms`)
    assert.throws(() => office.assertOpen(ALWAYS, 'sign'), { code: 'access/denied' })
    pass(400 * DAY) // waiting alone does not make it right
    assert.equal(office.isOpen(ALWAYS), false)
    wall += back - 1000 // caught up but for the tolerance
    assert.equal(office.isOpen(ALWAYS), true)
  }
})

test('hours T63: many small steps back count together', () => {
  let [wall, monotonic] = [Date.UTC(2026, 10, 23, 12), 0]
  const office = createHours({ clock: { now: () => wall, monotonic: () => monotonic }, lastRecordAt: () => undefined })
  const open: boolean[] = []
  for (let step = 0; step < 5; step++) {
    wall += 60_000 - 300
    monotonic += 60_000
    open.push(office.isOpen(ALWAYS))
  }
  assert.deepEqual(open, [true, true, true, false, false]) // 300, 600, 900, 1200, 1500
})

test('hours T63: a leap second that is taken back, and a step forward, deny nothing', () => {
  let [wall, monotonic] = [Date.UTC(2016, 11, 31, 23, 59, 59), 0]
  const office = createHours({ clock: { now: () => wall, monotonic: () => monotonic }, lastRecordAt: () => undefined })
  monotonic += 1000 // 23:59:60 is shown as 23:59:59 again
  assert.equal(office.isOpen(ALWAYS), true)
  wall += 10 * MINUTE // the machine slept
  assert.equal(office.isOpen(ALWAYS), true)
  wall -= 2 * MINUTE // from here on it is behind again
  assert.equal(office.isOpen(ALWAYS), false)
})

test('hours T63: a wall clock behind the newest audit record denies, even at the first look after a start', () => {
  for (const back of [1, 1000, ...AWAY]) {
    let wall = Date.UTC(2026, 10, 23, 12)
    const last = wall + back
    const office = createHours({ clock: { now: () => wall, monotonic: () => wall - 77 }, lastRecordAt: () => last })
    assert.equal(office.isOpen(ALWAYS), false, `${back} ms`)
    assert.equal(office.fault(), 'the clock is behind the audit log')
    wall = last
    assert.equal(office.isOpen(ALWAYS), true)
  }
})

test('hours T63: a clock that tells nothing denies', () => {
  for (const wall of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const clock = { now: () => wall, monotonic: () => 0 }
    const office = createHours({ clock, lastRecordAt: () => undefined })
    assert.equal(office.isOpen(ALWAYS), false)
  }
  const clock = { now: () => 0, monotonic: () => 0 }
  assert.equal(createHours({ clock, lastRecordAt: () => Number.NaN }).isOpen(ALWAYS), false)
})

test('hours M-44: outside the hours is access/denied, and inside passes', () => {
  const wall = Date.UTC(2026, 10, 23, 12)
  const office = createHours({ clock: { now: () => wall, monotonic: () => 0 }, lastRecordAt: () => wall })
  office.assertOpen(ALWAYS, 'sign')
  const night = read({ windows: [{ zone: 'UTC', days: EVERY, from: '22:00', to: '06:00' }] })
  try {
    office.assertOpen(night, 'sign')
    assert.fail('open')
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'access/denied')
    assert.deepEqual(error.detail, { action: 'sign', reason: 'not at this time' })
  }
})

test('judges M-41: blocks and windows of a token; what cannot be read, or told, is met by nobody', () => {
  const said: { fault?: string } = {}
  const judges = createJudges({ fault: () => said.fault })
  assert.equal(judges.isBlock('10.0.0.0/8'), true)
  assert.equal(judges.isBlock('10.0.0.1/8'), false)
  assert.equal(judges.inBlocks(['10.0.0.0/8', 'unix'], '10.1.2.3'), true)
  assert.equal(judges.inBlocks(['10.0.0.0/8', 'unix'], 'unix'), true)
  assert.equal(judges.inBlocks(['10.0.0.0/8', 'nonsense'], '10.1.2.3'), false)
  assert.equal(judges.inBlocks(['10.0.0.0/8'], 'unknown'), false)
  const window = { windows: [{ zone: 'UTC', days: ['mon'], from: '09:00', to: '17:00' }] }
  const noon = Date.UTC(2026, 10, 23, 12)
  assert.equal(judges.isWindow(window), true)
  assert.equal(judges.isWindow({}), false)
  assert.equal(judges.inWindow(window, noon), true)
  assert.equal(judges.inWindow(window, noon + DAY), false)
  assert.equal(judges.inWindow({}, noon), false)
  said.fault = 'the clock was set back'
  assert.equal(judges.inWindow(window, noon), false)
})
