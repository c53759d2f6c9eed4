import canonicalize from 'canonicalize'
import type { EnvelopeContext } from '../src/domain/provider.ts'

/**
 * An envelope context as one string of bytes, for services whose associated data is bytes: the context as a JSON object
 * in the canonical form of RFC 8785 (members sorted by UTF-16 code units, no white space), in UTF-8. Two contexts give
 * the same bytes only when they have the same entries, and every language can make these bytes again.
 * `{ version: '1', pubkey: 'G…' }` gives `{"pubkey":"G…","version":"1"}`.
 *
 * @param context checked by `contextProblem`: not empty, well-formed Unicode.
 */
export function contextBytes(context: EnvelopeContext): Uint8Array {
  const text = canonicalize({ ...context })
  if (text === undefined) throw new TypeError('Cannot encode a context that is no object')
  return new TextEncoder().encode(text)
}
