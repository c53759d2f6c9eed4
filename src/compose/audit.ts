import { nodeAuditFiles } from '../audit/node-files.ts'
import { reopenAuditLog } from '../audit/open.ts'
import { readRecords } from '../audit/read.ts'
import { segmentName, segmentNumber } from '../audit/record.ts'
import { verifyAuditLog } from '../audit/verify.ts'
import type { AuditRoom, AuditVerdict } from '../cli/context.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { AuditIndex, World } from '../domain/ports.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { auditPath, exists, LOCAL_OPERATOR, storePath } from './places.ts'

type Head = Awaited<ReturnType<AuditIndex['head']>>

/** Reads the log as it lies on disk, beside a running service or without one. */
export function openAuditRoom(directory: string, { clock, random }: World): AuditRoom {
  const path = auditPath(directory)
  return {
    verify: async onProgress => {
      const { head, warning } = await remembered(directory, clock)
      if (!(await holdsLog(path))) {
        if (head === undefined) throw noLog(directory)
        return { ...goneLog(head), ...(warning === undefined ? {} : { warning }) }
      }
      const report = await verifyAuditLog(await nodeAuditFiles(path, { access: 'read' }), {
        ...(head === undefined ? {} : { head }),
        ...(onProgress === undefined ? {} : { onProgress: ({ records }) => onProgress(records) }),
      })
      return warning === undefined ? report : { ...report, warning }
    },
    tail: async function* ({ fromSeq, follow, signal }) {
      if (!(await holdsLog(path))) throw noLog(directory)
      const following = follow ? { clock, signal: signal ?? new AbortController().signal } : undefined
      const files = await nodeAuditFiles(path, { access: 'read' })
      for await (const record of readRecords(files, { fromSeq, follow: following })) yield { ...record }
    },
    reopen: async () => {
      if (!(await holdsLog(path))) throw noLog(directory)
      const { head } = await remembered(directory, clock)
      const files = await nodeAuditFiles(path, { access: 'write' })
      // What the store remembers is looked at, not moved: the next start reads the log from there and follows.
      const index = { head: async () => head, setHead: async () => {} }
      return { ...(await reopenAuditLog({ files, clock, random, index, instance: 'cli', actor: LOCAL_OPERATOR })) }
    },
  }
}

/** True when there is a segment, whatever is in it. */
async function holdsLog(path: string): Promise<boolean> {
  if (!(await exists(path))) return false
  const files = await nodeAuditFiles(path, { access: 'read' })
  return (await files.list()).some(name => segmentNumber(name) !== undefined)
}

/** The newest record the store remembers: what lets `verify` notice records cut off the end. */
async function remembered(directory: string, clock: World['clock']): Promise<{ head?: Head; warning?: string }> {
  const path = storePath(directory)
  const blind = 'the end of the log is not checked: records cut off there would not be noticed'
  if (!(await exists(path))) return { warning: `there is no store beside the log; ${blind}` }
  try {
    const store = await openSqliteStore({ path, clock, role: 'guest' })
    try {
      return { head: await store.auditIndex.head() }
    } finally {
      store.close()
    }
  } catch (error) {
    const why = isSignerError(error) ? JSON.stringify(error.detail) : 'unexpected fault'
    return { warning: `the store cannot be asked (${why}); ${blind}` }
  }
}

const goneLog = (head: NonNullable<Head>): AuditVerdict => ({
  ok: false,
  segment: segmentName(1),
  record: 1,
  offset: 0,
  reason: `there is no log, and the store knows ${head.seq} records of it`,
  fix: 'Somebody removed it: keep a copy of the directory as evidence, and restore the log from its copy.',
})

const noLog = (directory: string): SignerError =>
  new SignerError('request/malformed', {
    field: '--data',
    reason: `${JSON.stringify(directory)} holds no audit log`,
    fix: 'name the data directory of the service: the one with the folder "audit" in it',
  })
