import { SignerError } from '../domain/errors.ts'

/** @throws `start/refused` when `done` has a migration that this program does not know */
export function refuseNewer(done: readonly string[], known: readonly string[], place: string): void {
  const newer = done.find(name => !known.includes(name))
  if (newer === undefined) return
  throw new SignerError('start/refused', {
    reason: `${place} was written by a newer version of this program (it has "${newer}")`,
    fix: 'run that version or a later one; a store is never taken back to an older form',
  })
}

/** A service of the older version may be signing from it, and would not start again on a store that was changed under it. */
export const older = (place: string): SignerError =>
  new SignerError('start/refused', {
    reason: `${place} was written by an older version of this program, and a command beside the service does not change it`,
    fix: 'start the service of this version first, or use the version that wrote the store',
  })
