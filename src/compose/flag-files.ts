import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toHex } from '../bytes/hex.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { sha256 } from '../bytes/sha256.ts'
import { parseToml } from '../config/toml.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { type FlagSet, hashOfFlags, NO_FLAGS, readFlagSet, type WatchedDocument } from '../routing/index.ts'

const BYTES_MAX = 1_048_576
/** A lock this old belongs to a process that died. */
const LOCK_MS = 30_000
const LOCK_TRIES = 100
const HISTORY_KEPT = 1_000

export const isToml = (path: string): boolean => path.endsWith('.toml')
const historyOf = (path: string): string => join(dirname(path), `${basename(path)}.history`)
const nameOf = (number: number): string => `${String(number).padStart(6, '0')}.json`

/** The file as the service watches it. */
export const flagDocument = (path: string): WatchedDocument => ({
  stamp: () => stampOf(path),
  read: () => readFlags(path),
})

/** Time of change in nanoseconds, size, and identity: a file that took the place of another counts as changed. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true })
    return `${mtimeNs}:${size}:${ino}`
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** @throws `config/invalid` */
async function readFlags(path: string): Promise<FlagSet> {
  const file = await open(path, constants.O_RDONLY)
  try {
    const { size } = await file.stat()
    if (size > BYTES_MAX) throw invalid(path, `has ${size} bytes`, `keep it below ${BYTES_MAX}`)
    return parseFlags(path, await file.readFile())
  } finally {
    await file.close()
  }
}

function parseFlags(path: string, bytes: Uint8Array): FlagSet {
  let value: unknown
  try {
    value = isToml(path) ? parseToml(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) : parseStrictJson(bytes)
  } catch (error) {
    const why = isToml(path) && error instanceof Error ? error.message : 'is not JSON of one reading'
    throw invalid(path, why, 'mend it, or go back with `countersign flags rollback`')
  }
  return readFlagSet(value)
}

/** The flags now; none when the file is not there. */
export async function currentFlags(path: string): Promise<FlagSet> {
  return (await stampOf(path)) === undefined ? NO_FLAGS : readFlags(path)
}

/** What is there, also when it cannot be read: then its hash is that of its bytes, and there are no flags. */
export async function stateOfFlags(path: string): Promise<{ readonly hash: string; readonly flags?: FlagSet }> {
  try {
    const flags = await currentFlags(path)
    return { hash: hashOfFlags(flags), flags }
  } catch (error) {
    if (!isSignerError(error)) throw error
    return { hash: `unreadable-${toHex(sha256(await readFile(path)))}` }
  }
}

export interface FlagHistory {
  readonly number: number
  readonly hash: string
  readonly at: string
  /** The number it was brought back from. */
  readonly from?: number
}

interface HistoryEntry {
  readonly at: string
  readonly from?: number
  readonly flags: unknown
}

/** The newest first. What cannot be read is left out. */
export async function historyOfFlags(path: string): Promise<readonly FlagHistory[]> {
  const found: FlagHistory[] = []
  for (const number of await historyNumbers(path)) {
    const entry = await readHistory(path, number).catch(() => undefined)
    if (entry === undefined) continue
    const { at, from, flags } = entry
    found.push({ number, hash: hashOfFlags(flags), at, ...(from === undefined ? {} : { from }) })
  }
  return found.toReversed()
}

/** @throws `request/malformed` when there is no such number */
export async function readHistory(path: string, number: number): Promise<HistoryEntry & { readonly flags: FlagSet }> {
  try {
    const { at, from, flags } = JSON.parse(
      await readFile(join(historyOf(path), nameOf(number)), 'utf8'),
    ) as HistoryEntry
    return { at, flags: readFlagSet(flags), ...(from === undefined ? {} : { from }) }
  } catch (cause) {
    throw new SignerError(
      'request/malformed',
      { field: '--to', reason: `there is no version ${number} that can be read`, fix: 'see `countersign flags show`' },
      { cause },
    )
  }
}

async function historyNumbers(path: string): Promise<number[]> {
  try {
    const names = await readdir(historyOf(path))
    return names
      .filter(name => /^\d{6}\.json$/.test(name))
      .map(name => Number(name.slice(0, 6)))
      .toSorted((a, b) => a - b)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/**
 * Compare and set: writes what `change` makes of the flags only when they still have the hash that the change was made
 * for. One writer at a time; the file is replaced in one step, mode 0600, and every state it had is kept beside it.
 *
 * @throws `request/malformed` naming the hash now, when somebody else was faster; nothing is written then
 */
export async function replaceFlags(
  path: string,
  clock: Pick<Clock, 'now' | 'sleep'>,
  expected: string,
  next: FlagSet,
  from?: number,
): Promise<void> {
  const unlock = await lock(path, clock)
  try {
    const { hash: now, flags: before } = await stateOfFlags(path)
    if (now !== expected) throw changedMeanwhile(now)
    await mkdir(historyOf(path), { recursive: true, mode: 0o700 })
    const numbers = await historyNumbers(path)
    let newest = numbers.at(-1) ?? 0
    const last = newest === 0 ? undefined : await readHistory(path, newest).catch(() => undefined)
    const keep = (flags: FlagSet, more: { from?: number } = {}): Promise<void> =>
      write(join(historyOf(path), nameOf(++newest)), { at: new Date(clock.now()).toISOString(), ...more, flags })
    // Written by hand since, or never kept: rollback must be able to come back to it.
    if (before !== undefined && (last === undefined || hashOfFlags(last.flags) !== now)) await keep(before)
    await keep(next, from === undefined ? {} : { from })
    await write(path, next)
    for (const old of numbers.slice(0, Math.max(0, numbers.length - HISTORY_KEPT))) {
      await rm(join(historyOf(path), nameOf(old)), { force: true })
    }
  } finally {
    await unlock()
  }
}

export const changedMeanwhile = (now: string): SignerError =>
  new SignerError('request/malformed', {
    field: 'flags',
    reason: `somebody else changed them: their hash is ${now}`,
    fix: 'look at them with `countersign flags show`, and try again',
  })

async function write(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.new`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(path), constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function lock(path: string, clock: Pick<Clock, 'now' | 'sleep'>): Promise<() => Promise<void>> {
  const name = `${path}.lock`
  for (let tries = 1; ; tries++) {
    try {
      const file = await open(name, 'wx', 0o600)
      await file.close()
      return () => rm(name, { force: true })
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    }
    const age = await stat(name).then(
      ({ mtimeMs }) => clock.now() - mtimeMs,
      () => 0,
    )
    if (age > LOCK_MS) await rm(name, { force: true })
    else if (tries === LOCK_TRIES) {
      throw new SignerError('store/unavailable', { reason: `another command holds ${basename(name)}` })
    } else await clock.sleep(20)
  }
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT'

const invalid = (path: string, problem: string, fix: string): SignerError =>
  new SignerError('config/invalid', { problems: [{ path, problem, fix }] })
