/** The word of `known` that `word` was most likely meant to be; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = fold(word.slice(0, 64))
  let best: { word: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(plain, fold(candidate))
    if (best === undefined || distance < best.distance) best = { word: candidate, distance }
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(plain.length / 3)) ? best.word : undefined
}

const fold = (word: string): string => word.toLowerCase().replaceAll('_', '').replaceAll('-', '')

/** Levenshtein, with one row kept. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

/** `trustProxy` to `TRUST_PROXY`, `aws-kms` to `AWS_KMS`. */
export const upperSnake = (name: string): string =>
  name
    .replace(/[A-Z]/g, letter => `_${letter}`)
    .replaceAll('-', '_')
    .toUpperCase()

/** `ACCESS_KEY_ID` to `accessKeyId`. */
export const camel = (name: string): string =>
  name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
