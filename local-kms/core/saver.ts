import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface Saver {
  /** Something changed. All changes of one turn of the event loop go to the file in one write. */
  changed(): void
  /** Resolves once every change so far is on file. Rejects with what stood in the way; the next caller has it tried again. */
  saved(): Promise<void>
  /** Writes before it returns. */
  now(): void
}

/** @param write  puts the whole state on file; absent: nothing is kept. */
export function createSaver(write: (() => void) | undefined): Saver {
  if (write === undefined) return { changed() {}, saved: () => Promise.resolve(), now() {} }
  let dirty = false
  let turn: Promise<void> | undefined

  const now = (): void => {
    write()
    dirty = false
  }
  const schedule = (): Promise<void> => {
    turn = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        turn = undefined
        try {
          if (dirty) now()
          resolve()
        } catch (problem) {
          reject(problem)
        }
      })
    })
    turn.catch(() => {}) // whoever awaits `saved` hears of it
    return turn
  }
  return {
    changed() {
      dirty = true
      if (turn === undefined) void schedule()
    },
    saved: () => (dirty ? (turn ?? schedule()) : Promise.resolve()),
    now,
  }
}

/**
 * Readers find the old text or the new one, never a part, also when the process is killed in between: the text goes to a
 * second file that takes the place of the first. Not flushed to the disk: that would cost milliseconds a call, and all it
 * buys is keys of an emulator after a power cut.
 */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** Undefined: there is no such file. @throws SyntaxError when it holds no JSON object */
export function readJsonFile(path: string): Record<string, unknown> | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (problem) {
    if ((problem as { code?: unknown }).code === 'ENOENT') return undefined
    throw problem
  }
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not a JSON object')
  return value as Record<string, unknown>
}
