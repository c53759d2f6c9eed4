import type { z } from 'zod'

/** A schema's refinement: a text that is no endpoint is refused with the reason and the fix. */
export function refineEndpoint(text: string, context: z.RefinementCtx): void {
  const problem = endpointProblem(text)
  if (problem !== undefined) {
    context.addIssue({
      code: 'custom',
      message: `${problem} ⇒ use https://HOST[:PORT], or http:// on 127.0.0.1, [::1] or localhost`,
    })
  }
}

/** Why `text` may not be an endpoint; undefined when it may. Quotes it, unless it carries a user or a password. */
function endpointProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return `${quoted(text)} is not a URL`
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'carries a user or a password'
  if (url.search !== '' || url.hash !== '' || (url.pathname !== '/' && url.pathname !== '')) {
    return `${quoted(text)} has a path, query or fragment`
  }
  if (url.protocol === 'https:') return undefined
  if (url.protocol !== 'http:') return `${quoted(text)} is neither https nor http`
  return isLoopback(url.hostname) ? undefined : `${quoted(text)} is plain http to another machine`
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 120))

/** As `URL.hostname` prints it: IPv4 in canonical dotted form, IPv6 in brackets. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  const parts = hostname.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every(part => part !== '' && Number.isInteger(Number(part)))
}
