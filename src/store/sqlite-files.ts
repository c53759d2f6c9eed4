import { chmodSync, closeSync, lstatSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { SignerError } from '../domain/errors.ts'

const OTHERS = 0o077

/**
 * Makes the directory (0700) and the file (0600) when they are missing, and refuses them when others of the machine may
 * read or write them. SQLite gives its side files (`-wal`, `-shm`) the mode of the file.
 * @throws `start/refused` naming the path and the command that mends it.
 */
export function privateFile(path: string): void {
  const directory = dirname(path)
  asStart(`make the directory ${directory}`, () => mkdirSync(directory, { recursive: true, mode: 0o700 }))
  const place = lstatSync(directory, { throwIfNoEntry: false })
  if (place !== undefined && place.isSymbolicLink()) throw notPlain(directory, 'directory')
  refuseOthers(directory, place?.mode ?? 0, 'chmod 700')

  const file = lstatSync(path, { throwIfNoEntry: false })
  if (file === undefined) return asStart(`make the file ${path}`, () => createEmpty(path))
  if (!file.isFile()) throw notPlain(path, 'file')
  refuseOthers(path, file.mode, 'chmod 600')
}

function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    chmodSync(path, 0o600) // whatever the umask took away or an ACL added
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error // another process made it just now, in the same way
  }
}

function refuseOthers(path: string, mode: number, command: string): void {
  if (process.platform === 'win32' || (mode & OTHERS) === 0) return
  throw new SignerError('start/refused', {
    reason: `others on this machine may reach ${path} (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
    fix: `run: ${command} ${path}`,
  })
}

const notPlain = (path: string, kind: string) =>
  new SignerError('start/refused', {
    reason: `${path} is not a plain ${kind}`,
    fix: `name the ${kind} itself, not a link to it`,
  })

export function asStart<T>(action: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    const { code = 'unknown' } = error as { code?: string }
    throw new SignerError(
      'start/refused',
      { reason: `could not ${action} (${code})`, fix: 'check that the path is right and this user may write there' },
      { cause: error },
    )
  }
}
