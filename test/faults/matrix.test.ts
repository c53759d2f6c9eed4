/**
 * 26 faults × 4 transports × 3 calls, through the whole service.
 *
 * One line is one way in which a fault comes about, and what the caller of each call then hears (words: `cell.ts`; several: either).
 * A cell of the printed matrix is all lines of its fault on its transport.
 */
import { afterAll, expect, test } from 'bun:test'
import { run, type Run, type Word } from './cell.ts'
import type { How } from './breaks.ts'
import { CALLS, type CallName, openRemote, type Transport, TRANSPORTS } from './remotes.ts'
import { steadyClock } from './steady-clock.ts'

type Expected = string // words, apart by blanks; `-`: this line has nothing to say about this call
type Line = readonly [
  fault: string,
  how: How,
  sign: Expected,
  decrypt: Expected,
  key: Expected,
  only?: readonly Transport[],
]

const AWS: readonly Transport[] = ['aws-kms']
const VAULT: readonly Transport[] = ['vault-transit']
const GCP: readonly Transport[] = ['gcp-rest', 'gcp-grpc']
const GRPC: readonly Transport[] = ['gcp-grpc']
const HTTP: readonly Transport[] = ['aws-kms', 'vault-transit', 'gcp-rest']
/** Where the emulator's 503 is in the service's own words, and so says that nothing was signed. */
const SIGNED_503: readonly Transport[] = ['vault-transit', 'gcp-grpc']
const BARE_503: readonly Transport[] = ['aws-kms', 'gcp-rest']
const NOT_GCP: readonly Transport[] = ['aws-kms', 'vault-transit']
const NOT_VAULT: readonly Transport[] = ['aws-kms', 'gcp-rest', 'gcp-grpc']

