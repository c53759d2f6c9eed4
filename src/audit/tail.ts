/** Is the damage at the end of the log a torn write, or was the log changed? See FORMAT.md A8 and A9. */
import type { AuditFiles } from './files.ts'
import { parseRecord, segmentName } from './record.ts'
import { framesBehind } from './scan.ts'
import type { Fault } from './walk.ts'

/**
 * Torn: in the last segment, a frame that is not whole, and behind it nothing but rests of the batch it belongs to. Before
 * that batch was written everything else was on disk, and nothing was written behind it.
 * @returns undefined if it is a torn write, else why it is not
 */
export async function whyNotTorn(files: AuditFiles, fault: Fault, last: number): Promise<string | undefined> {
  if (!fault.isFrame || fault.segment !== last) return fault.reason
  const file = await files.open(segmentName(last), 'read')
  try {
    for await (const frame of framesBehind(file, fault.size, fault.offset + 1)) {
      const record = parseRecord(frame.payload)
      // Behind a header nothing may stand: it was on disk before the first record was written.
      const isSameBatch =
        record !== undefined && record.batch <= fault.record && record.seq > fault.record && fault.offset > 0
      if (!isSameBatch) return `${fault.reason}, and records of a later time stand behind it`
    }
    return undefined
  } finally {
    await file.close()
  }
}
