/** The marker that makes a seal outlive the process: 512 bytes made at the first open and overwritten in place. See FORMAT.md. */
import type { AuditFile, AuditFiles } from './files.ts'

export const STATE_NAME = 'STATE'
/** One sector: written whole or not at all. */
export const STATE_BYTES = 512

export interface Marker {
  readonly state: 'open' | 'sealed'
  readonly reason: string
  /** ISO 8601, UTC. */
  readonly at: string
  /** Where the log stood: what is on disk for certain reaches to `seq`. */
  readonly segment: number
  readonly seq: number
}

export function markerBytes(marker: Marker): Uint8Array {
  // ASCII only, so that characters are bytes; a quote or backslash may double.
  const reason = marker.reason.slice(0, 140).replace(/[^\x20-\x7e]/g, '?')
  const text = JSON.stringify({ format: 1, ...marker, reason })
  return new TextEncoder().encode(`${text.padEnd(STATE_BYTES - 1)}\n`)
}

/** Undefined: this is no marker. */
export function parseMarker(bytes: Uint8Array): Marker | undefined {
  if (bytes.length !== STATE_BYTES || bytes[STATE_BYTES - 1] !== 10) return undefined
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Partial<Marker> & {
      format?: unknown
    }
    const whole =
      value.format === 1 && (value.state === 'open' || value.state === 'sealed') && typeof value.reason === 'string'
    return whole ? (value as Marker) : undefined
  } catch {
    return undefined
  }
}

export async function createMarker(files: AuditFiles, exists: boolean, marker: Marker): Promise<AuditFile> {
  const file = await files.open(STATE_NAME, exists ? 'write' : 'create')
  await file.truncate(STATE_BYTES)
  await writeMarker(file, marker)
  // Also for a segment whose maker was killed before its name was on disk.
  await files.syncDir()
  return file
}

/** Fails when the bytes are not on disk. */
export async function writeMarker(file: AuditFile, marker: Marker): Promise<void> {
  const bytes = markerBytes(marker)
  const written = await file.write(bytes, 0)
  if (written !== bytes.length) throw new Error('short write')
  await file.datasync()
}

export async function readMarker(file: AuditFile): Promise<Marker | undefined> {
  const bytes = new Uint8Array(STATE_BYTES + 1)
  return parseMarker(bytes.subarray(0, await file.read(bytes, 0)))
}
