import { isSignerError, SignerError } from '../../src/domain/errors.ts'
import type { Call, Destruction, KeyRef } from '../../src/domain/provider.ts'
import { requireDays } from '../key-import.ts'
import { type About, malformed, requireName } from './integrity.ts'
import { isVersionName, keyOf } from './names.ts'
import { type Message, OPERATIONS, textIn, timeIn, type Wire } from './wire.ts'

const DAY_MS = 86_400_000
/** CryptoKey.destroyScheduledDuration has at most 120 days. */
export const WINDOW_DAYS_MAX = 120

/** What states are set with. */
export interface Parts {
  readonly wire: Wire
  readonly name: string
}

export async function setState(
  { wire, name: provider }: Parts,
  state: 'ENABLED' | 'DISABLED',
  key: KeyRef,
  call: Call,
): Promise<void> {
  requireVersion(provider, 'UpdateCryptoKeyVersion', key)
  const answer = await wire.attempt(OPERATIONS.setState, { name: key, fields: { state } }, call)
  const about: About = { provider, operation: 'UpdateCryptoKeyVersion', answer }
  requireName(about, key)
  if (textIn(answer.message, 'state') !== state) throw malformed(about, `the version is not ${state}`)
}

/**
 * The key ring's owner chose how long a version waits when the key was made, and nobody can choose again: a key that waits
 * less than asked is not given up. A version that waits already keeps its day.
 */
export async function destroy(
  { wire, name: provider }: Parts,
  key: KeyRef,
  days: number,
  call: Call,
): Promise<Destruction> {
  requireVersion(provider, 'DestroyCryptoKeyVersion', key)
  requireDays(key, days, WINDOW_DAYS_MAX)
  if (days > 0) await requireWindow({ wire, name: provider }, key, days, call)
  try {
    const answer = await wire.attempt(OPERATIONS.destroy, { name: key }, call)
    const about: About = { provider, operation: 'DestroyCryptoKeyVersion', answer }
    requireName(about, key)
    const told = destruction(answer.message)
    if (told === undefined) throw malformed(about, 'the version is not scheduled for destruction')
    return told
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'provider/refused') throw error
    // What was asked is the destruction: who may not look either hears why that was refused.
    const found = await wire.attempt(OPERATIONS.version, { name: key }, call).catch(() => undefined)
    const told = found !== undefined && textIn(found.message, 'name') === key ? destruction(found.message) : undefined
    if (told === undefined) throw error
    return told
  }
}

function destruction(message: Message): Destruction | undefined {
  const state = textIn(message, 'state')
  if (state === 'DESTROYED') return {}
  const at = timeIn(message, 'destroyTime')
  return state === 'DESTROY_SCHEDULED' && at !== undefined ? { at } : undefined
}

async function requireWindow({ wire, name: provider }: Parts, key: KeyRef, days: number, call: Call): Promise<void> {
  const name = keyOf(key)
  const answer = await wire.attempt(OPERATIONS.key, { name }, call)
  const about: About = { provider, operation: 'GetCryptoKey', answer }
  requireName(about, name)
  const window = timeIn(answer.message, 'destroyScheduledDuration')
  if (window === undefined) throw malformed(about, 'the answer does not say how long versions wait for destruction')
  if (window >= days * DAY_MS) return
  const reason = `its versions wait ${Math.floor(window / DAY_MS)} days, which was chosen when the key was made`
  throw new SignerError('key/unsupported', { key, wanted: `destruction after ${days} days`, reason })
}

function requireVersion(provider: string, operation: string, key: KeyRef): void {
  if (isVersionName(key)) return
  const reason = `${operation}: the reference is not the full name of a version; use the one that is pinned`
  throw new SignerError('provider/refused', { provider, reason })
}
