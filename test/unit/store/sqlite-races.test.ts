import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { raceSuite } from './race-suite.ts'

const directory = mkdtempSync(join(tmpdir(), 'cs-races-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let stores = 0
const clock = { now: () => 1_000_000 }

raceSuite(
  'sqlite',
  async () => {
    const path = join(directory, `${stores++}.db`)
    return [await openSqliteStore({ path, clock }), await openSqliteStore({ path, clock, role: 'guest' })]
  },
  { claims: 200, reservations: 10_000, others: 100 },
  (title, body) => void test(title, body),
)
