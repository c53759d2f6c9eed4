/** R-37, T68: the same sources give the same bytes, wherever they are built. */
import { afterAll, expect, test } from 'bun:test'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { production } from '../architecture/packages.ts'
import { build } from '../../scripts/build.ts'
import { REAL_ENTRY, ROOT, start, temporary } from './support.ts'

const here = temporary('here')
const there = temporary('there')
afterAll(() => {
  here.remove()
  there.remove()
})
const entry = REAL_ENTRY

test(`R-37 two builds of ${entry} in two folders are equal bit for bit`, () => {
  for (const name of [
    'src',
    'providers',
    'local-kms',
    'bench',
    'examples',
    'test/binary',
    'package.json',
    'tsconfig.json',
    'bunfig.toml',
  ]) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(there.path, name), { recursive: true })
  }
  // Real copies: where a package lies must not show either. Nested packages come with the one they lie in.
  for (const folder of production().keys()) {
    cpSync(folder, join(there.path, relative(ROOT, folder)), { recursive: true })
  }
  const commit = '0'.repeat(40)
  const first = build({ entry, outfile: join(here.path, 'countersign'), commit })
  const second = build({ entry, outfile: join(there.path, 'dist/countersign'), commit, root: there.path })
  expect(second.sha256).toBe(first.sha256)
  expect(second.bytes).toBe(first.bytes)
  console.log(`# ${entry}: ${(first.bytes / 1e6).toFixed(1)} MB, sha256 ${first.sha256}`)
  const content = readFileSync(first.path)
  expect(content.includes(commit)).toBe(true)
  // The folders it was made in are nowhere in it.
  for (const place of [ROOT, here.path, there.path]) expect([place, content.includes(place)]).toEqual([place, false])
})

/** The whole portable core, both chains in it; the suite that drives it on the four runtimes is another 29 KB of cases. */
const EDGE_ENTRY = 'test/runtimes/core.ts'
const EDGE_GZIP_MAX = 200 * 1024

test('M-14 the portable core for the edge is at most 200 KB compressed', async () => {
  const out = temporary('edge')
  const path = join(out.path, 'edge.js')
  const made = start(
    [
      process.execPath,
      'build',
      '--minify',
      '--target=browser',
      '--conditions=workerd',
      '--format=esm',
      '--external=node:*',
      // An engine that the edge cannot run and never loads.
      '--external=libsodium',
      `--outfile=${path}`,
      EDGE_ENTRY,
    ],
    { cwd: ROOT, env: { PATH: process.env['PATH'] ?? '' } },
  )
  const { code, stderr } = await made.ended
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  const bundle = readFileSync(path)
  const compressed = gzipSync(bundle, { level: 9 }).length
  console.log(
    `# edge (${EDGE_ENTRY}): ${(bundle.length / 1024).toFixed(0)} KB, ${(compressed / 1024).toFixed(1)} KB gzip`,
  )
  expect(compressed).toBeLessThanOrEqual(EDGE_GZIP_MAX)
  out.remove()
})