// biome-ignore format: one table
const TABLE: readonly Line[] = [
  // fault                           how it comes about                            sign             decrypt       public key     only on
  ['throttle',                       'throttled',                                  'unavail',       'unavail',    'unavail'],
  ['throttle',                       'throttled, Retry-After',                     'unavail',       'unavail',    'unavail'],
  ['500/502/503/504',                'the service says 500',                       'unavail',       'unavail',    'unavail', NOT_GCP],
  ['500/502/503/504',                'the service says 500',                       'ambig',         'unavail',    'unavail', GCP],
  ['500/502/503/504',                'bare 502',                                   'ambig',         'unavail',    'unavail'],
  ['500/502/503/504',                'bare 503',                                   'ambig',         'unavail',    'unavail'],
  ['500/502/503/504',                'bare 504',                                   'ambig',         'unavail',    'unavail'],
  ['500/502/503/504',                '503 once',                                   'ambig',         'ok',         'ok',      BARE_503],
  ['500/502/503/504',                '503 once',                                   'ok',            'ok',         'ok',      SIGNED_503],
  ['connect refused',                'nobody listens',                             'unavail',       'unavail',    'unavail'],
  ['connect refused',                'reset on connect',                           'unavail ambig', 'unavail',    'unavail'],
  ['DNS fail',                       'no such name',                               'unavail ambig', 'unavail',    'unavail'], // ambig: no resolver answers
  ['TLS bad cert',                   'self-signed',                                'unavail',       'unavail',    'unavail'],
  ['TLS bad cert',                   'expired certificate',                        'unavail',       'unavail',    'unavail'],
  ['TLS bad cert',                   'wrong name',                                 'unavail',       'unavail',    'unavail'],
  ['TLS reset in handshake',         'reset at the first byte',                    'unavail ambig', 'unavail',    'unavail'],
  ['accept-then-hang',               'silence after accept',                       'ambig',         'unavail',    'unavail', HTTP],
  ['accept-then-hang',               'silence after accept',                       'unavail',       'unavail',    'unavail', GRPC],
  ['timeout after send',             'silence after the request',                  'ambig',         'unavail',    'unavail'],
  ['timeout after send',             'reset after the request',                    'ambig',         'unavail',    'unavail'],
  ['timeout after send',             'reset after the request, connection in use', 'ambig',         'unavail',    'unavail'],
  ['reset mid-headers',              'reset in the head',                          'ambig',         'unavail',    'unavail'],
  ['reset mid-headers',              'end in the head',                            'ambig',         'unavail',    'unavail'],
  ['reset mid-body',                 'reset in the body',                          'ambig',         'unavail',    'unavail'],
  ['reset mid-body',                 'end in the body',                            'ambig',         'unavail',    'unavail'],
  ['slow-loris answer',              '1 byte a second',                            'ambig',         'unavail',    'unavail'],
  ['truncated JSON',                 'half of the text',                           'malformed',     'malformed',  'malformed', HTTP],
  ['truncated JSON',                 'half of the text',                           'mismatch',      'malformed',  'malformed', GRPC], // half of the name
  ['oversized body',                 '100 MB',                                     'malformed',     'malformed',  'malformed'],
  ['wrong content-type',             'text/html',                                  'malformed',     'malformed',  'malformed'],
  ['redirect to other host',         '307',                                        'malformed',     'malformed',  'malformed'],
  ['redirect to other host',         '302',                                        'malformed',     'malformed',  'malformed'],
  ['duplicate JSON keys',            'members twice',                              'malformed',     'malformed',  'malformed', HTTP],
  ['duplicate JSON keys',            'members twice',                              'unverified',    'other-seed', 'unverified', GRPC],
  ['signature one bit off',          'one bit off',                                'unverified',    'other-seed', 'unverified'],
  ['signature from other key',       'of another key',                             'unverified',    'other-seed', 'unverified'],
  ['other key version',              'of another version',                         'mismatch',      'mismatch',   'mismatch', AWS],
  ['other key version',              'of another version',                         'mismatch',      'mismatch',   'refused', VAULT],
  ['other key version',              'of another version',                         'mismatch',      'unreadable', 'mismatch', GCP],
  ['high-s / short DER / BER',       'S + L',                                      'unverified',    '-',          '-'],
  ['high-s / short DER / BER',       'short',                                      'bad-sig',       'unreadable', 'malformed'],
  ['high-s / short DER / BER',       'BER',                                        'bad-sig',       'unreadable', 'malformed'],
  ['high-s / short DER / BER',       'secp256k1 high s',                           'ok',            '-',          '-', NOT_VAULT],
  ['high-s / short DER / BER',       'secp256k1 short integer',                    'ok',            '-',          '-', NOT_VAULT],
  ['high-s / short DER / BER',       'secp256k1 BER',                              'bad-sig',       '-',          '-', NOT_VAULT],
  ['CRC32C mismatch',                'checksum does not fit',                      'corrupt',       'corrupt',    'corrupt', GCP],
  ['CRC32C mismatch',                'bit off below TLS',                          'ambig',         'unavail',    'unavail', NOT_GCP],
  ['verified false, name differs',   'not verified',                               'corrupt',       'corrupt',    'corrupt', GCP],
  ['verified false, name differs',   'name differs',                               'mismatch',      'corrupt',    'mismatch', GCP],
  ['verified false, name differs',   'name differs',                               'mismatch',      'mismatch',   'mismatch', NOT_GCP],
  ['expired/rotated credentials',    'expired',                                    'refused',       'refused',    'refused'],
  ['expired/rotated credentials',    'rotated',                                    'refused',       'refused',    'refused'],
  ['clock-skew rejection',           'clock skew',                                 'refused',       'refused',    'refused'],
  ['AccessDenied',                   'no rights',                                  'refused',       'refused',    'refused'],
  ['disabled, deleted, sealed, 307', 'disabled',                                   'refused',       'refused',    'refused', NOT_VAULT],
  ['disabled, deleted, sealed, 307', 'disabled',                                   'refused',       'refused',    'unsupported', VAULT],
  ['disabled, deleted, sealed, 307', 'pending deletion',                           'refused',       'refused',    'refused', NOT_VAULT],
  ['disabled, deleted, sealed, 307', 'sealed',                                     'unavail',       'unavail',    'unavail', VAULT],
  ['disabled, deleted, sealed, 307', 'standby 307',                                'malformed',     'malformed',  'malformed', VAULT],
]

const FAULTS = [...new Set(TABLE.map(([fault]) => fault))]
const LIMIT_MS = 120_000

interface Cell {
  readonly fault: string
  readonly transport: Transport
  readonly call: CallName
  readonly runs: Promise<readonly (Run & { readonly how: string })[]>
}

