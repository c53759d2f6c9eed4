/**
 * A directory in memory that fails on demand and knows what would survive a power cut. For tests and simulation. Not durable.
 * It has the habits of a real disk: writes land in sectors of 512 bytes, in any order, until a sync; a failed sync leaves
 * its sectors readable but no later sync will write them ("fsyncgate").
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { SignerError } from '../domain/errors.ts'
import type { AuditFile, AuditFiles } from './files.ts'

const SECTOR = 512

export interface Operation {
  readonly kind: 'open' | 'write' | 'datasync' | 'truncate' | 'syncDir' | 'close'
  /** Empty for the directory. */
  readonly name: string
  /** Counts all operations from 1. */
  readonly n: number
}

/** An errno fails the operation; `short` takes half of a write; `hang` never answers. */
export type DiskFault = 'EIO' | 'ENOSPC' | 'EROFS' | 'short' | 'hang'

interface Inode {
  data: Uint8Array
  length: number
  /** What a power cut leaves for certain. */
  disk: Uint8Array
  readonly dirty: Set<number>
  /** The name is on disk. */
  named: boolean
}

export interface MemoryFiles extends AuditFiles {
  /** All operations so far that change something. */
  readonly operations: readonly Operation[]
  /** Asked before each operation; undefined lets it pass, a promise holds it up. */
  fault: (operation: Operation) => DiskFault | Promise<void> | undefined
  /** A copy of what is in the file now. */
  bytes(name: string): Uint8Array
  /** Replaces, adds or (undefined) removes a file, as somebody with access to the disk would; counts as on disk. */
  put(name: string, bytes: Uint8Array | undefined): void
  /** What is on disk after a power cut now: each unsynced sector written, not written, or half written, as `chance` (0 … 1) has it. */
  powerCut(chance: () => number): MemoryFiles
  /** Nothing but what is on disk for certain. */
  synced(): MemoryFiles
  /** All as it is now, synced: what a killed process leaves. */
  copy(): MemoryFiles
}

export interface MemoryFilesOptions {
  /** Files as O_DSYNC opens them: the sync is the second half of every write, and fails, hangs and is cut off as such. */
  readonly writesThrough?: boolean
}

export function createMemoryFiles(options: MemoryFilesOptions = {}): MemoryFiles {
  const inodes = new Map<string, Inode>()
  const operations: Operation[] = []
  let isLocked = false

  /** Passes, fails or never answers. @returns true for a short write */
  const enter = async (kind: Operation['kind'], name: string): Promise<boolean> => {
    const operation = { kind, name, n: operations.length + 1 }
    operations.push(operation)
    const fault = files.fault(operation)
    if (fault === undefined) return false
    if (fault === 'short') return true
    if (typeof fault !== 'string') {
      await fault
      return false
    }
    if (fault === 'hang') return new Promise(() => {})
    if (kind === 'datasync') inodes.get(name)?.dirty.clear()
    throw Object.assign(new Error(`${fault}: ${kind} ${name}`), { code: fault })
  }

  const files: MemoryFiles = {
    where: 'memory',
    operations,
    fault: () => undefined,
    sha256: bytes => bytesToHex(sha256(bytes)),
    list: async () => [...inodes.keys()],
    async open(name, how) {
      const known = inodes.get(name)
      if ((known === undefined) !== (how === 'create')) throw failure(how === 'create' ? 'EEXIST' : 'ENOENT', name)
      if (how !== 'read') await enter('open', name)
      const inode = known ?? {
        data: new Uint8Array(4096),
        length: 0,
        disk: new Uint8Array(),
        dirty: new Set<number>(),
        named: false,
      }
      inodes.set(name, inode)
      return memoryFile(name, inode, enter, how === 'read', options.writesThrough === true)
    },
    async syncDir() {
      await enter('syncDir', '')
      for (const inode of inodes.values()) inode.named = true
    },
    async lock() {
      if (isLocked)
        throw new SignerError('start/refused', { reason: 'another writer has the audit log', fix: 'Close it first.' })
      isLocked = true
      return async () => void (isLocked = false)
    },
    bytes: name => present(inodes, name).data.slice(0, present(inodes, name).length),
    put(name, bytes) {
      if (bytes === undefined) inodes.delete(name)
      else inodes.set(name, synced(bytes.slice()))
    },
    powerCut(chance) {
      const image = createMemoryFiles(options)
      for (const [name, inode] of inodes)
        if (inode.named || chance() < 0.5) image.put(name, afterPowerCut(inode, chance))
      return image
    },
    synced() {
      const image = createMemoryFiles(options)
      for (const [name, inode] of inodes) if (inode.named) image.put(name, inode.disk)
      return image
    },
    copy() {
      const image = createMemoryFiles(options)
      for (const name of inodes.keys()) image.put(name, files.bytes(name))
      return image
    },
  }
  return files
}

