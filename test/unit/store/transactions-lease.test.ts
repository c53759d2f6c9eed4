import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { sampleEntry } from './samples.ts'

const clock = { now: () => 1_000_000 }

test('M-25 sqlite: whoever owns the store next goes on at once with what a dead process was at', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-'))
  const path = join(directory, 'store.sqlite')
  try {
    const first = await openSqliteStore({ path, clock })
    assert.equal((await first.transactions.begin(sampleEntry(), 9_000_000)).kind, 'yours')
    const guest = await openSqliteStore({ path, clock, role: 'guest' })
    assert.equal((await guest.transactions.begin(sampleEntry(), 9_000_000)).kind, 'in-flight')
    guest.close()
    first.close()
    const second = await openSqliteStore({ path, clock })
    assert.equal((await second.transactions.begin(sampleEntry(), 9_000_000)).kind, 'yours')
    second.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})
