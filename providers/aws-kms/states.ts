import {
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import { isSignerError, SignerError } from '../../src/domain/errors.ts'
import type { Call, Destruction, KeyRef } from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import { requireDays } from '../key-import.ts'
import type { KmsClient } from './client.ts'
import { requireArn } from './translate.ts'

/** AWS KMS API reference, ScheduleKeyDeletion. */
const WINDOW_DAYS_MIN = 7
export const WINDOW_DAYS_MAX = 30

/** What states are set with. */
export interface Parts {
  readonly client: KmsClient
  readonly name: string
}

/** An unanswered one can be sent again: nothing comes of it that was not asked for. */
export async function setState(
  { client, name }: Parts,
  operation: 'DisableKey' | 'EnableKey',
  key: KeyRef,
  call: Call,
): Promise<void> {
  requireArn(name, operation, key)
  await client.attempt({ name: operation, kind: 'read', silent: true }, call, (kms, options) =>
    operation === 'DisableKey'
      ? kms.send(new DisableKeyCommand({ KeyId: key }), options)
      : kms.send(new EnableKeyCommand({ KeyId: key }), options),
  )
}

/**
 * A key that waits already keeps the day that was set first.
 * @throws `key/unsupported` for days that are not granted, and for a key of another use: seeds may be wrapped with it
 */
export async function scheduleDestroy(
  { client, name }: Parts,
  key: KeyRef,
  days: number,
  call: Call,
): Promise<Destruction> {
  requireArn(name, 'ScheduleKeyDeletion', key)
  requireDays(key, days, WINDOW_DAYS_MAX)
  const look = async () => {
    const asked = client.attempt({ name: 'DescribeKey', kind: 'read' }, call, (kms, options) =>
      kms.send(new DescribeKeyCommand({ KeyId: key }), options),
    )
    // What was asked is the destruction: who may not look either hears why that was refused.
    return (await asked.catch(() => undefined))?.output.KeyMetadata
  }
  if (((await look())?.KeyUsage ?? 'SIGN_VERIFY') !== 'SIGN_VERIFY') {
    const reason = 'the KeyUsage of the key is not SIGN_VERIFY: it is not given up as a signing key'
    throw new SignerError('key/unsupported', { key, wanted: 'destroy', reason })
  }
  try {
    const input = { KeyId: key, PendingWindowInDays: Math.max(days, WINDOW_DAYS_MIN) }
    const { output } = await client.attempt({ name: 'ScheduleKeyDeletion', kind: 'read' }, call, (kms, options) =>
      kms.send(new ScheduleKeyDeletionCommand(input), options),
    )
    return destruction(name, key, output.KeyId, output.DeletionDate)
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'provider/refused') throw error
    if (isUnknown(error)) return { absent: true }
    const found = await look()
    if (found?.KeyState !== 'PendingDeletion') throw error
    return destruction(name, key, found.Arn, found.DeletionDate)
  }
}

const isUnknown = ({ cause }: Error): boolean =>
  (cause as { name?: unknown } | null | undefined)?.name === 'NotFoundException'

function destruction(provider: string, key: KeyRef, answered: unknown, date: unknown): Destruction {
  requireSame(key, answered)
  const at = date instanceof Date ? date.getTime() : Number.NaN
  if (Number.isFinite(at)) return { at }
  throw malformed(provider, 'ScheduleKeyDeletion: the answer says no date')
}

/** @throws `key/mismatch` */
export function requireSame(key: KeyRef, answered: unknown): void {
  if (answered !== key) throw new SignerError('key/mismatch', { key, reason: 'AWS KMS answered for another key' })
}
