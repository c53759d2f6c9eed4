/** The path of a unix socket, before and after a server listens on it. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { SignerError } from '../domain/errors.ts'

/** Owner and group may connect, nobody else: whoever can connect can ask for signatures. */
export const SOCKET_MODE = 0o660
/** The umask under which a socket is born with at most `SOCKET_MODE`, so that it is never open to others, not even for an instant. */
export const SOCKET_UMASK = 0o117

/** Answers quickly whether somebody listens; a socket file without a listener refuses at once. */
const isAnswered = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const probe = connect(path)
    const answer = (alive: boolean) => {
      probe.destroy()
      resolve(alive)
    }
    probe.once('connect', () => answer(true))
    probe.once('error', () => answer(false))
  })

/**
 * Removes the socket a killed process left behind.
 * @throws `start/refused` when another process answers there, or when something other than a socket stands there.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new SignerError('start/refused', {
      reason: `${path} exists and is not a socket`,
      fix: 'Give a path that is free.',
    })
  }
  if (await isAnswered(path)) {
    throw new SignerError('start/refused', {
      reason: `another process listens on ${path}`,
      fix: 'Stop it, or give another path.',
    })
  }
  unlinkSync(path)
}

export const guardSocket = (path: string): void => chmodSync(path, SOCKET_MODE)

export function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path)
}

/** Turns the failure to listen into words an operator can act on. */
export function cannotListen(where: string, cause: unknown): SignerError {
  const code = (cause as { code?: unknown } | null)?.code
  const reason = typeof code === 'string' ? code : cause instanceof Error ? cause.message : 'unknown reason'
  return new SignerError(
    'start/refused',
    {
      reason: `cannot listen on ${where}: ${reason}`,
      fix: 'Free the address, give another one, or use port 0 for any free port.',
    },
    { cause },
  )
}
