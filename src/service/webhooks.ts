import { randomId } from '../bytes/ids.ts'
import { readWebhookSecret, signWebhook } from '../bytes/webhook.ts'
import type { AuditActor, AuditLog } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { NoticeQueue, QueuedNotice } from '../domain/notices.ts'
import type { Logger, World } from '../domain/ports.ts'
import { reveal, type Secret } from '../domain/secret.ts'
import { before } from './deadline.ts'

export interface WebhookSettings {
  /** https, or http on this machine. */
  readonly url: string
  /** `whsec_…` */
  readonly secret: Secret
}

export interface WebhookParts {
  readonly world: World
  readonly queue: NoticeQueue
  readonly audit: Pick<AuditLog, 'append' | 'state'>
  readonly actor: AuditActor
  readonly logger: Pick<Logger, 'warn'>
}

const ANSWER_MS = 10_000
/** Whoever took a notice and died gives it back after this. */
const LEASE_MS = 60_000
const AT_ONCE = 10
const [FIRST_MS, MOST_MS] = [5_000, 3_600_000]
const GIVE_UP_MS = 86_400_000

/**
 * Tells one endpoint, which the configuration names, what happened: at least once, signed as Standard Webhooks are, in no
 * promised order. What does not arrive is tried again, later each time, for 24 hours; then it is given up, and the log says
 * so. No path waits for it, and the queue outlives the process.
 *
 * @returns one round: hands out what is due and says how much that was
 * @throws `config/invalid` for a secret that is none
 */
export function createWebhooks(settings: WebhookSettings, parts: WebhookParts): () => Promise<number> {
  const { queue, world } = parts
  const secret = readWebhookSecret(reveal(settings.secret))
  if (secret === undefined) {
    const fix = 'use whsec_ and 24 to 64 bytes in base64'
    throw new SignerError('config/invalid', { problems: [{ path: 'webhooks.secret', problem: 'is none', fix }] })
  }
  return async () => {
    const now = world.clock.now()
    const due = await queue.take(now, now + LEASE_MS, AT_ONCE)
    await Promise.all(
      due.map(async notice => {
        const problem = await send(settings.url, secret, notice, world)
        if (problem === undefined) await queue.end(notice.id)
        else await later(parts, notice, problem)
      }),
    )
    return due.length
  }
}

/** @returns what went wrong; never a word of what the endpoint said */
async function send(
  url: string,
  secret: Uint8Array<ArrayBuffer>,
  { id, body }: QueuedNotice,
  { clock, fetch }: World,
): Promise<string | undefined> {
  return before(clock, ANSWER_MS, async signal => {
    try {
      const timestamp = Math.floor(clock.now() / 1000)
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': await signWebhook(secret, { id, timestamp, body }),
      }
      // Where it points elsewhere it is not followed: the endpoint is the one that was configured, or none.
      const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
      response.body?.cancel().catch(() => {})
      return response.status >= 200 && response.status < 300 ? undefined : `status ${response.status}`
    } catch {
      return signal.aborted ? 'no answer in time' : 'no connection'
    }
  })
}

async function later(
  { queue, world, audit, actor, logger }: WebhookParts,
  { id, event, at, tries }: QueuedNotice,
  problem: string,
): Promise<void> {
  const now = world.clock.now()
  logger.warn('webhook-not-delivered', { notice: id, event, tries, problem })
  if (now - at < GIVE_UP_MS) return queue.postpone(id, now + waitMs(tries, world))
  // On record before it is forgotten, so while nothing can be recorded it is kept.
  if (audit.state.kind !== 'open') return queue.postpone(id, now + waitMs(tries, world))
  const detail = { notice: id, notified: event, tries, problem }
  const auditId = randomId(world.random, 'a')
  await audit.append({ kind: 'event', auditId, event: 'webhook-given-up', actor, detail })
  await queue.end(id)
}

/** Twice as long each time, up to an hour, and some of it by chance, so that those who failed together come apart. */
function waitMs(tries: number, { random }: Pick<World, 'random'>): number {
  const most = Math.min(FIRST_MS * 2 ** Math.min(tries - 1, 20), MOST_MS)
  const [high = 0, low = 0] = random.bytes(2)
  return Math.ceil(most / 2 + (most / 2) * ((high * 256 + low) / 65_535))
}
