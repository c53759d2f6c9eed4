/** Looks for secrets in another process's memory, from outside, as an attacker on the host would (Linux). */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

export interface Needle {
  readonly name: string
  readonly bytes: Uint8Array
}

interface Mapping {
  readonly start: number
  readonly end: number
}

const PAGE = 4096
const CHUNK = 4 * 1024 * 1024
const PRESENT_OR_SWAPPED = 0xc0

export interface Found {
  readonly hits: Readonly<Record<string, number>>
  readonly searchedBytes: number
}

/** Counts every needle in all resident private memory that the process can write. */
export function searchMemory(pid: number, needles: readonly Needle[]): Found {
  const hits: Record<string, number> = Object.fromEntries(needles.map(({ name }) => [name, 0]))
  const overlap = Math.max(...needles.map(({ bytes }) => bytes.length)) - 1
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const pages = openSync(`/proc/${pid}/pagemap`, 'r')
  let searchedBytes = 0
  try {
    for (const run of writable(pid).flatMap(mapping => resident(pages, mapping))) {
      for (let at = run.start; at < run.end; at += CHUNK) {
        const chunk = read(memory, at, Math.min(CHUNK + overlap, run.end - at))
        searchedBytes += Math.min(CHUNK, chunk.length)
        for (const { name, bytes } of needles) hits[name] = (hits[name] ?? 0) + count(chunk, bytes, CHUNK)
      }
    }
  } finally {
    closeSync(memory)
    closeSync(pages)
  }
  return { hits, searchedBytes }
}

function writable(pid: number): Mapping[] {
  const mappings: Mapping[] = []
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [range = '', mode = ''] = line.split(' ')
    const [start = '', end = ''] = range.split('-')
    if (mode.startsWith('rw')) mappings.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) })
  }
  return mappings
}

/** Runtimes reserve far more than they use: only pages that exist are read. */
function resident(pages: number, mapping: Mapping): Mapping[] {
  const total = (mapping.end - mapping.start) / PAGE
  const runs: Mapping[] = []
  let open: number | undefined
  for (let first = 0; first < total; first += CHUNK / 8) {
    const entries = read(pages, (mapping.start / PAGE + first) * 8, Math.min(CHUNK / 8, total - first) * 8)
    for (let index = 0; index * 8 < entries.length; index++) {
      const address = mapping.start + (first + index) * PAGE
      const here = ((entries[index * 8 + 7] ?? 0) & PRESENT_OR_SWAPPED) !== 0
      if (here) open ??= address
      if (here || open === undefined) continue
      runs.push({ start: open, end: address })
      open = undefined
    }
  }
  if (open !== undefined) runs.push({ start: open, end: mapping.end })
  return runs
}

/** Short when the mapping went away meanwhile. */
function read(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    let got = 0
    try {
      got = readSync(file, buffer, done, length - done, position + done)
    } catch {
      break
    }
    if (got === 0) break
    done += got
  }
  return buffer.subarray(0, done)
}

/** Matches that begin before `limit`: what begins later belongs to the next chunk. */
function count(chunk: Buffer, wanted: Uint8Array, limit: number): number {
  let found = 0
  for (let at = chunk.indexOf(wanted); at >= 0 && at < limit; at = chunk.indexOf(wanted, at + 1)) found++
  return found
}
