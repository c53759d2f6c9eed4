/** `undefined`: the rule has nothing against it. */
export type Finding = { readonly kind: 'deny' | 'undecided'; readonly reason: string } | undefined

export const deny = (reason: string): Finding => ({ kind: 'deny', reason })
export const undecided = (reason: string): Finding => ({ kind: 'undecided', reason })

/** The first denial, else the first doubt: what comes later in a list never outvotes it. */
export function worst(findings: Iterable<Finding>): Finding {
  let doubt: Finding
  for (const finding of findings) {
    if (finding?.kind === 'deny') return finding
    doubt ??= finding
  }
  return doubt
}

/** Texts of strangers in a sentence: quoted, escaped, cut. */
export const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