const linesOf = (fault: string, transport: Transport, call: CallName) =>
  TABLE.filter(([of, , , , , only]) => of === fault && (only?.includes(transport) ?? true)).flatMap(line => {
    const words = line[2 + CALLS.indexOf(call)] as Expected
    return words === '-' ? [] : [{ how: line[1], expected: words.split(' ') as Word[] }]
  })

const clock = steadyClock()
const remotes = new Map(TRANSPORTS.map(transport => [transport, openRemote(transport)] as const))
// Libraries and root certificates are loaded by whoever is first; that is not what is timed here.
for (const remote of remotes.values()) {
  for (const call of CALLS) await run(await remote, call, '503 once', ['ok', 'unavail', 'ambig'], clock).catch(() => {})
  await run(await remote, 'sign', 'self-signed', ['unavail', 'ambig'], clock)
}
const started = performance.now()

/**
 * A machine that stops for a second between two turns makes one run late, whatever the service does. A service that does not
 * keep its deadline is late every time: only then a cell is wrong.
 */
async function inTime(once: () => Promise<Run>): Promise<Run> {
  for (let again = 0; ; again++) {
    const ran = await once()
    const isLate = ran.problems.length > 0 && ran.problems.every(problem => problem.endsWith(' after the deadline'))
    if (!isLate || again === 2) return ran
    console.log(`# late once, run again: ${ran.problems.join('; ')}`)
  }
}

/** One lane a transport: its service has one set of faults. The lanes run side by side. */
const cells: Cell[] = TRANSPORTS.flatMap(transport => {
  let before: Promise<unknown> = remotes.get(transport)!
  return FAULTS.flatMap(fault =>
    CALLS.map(call => {
      const runs = before.then(async () => {
        const remote = await remotes.get(transport)!
        const done: (Run & { how: string })[] = []
        for (const { how, expected } of linesOf(fault, transport, call)) {
          done.push({ how, ...(await inTime(() => run(remote, call, how, expected, clock))) })
        }
        return done
      })
      before = runs.catch(() => {})
      return { fault, transport, call, runs }
    }),
  )
})

afterAll(async () => {
  clock.stop()
  for (const remote of remotes.values()) await (await remote).close()
})

for (const fault of FAULTS) {
  test.each(cells.filter(cell => cell.fault === fault))(
    `R-14 ${fault}: $transport $call`,
    async ({ runs }) => {
      const wrong = (await runs).flatMap(({ how, problems }) => problems.map(problem => `${how}: ${problem}`))
      expect(wrong).toEqual([])
    },
    LIMIT_MS,
  )
}

test(
  'R-14 the matrix is whole: 26 faults × 4 transports × 3 calls',
  async () => {
    const done = await Promise.all(cells.map(async cell => ({ ...cell, runs: await cell.runs.catch(() => undefined) })))
    const word = (fault: string, transport: Transport, call: CallName): string => {
      const runs = done.find(each => each.fault === fault && each.transport === transport && each.call === call)?.runs
      if (runs === undefined || runs.some(({ problems }) => problems.length > 0)) return 'WRONG'
      return runs.length === 0 ? 'n/a' : [...new Set(runs.map(each => each.word))].join('/')
    }
    const rows = FAULTS.map(fault => [
      fault,
      ...TRANSPORTS.flatMap(transport => CALLS.map(call => word(fault, transport, call))),
    ])
    const head = ['fault', ...TRANSPORTS.flatMap(transport => CALLS.map(call => `${transport} ${call}`))]
    const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => (row[column] ?? '').length)))
    for (const row of [head, ...rows])
      console.log(
        `# ${row
          .map((text, i) => text.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}`,
      )
    const words = rows.flatMap(row => row.slice(1))
    const runs = done.flatMap(each => each.runs ?? [])
    const [wrong, none] = [words.filter(each => each === 'WRONG').length, words.filter(each => each === 'n/a').length]
    const latest = Math.max(...runs.map(each => each.overMs))
    console.log(
      `# R-14: ${words.length} cells: ${words.length - wrong - none} ok, ${none} n/a, ${wrong} wrong; ` +
        `${runs.length} runs in ${((performance.now() - started) / 1000).toFixed(1)} s; the latest answer ${latest.toFixed(0)} ms after its deadline; the machine stood still for ${clock.stalled().toFixed(0)} ms`,
    )
    expect(FAULTS.length).toBe(26)
    expect([words.length, none, wrong]).toEqual([312, 0, 0])
  },
  LIMIT_MS,
)
