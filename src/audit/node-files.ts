/** The audit directory on a real disk, by `node:fs`: the same on Bun, Node and Deno. */
import { hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, stat, statfs } from 'node:fs/promises'
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
  const through = access === 'write' && (await honoursDsync(directory)) ? constants.O_DSYNC : 0
  return {
    where: directory,
    sha256: bytes => hash('sha256', bytes, 'hex'),
    list: () => readdir(directory),
    open: async (name, how) => {
      const wanted = access === 'read' ? 'read' : how
      // STATE is written where a disk has just failed: there the plain way, one step after the other.
      const flags = FLAGS[wanted] | (wanted === 'read' || !name.endsWith('.log') ? 0 : through)
      const handle = await open(join(directory, name), flags, 0o600)
      return nodeFile(handle, (flags & through) !== 0 && (await isDsync(handle)))
    },
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

function nodeFile(handle: FileHandle, writesThrough: boolean): AuditFile {
  held.add(handle)
  return {
    writesThrough,
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

/**
 * Local file systems of Linux that complete an O_DSYNC write only when its bytes are as safe as `fdatasync` would make them,
 * by `statfs` type: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, overlayfs. Closed: elsewhere (FUSE and network file systems
 * above all) the two calls stay two. Deno takes no such flag, and macOS asks the drive to flush only in `fdatasync`.
 */
const HONOUR_DSYNC = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630])

async function honoursDsync(directory: string): Promise<boolean> {
  if (process.platform !== 'linux' || 'deno' in process.versions) return false
  return statfs(directory).then(
    ({ type }) => HONOUR_DSYNC.has(type),
    () => false,
  )
}

/** A flag that was asked for may have been dropped on the way: the kernel says what the file was opened with. */
async function isDsync({ fd }: FileHandle): Promise<boolean> {
  const text = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '')
  const flags = /^flags:\s*([0-7]{1,16})$/m.exec(text)?.[1] ?? '0'
  return (Number.parseInt(flags, 8) & constants.O_DSYNC) !== 0
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
