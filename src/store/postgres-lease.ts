import { SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import type { PostgresEngine } from './postgres-engine.ts'

export interface LeaseOptions {
  /** Name of this instance and its log. Two processes never have the same at once. */
  readonly instance: string
  readonly leaseMs: number
  readonly clock: Pick<Clock, 'sleep'>
  readonly place: string
}

/**
 * An instance says that it lives by moving the end of its lease, in the time of the server: clocks of replicas are not
 * compared. What it has reserved is its own as long as the lease runs. Once that ended others may take the reservation; then
 * the row is not this instance's any more, `complete` fails, and nothing is released twice.
 */
export interface Lease {
  /** Owner of reservations: another one at every start. */
  readonly owner: string
  /** @returns false when another process has taken the name of this instance. */
  renew(): Promise<boolean>
  end(): Promise<void>
}

const TAKE = `INSERT INTO instances (name, owner, lease_until)
  VALUES ($1, gen_random_uuid()::text, clock_timestamp() + $2::bigint * interval '1 millisecond')
  ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
  WHERE instances.lease_until < clock_timestamp()
  RETURNING owner`
const LEFT = `SELECT ceil(extract(epoch FROM lease_until - clock_timestamp()) * 1000)::bigint AS left, lease_until::text AS until
  FROM instances WHERE name = $1`
const RENEW = `UPDATE instances SET lease_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
  WHERE name = $1 AND owner = $2`
const END = 'DELETE FROM instances WHERE name = $1 AND owner = $2'

/** SQL: true for the owner of a lease that runs. */
export const lives = (owner: string): string =>
  `EXISTS (SELECT 1 FROM instances WHERE instances.owner = ${owner} AND instances.lease_until > clock_timestamp())`

/**
 * A process that was killed leaves its lease behind; whoever starts in its place waits until that ends. A lease that moves
 * meanwhile belongs to somebody who lives.
 * @throws `start/refused` when another process lives under this name
 */
export async function takeLease(engine: PostgresEngine, options: LeaseOptions): Promise<Lease> {
  const { instance, leaseMs, clock } = options
  const action = 'take the lease of this instance'
  let seen: unknown
  for (;;) {
    const taken = await engine.single(action, 'lease-take', TAKE, [instance, leaseMs])
    const owner = taken.rows[0]?.['owner']
    if (typeof owner === 'string') {
      return {
        owner,
        renew: async () =>
          (await engine.single('renew the lease', 'lease-renew', RENEW, [instance, owner, leaseMs])).changes === 1,
        end: async () => {
          await engine.single('end the lease', 'lease-end', END, [instance, owner])
        },
      }
    }
    const { rows } = await engine.single(action, 'lease-left', LEFT, [instance])
    const until = rows[0]?.['until']
    if (until === undefined) continue // it was given up just now
    if (seen !== undefined && seen !== until) throw inUse(options)
    seen = until
    await clock.sleep(Math.max(1, Math.min(Number(rows[0]?.['left']) + 1, leaseMs / 3)))
  }
}

const inUse = ({ instance, place }: LeaseOptions): SignerError =>
  new SignerError('start/refused', {
    reason: `another process signs as instance "${instance}" from ${place}`,
    fix: 'stop it first, or give this one a name of its own',
  })
