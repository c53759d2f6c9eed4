/**
 * Compares in a time that depends on the lengths alone, never on where the first difference is.
 * Lengths are not secret: arrays of different length are unequal at once.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0)
  return difference === 0
}
