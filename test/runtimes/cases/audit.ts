import { type MemoryFiles, createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { openMemoryAuditLog } from '../../../src/audit/memory.ts'
import { openAuditLog } from '../../../src/audit/open.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import type { AuditEntry } from '../../../src/domain/audit.ts'
import { type Cases, outcome } from '../report.ts'
import { fixedClock, seededRandom } from '../world.ts'

const actor = { subject: 'payments', tokenId: 't1', peer: '127.0.0.1' }

function signature(n: number): [AuditEntry, AuditEntry] {
  const ids = { auditId: `a${n}`, requestId: `r${n}` }
  const intent: AuditEntry = {
    kind: 'intent',
    ...ids,
    actor,
    operation: 'sign',
    key: 'treasury',
    version: 1,
    address: 'G…',
    network: 'testnet',
    payloadType: 'stellar-transaction',
    digest: 'ab'.repeat(32),
    summary: `pays ${n} XLM, with "quotes", \\ and ü\u2028`,
    decision: 'allow',
    policyHash: 'cd'.repeat(32),
  }
  const outcome: AuditEntry = {
    kind: 'outcome',
    ...ids,
    result: n % 3 === 0 ? 'failed' : 'released',
    decision: 'allow',
    key: 'treasury',
    version: 1,
    ...(n % 3 === 0 ? { errorCode: 'provider/unavailable' } : { signature: btoa('s'.repeat(64)) }),
    durationMs: n / 8,
  }
  return [intent, outcome]
}

async function written(files: MemoryFiles): Promise<void> {
  const { log } = await openAuditLog({ files, clock: fixedClock(), random: seededRandom('audit'), instance: 'parity' })
  for (let n = 1; n <= 12; n++) {
    const [intent, outcome] = signature(n)
    await log.append(intent)
    await log.append(outcome)
  }
  await log.close()
}

export const auditCases: Cases = {
  'memory log: chained records': async () => {
    const log = openMemoryAuditLog({ clock: fixedClock(), instance: 'parity' })
    const receipts = []
    for (let n = 1; n <= 5; n++) receipts.push(await log.append(...signature(n)))
    await log.close()
    return [receipts, log.records(), await outcome(() => log.append(...signature(6)))]
  },
  'M-47 segments: the same bytes on every runtime': async () => {
    const files = createMemoryFiles()
    await written(files)
    const names = (await files.list()).toSorted()
    return [names.map(name => [name, sha256(files.bytes(name))]), await verifyAuditLog(files)]
  },
  'M-47 segments: a flipped byte is found at the same record': async () => {
    const files = createMemoryFiles()
    await written(files)
    const segment = (await files.list()).toSorted().findLast(name => files.bytes(name).length > 4096) ?? ''
    const reports: unknown[] = []
    for (let at = 0; at < files.bytes(segment).length; at += 797) {
      const broken = files.bytes(segment)
      broken[at] = (broken[at] ?? 0) ^ 4
      const copy = createMemoryFiles()
      for (const name of await files.list()) copy.put(name, name === segment ? broken : files.bytes(name))
      reports.push(await verifyAuditLog(copy))
    }
    return [segment, reports.length, reports]
  },
}