function memoryFile(
  name: string,
  inode: Inode,
  enter: (kind: Operation['kind'], name: string) => Promise<boolean>,
  isReader: boolean,
  writesThrough: boolean,
): AuditFile {
  const datasync = async (): Promise<void> => {
    await enter('datasync', name)
    const disk = new Uint8Array(inode.length)
    disk.set(inode.disk.subarray(0, inode.length))
    for (const sector of inode.dirty) {
      const from = sector * SECTOR
      if (from < inode.length) disk.set(inode.data.subarray(from, Math.min(from + SECTOR, inode.length)), from)
    }
    inode.dirty.clear()
    inode.disk = disk
  }
  return {
    ...(writesThrough ? { writesThrough } : {}),
    async write(bytes, position) {
      const short = await enter('write', name)
      const taken = short ? bytes.length >> 1 : bytes.length
      resize(inode, Math.max(inode.length, position + taken))
      inode.data.set(bytes.subarray(0, taken), position)
      mark(inode, position, position + taken)
      if (writesThrough && !short) await datasync()
      return taken
    },
    async read(into, position) {
      const part = inode.data.subarray(position, Math.min(inode.length, position + into.length))
      into.set(part)
      return part.length
    },
    datasync,
    async truncate(length) {
      await enter('truncate', name)
      const before = inode.length
      resize(inode, length)
      inode.data.fill(0, length, before)
      mark(inode, Math.min(before, length), Math.max(before, length))
    },
    size: async () => inode.length,
    async close() {
      if (!isReader) await enter('close', name)
    },
  }
}

function resize(inode: Inode, length: number): void {
  inode.length = length
  if (length <= inode.data.length) return
  const grown = new Uint8Array(Math.max(length, inode.data.length * 2))
  grown.set(inode.data)
  inode.data = grown
}

function mark(inode: Inode, from: number, to: number): void {
  for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) inode.dirty.add(sector)
}

/** Length first: the old one, the new one or one between; then each dirty sector for itself. */
function afterPowerCut(inode: Inode, chance: () => number): Uint8Array {
  const [short, long] = [Math.min(inode.disk.length, inode.length), Math.max(inode.disk.length, inode.length)]
  const draw = chance()
  const length =
    draw < 0.25 ? inode.disk.length : draw < 0.6 ? inode.length : short + Math.floor(chance() * (long - short + 1))
  const image = new Uint8Array(length)
  image.set(inode.disk.subarray(0, length))
  for (const sector of [...inode.dirty].toSorted((a, b) => a - b)) {
    const from = sector * SECTOR
    const to = Math.min(from + SECTOR, length, inode.length)
    const fate = chance()
    const torn = fate < 0.45 ? to : fate < 0.9 ? from : from + Math.floor(chance() * SECTOR)
    if (from < Math.min(to, torn)) image.set(inode.data.subarray(from, Math.min(to, torn)), from)
  }
  return image
}

const synced = (bytes: Uint8Array): Inode => ({
  data: bytes,
  length: bytes.length,
  disk: bytes.slice(),
  dirty: new Set(),
  named: true,
})

function present(inodes: ReadonlyMap<string, Inode>, name: string): Inode {
  const inode = inodes.get(name)
  if (inode === undefined) throw failure('ENOENT', name)
  return inode
}

const failure = (code: string, name: string): Error => Object.assign(new Error(`${code}: ${name}`), { code })
