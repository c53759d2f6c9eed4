/**
 * Room for a secret. Engines keep small arrays inside their garbage-collected heap and move them, leaving copies that
 * nobody can wipe; a buffer made first has its bytes outside, in one place, so that `fill(0)` means it.
 */
export const secretRoom = (length: number): Uint8Array => new Uint8Array(new ArrayBuffer(length))

/** The same bytes in room of their own; both are the caller's to wipe. */
export function secretCopy(bytes: Uint8Array): Uint8Array {
  const copy = secretRoom(bytes.length)
  copy.set(bytes)
  return copy
}
