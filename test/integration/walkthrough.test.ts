/** docs/gateway.md, executed: every block in order, against the service as people start it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'bun:test'
import { ROLE_PERMISSIONS } from '../../src/access/roles.ts'
import { reveal } from '../../src/domain/secret.ts'
import { ROOT, run, scratch } from '../support/cli.ts'
import { postgres } from '../support/postgres.ts'
import { freePorts, printedBy, readPage, says, walk, type Walked } from '../support/walk.ts'

const page = readFileSync(join(ROOT, 'docs/gateway.md'), 'utf8')
const missing = ['bash', 'curl'].filter(program => spawnSync(program, ['--version']).status !== 0)
const started = missing.length > 0 ? { skip: `${missing.join(', ')}: not here` } : await postgres()
const room = scratch()

/** A heading of the page, and what its blocks show. */
const SECTIONS: Readonly<Record<string, string>> = {
  'Set up': 'an administrator, a key with a policy, and both planes from one process',
  'Log in': 'M-41 an administrator logs in by SEP-10, a stranger does not',
  'A token for a service': 'M-41 a service token with scopes and constraints',
  Sign: 'M-49 a signature, and a retry that signs nothing',
  'Be refused': 'M-49 by policy, by constraint, by sequence number, by plane and by role',
  'Ask before': 'M-49 a dry run says what would be decided, rule by rule',
  'Several at once': 'M-24 M-49 a batch of which all may be signed or none is',
  'Who did what': 'M-49 the audit log says who was refused what',
  'A token that only its owner can use': 'M-41 DPoP: good once, for one request, from the holder of the key',
  'Take it back': 'M-41 a token that was taken back is refused at the next request',
  'How often': 'M-45 limits are said in headers and hold, and the log verifies afterwards',
  'In an emergency':
    'T62 a quorum of custodians opens break-glass: it disables an administrator, gives out no token, and is loud',
}
const APART = 'The planes apart'

const words = 'server' in started ? ['postgres'] : []
const { script, said } = readPage(page, words)
let walked: Walked
let printed: readonly string[]

beforeAll(async () => {
  if (missing.length > 0) return
  const [data = 0, control = 0] = (await freePorts(2)).map(String)
  const env: Record<string, string> = {}
  if ('server' in started) {
    const { host, port, database, user, password } = await started.server.database('walkthrough')
    const secret = typeof password === 'object' ? reveal(password) : ''
    env['DATABASE_URL'] = `postgres://${user}:${encodeURIComponent(secret)}@${host}:${port}/${database}`
  }
  const path = (process.env['PATH'] ?? '').split(':')
  const text = script.replaceAll('8420', String(data)).replaceAll('8421', String(control))
  walked = await walk(text, { cwd: ROOT, folder: room.path(), path, env, limitMs: 150_000 })
  printed = printedBy(walked.stdout.replaceAll(String(data), '8420').replaceAll(String(control), '8421'))
}, 180_000)

afterAll(async () => {
  room.remove()
})

/** Everything that the section says was printed, and by nothing else than the lines above it. */
function sectionHolds(section: string): void {
  const mine = said.flatMap((each, at) => (each.section === section ? [{ ...each, at }] : []))
  assert.ok(mine.length > 0, `the page says nothing under "${section}"`)
  for (const { at, line, texts } of mine) {
    const got = at < printed.length - 1 ? printed[at] : undefined
    const more = `docs/gateway.md:${line}: ${got ?? `was not reached\n${walked.stderr.slice(-2000)}`}`
    for (const text of texts) assert.ok(got !== undefined && says(got, text), `${text}\nwas not printed at ${more}`)
  }
}

describe.skipIf(missing.length > 0)('docs/gateway.md, block by block (needs bash and curl)', () => {
  for (const [section, title] of Object.entries(SECTIONS)) {
    test(`${section}: ${title}`, () => sectionHolds(section))
  }

  test.skipIf(!('server' in started))(
    `${APART}: M-79 M-73 two processes and PostgreSQL: a token of one plane is good at the other until it is taken back (needs a PostgreSQL server)`,
    () => sectionHolds(APART),
  )

  test('M-49 every block ran to its end, and every section that prints something has its test', () => {
    assert.equal(walked.code, 0, walked.stderr.slice(-2000))
    const sections = new Set(said.map(({ section }) => section))
    const tested = [...Object.keys(SECTIONS), ...('server' in started ? [APART] : [])]
    assert.deepEqual([...sections], tested)
    assert.equal(printed.length, said.length + 1)
  })

  test('no seed and no private key was printed', () => {
    const seeds = /S[A-Z2-7]{55}|"d":"/
    assert.equal(seeds.test(walked.stdout + walked.stderr), false)
  })
})

test('what a page says is found where it stands, in order, and what it does not say is not', () => {
  const read = readPage('## A\n```sh\necho 1\n# → 1\n# → one\n```\n```sh x\necho 2\n# → 2\n```\n```toml\n# → 3\n```\n')
  assert.deepEqual(read.said, [{ section: 'A', line: 4, texts: ['1', 'one'] }])
  assert.equal(read.script.includes('echo 2'), false)
  assert.deepEqual(
    [says('a b c', 'a…c'), says('a b c', 'c…a'), says('a', 'ab'), says('x', '…')],
    [true, false, false, true],
  )
})

test('M-42 the table of roles on the page is the table of the code', () => {
  const rows = page.split('\n').flatMap(line => {
    const [, role = '', may = ''] = /^\| ([a-z-]+) \| (`.*`) \|$/.exec(line) ?? []
    return role === '' ? [] : [[role, may.split(', ').map(word => word.replaceAll('`', ''))] as const]
  })
  assert.deepEqual(Object.fromEntries(rows), ROLE_PERMISSIONS)
})

test('the TOML that is not executed is configuration too', async () => {
  const blocks = [...page.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  assert.ok(blocks.length > 0)
  const base = 'environment = "development"\nplane = "all"\n[data]\ndirectory = "d"\n[providers.mock]\nkind = "mock"\n'
  for (const text of blocks) {
    const file = room.path('block.toml')
    await Bun.write(file, `${base}${text}`)
    const checked = await run(['config', 'check', '--config', file])
    assert.equal(checked.exitCode, 0, checked.err)
  }
})

const node = join(ROOT, 'node_modules/.bin/node')
test.skipIf(!existsSync(node))('M-41 examples/dpop.mjs needs WebCrypto alone: it runs on Node too', () => {
  const key = room.path('node.key')
  const made = spawnSync(node, [join(ROOT, 'examples/dpop.mjs'), 'new', key], { encoding: 'utf8' })
  assert.match(made.stdout, /^[A-Za-z0-9_-]{43}\n$/)
  const args = [join(ROOT, 'examples/dpop.mjs'), 'proof', key, 'POST', 'https://sign.example/v1/keys/a/sign', '{}', 'k']
  const proof = spawnSync(node, args, { encoding: 'utf8', env: { COUNTERSIGN_TOKEN: 'a.b.c' } })
  assert.match(proof.stdout, /^[\w-]+\.[\w-]+\.[\w-]{86}\n$/)
  assert.equal(/import .* from '(?!node:fs)/.test(readFileSync(join(ROOT, 'examples/dpop.mjs'), 'utf8')), false)
})
