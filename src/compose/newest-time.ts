import { nodeAuditFiles } from '../audit/node-files.ts'
import type { Recovery } from '../audit/open.ts'
import { readRecords } from '../audit/read.ts'

/** Records looked at: a clock that is put back would have to write so many before a restart takes its word. */
const RECENT_RECORDS = 1_000

/** The latest time among the newest records of the log, in milliseconds since the epoch: what hours are judged by at first. */
export async function newestTime(path: string, { head }: Pick<Recovery, 'head'>): Promise<number | undefined> {
  const files = await nodeAuditFiles(path, { access: 'read' })
  let newest: number | undefined
  const fromSeq = Math.max(1, head.seq - RECENT_RECORDS + 1)
  for await (const { time } of readRecords(files, { fromSeq })) newest = latest(newest, Date.parse(time))
  return newest
}

export const latest = (...times: readonly (number | undefined)[]): number | undefined =>
  times.reduce((newest, time) => (newest === undefined || (time ?? newest) > newest ? time : newest), undefined)
