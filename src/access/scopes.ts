import { type Action, ACTIONS } from '../domain/actions.ts'

/**
 * What a token lets its holder do.
 *
 *   scope = word *( SP word )            RFC 6749 §3.3
 *   word  = action ":" ( key-name / "*" )      `ACTIONS` in src/domain/actions.ts
 *
 * `sign:treasury` signs with one key, `sign:*` with every key; the star stands for a whole name and nothing else.
 * `explain` asks what policy would say to a payload and signs nothing. No action includes another. Any other word is
 * somebody else's and grants nothing.
 */
export interface Scope {
  readonly action: Action
  /** A key name, or `*` for every key. */
  readonly key: string
}

export const ANY_KEY = '*'

export function parseScopes(text: string): readonly Scope[] {
  const scopes: Scope[] = []
  for (const word of text.split(' ')) {
    const action = ACTIONS.find(candidate => word.startsWith(`${candidate}:`))
    if (action === undefined) continue
    const key = word.slice(action.length + 1)
    // `sign:treasury*` looks like a pattern and is none; nothing is guessed.
    if (key === ANY_KEY || (key !== '' && !key.includes(ANY_KEY))) scopes.push(Object.freeze({ action, key }))
  }
  return Object.freeze(scopes)
}
