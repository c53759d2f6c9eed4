/** The audit directory on a real disk, by `node:fs`: the same on Bun, Node and Deno. */
import { hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SignerError } from '../domain/errors.ts'
import type { AuditFile, AuditFiles } from './files.ts'
import { takeLock } from './node-lock.ts'

const OTHERS_WRITE = 0o022
const FLAGS = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  write: constants.O_RDWR,
  read: constants.O_RDONLY,
} as const

export interface NodeFilesOptions {
  /** `read`: for verifying and listing; makes nothing, locks nothing, and takes directories as they come. */
  readonly access: 'write' | 'read'
}

/**
 * @param directory  made with mode 0700 if it is not there and `access` is `write`
 * @throws `start/refused` if group or others may write to it, if it belongs to somebody else, or is no directory
 */
export async function nodeAuditFiles(directory: string, { access }: NodeFilesOptions): Promise<AuditFiles> {
  if (access === 'write') {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await refuseIfShared(directory)
  }
  return {
    where: directory,
    sha256: bytes => hash('sha256', bytes, 'hex'),
    list: () => readdir(directory),
    open: async (name, how) =>
      nodeFile(await open(join(directory, name), FLAGS[access === 'read' ? 'read' : how], 0o600)),
    async syncDir() {
      // Windows has no way to sync a directory; its file systems log such changes.
      if (process.platform === 'win32') return
      const handle = await open(directory, constants.O_RDONLY)
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
    lock: () => takeLock(directory),
  }
}

/**
 * Handles that are open. A handle nobody holds any more, such as one that a failing disk gave us after we had stopped
 * waiting for it, is closed by the garbage collector, and Bun and Node then end the process with an error: a sealed
 * signer has to live and answer.
 */
const held = new Set<FileHandle>()

function nodeFile(handle: FileHandle): AuditFile {
  held.add(handle)
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    async read(into, position) {
      let filled = 0
      while (filled < into.length) {
        const { bytesRead } = await handle.read(into, filled, into.length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled
    },
    datasync: () => handle.datasync(),
    truncate: length => handle.truncate(length),
    size: async () => (await handle.stat()).size,
    close: async () => {
      await handle.close()
      held.delete(handle)
    },
  }
}

async function refuseIfShared(directory: string): Promise<void> {
  const found = await stat(directory)
  const refuse = (reason: string, fix: string): SignerError =>
    new SignerError('start/refused', { reason: `audit directory ${directory}: ${reason}`, fix })
  if (!found.isDirectory()) throw refuse('this is not a directory', 'Name another place.')
  if (process.platform === 'win32') return
  if ((found.mode & OTHERS_WRITE) !== 0) {
    throw refuse(
      `others than the owner may write to it (mode ${(found.mode & 0o777).toString(8)})`,
      `Run: chmod 700 ${directory}`,
    )
  }
  const self = process.getuid?.()
  if (self !== undefined && self !== 0 && found.uid !== self)
    throw refuse(`it belongs to user ${found.uid}, this is ${self}`, 'Run as its owner.')
}
