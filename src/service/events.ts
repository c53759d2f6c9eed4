import { randomId } from '../bytes/ids.ts'
import type { AuditActor, AuditLog, AuditReceipt, EventEntry } from '../domain/audit.ts'
import type { Random } from '../domain/ports.ts'

/** Who writes what they did to a key, and where. */
export interface EventDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly random: Random
  readonly actor: AuditActor
}

/** One record of what is done to keys, by whoever these dependencies speak for. @throws what the log says */
export const recordEvent = (
  { audit, random, actor }: EventDeps,
  event: string,
  detail: EventEntry['detail'],
): Promise<AuditReceipt> => audit.append({ kind: 'event', auditId: randomId(random, 'a'), event, actor, detail })
