import { constants } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** About what one record of the audit log has. */
const RECORD_BYTES = 900
const BYTES_MAX = 16 << 20

/** What the disk alone takes for a record, on the disk the bench's service writes to: append, and be certain of it. */
export async function barrierSubject(): Promise<{ write(): Promise<void>; close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-barrier-'))
  const through = process.platform === 'linux' ? constants.O_DSYNC : 0
  const file = await open(join(directory, 'log'), constants.O_RDWR | constants.O_CREAT | through, 0o600)
  const record = new Uint8Array(RECORD_BYTES).fill(0x2e)
  let at = 0
  return {
    write: async () => {
      await file.write(record, 0, record.length, at)
      if (through === 0) await file.datasync()
      at = at > BYTES_MAX ? 0 : at + record.length
    },
    close: async () => {
      await file.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
