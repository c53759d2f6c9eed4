/**
 * The parts of RFC 3986 (appendix A) that a sign-in message is made of, character by character and without a regular
 * expression. Only says whether a text is in the form; nothing is decoded or made canonical.
 */
type Test = (code: number) => boolean

const oneOf = (characters: string): Test => {
  const codes = new Set(Array.from(characters, character => character.charCodeAt(0)))
  return code => codes.has(code)
}

const isDigit: Test = code => code >= 0x30 && code <= 0x39
const isAlpha: Test = code => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
const isHexDigit: Test = code => isDigit(code) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)
const isUnreservedMark = oneOf('-._~')
const isUnreserved: Test = code => isAlpha(code) || isDigit(code) || isUnreservedMark(code)
const isSubDelim = oneOf("!$&'()*+,;=")
const isGenDelim = oneOf(':/?#[]@')
const isSchemeMark = oneOf('+-.')
const isUserInfoMark = oneOf(':')
const isPathMark = oneOf(':@')
const isQueryMark = oneOf(':@/?')

function every(text: string, test: Test): boolean {
  for (let at = 0; at < text.length; at++) if (!test(text.charCodeAt(at))) return false
  return true
}

/** `*( unreserved / pct-encoded / sub-delims / extra )` */
function isEscaped(text: string, extra: Test): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x25) {
      if (!isHexDigit(text.charCodeAt(at + 1)) || !isHexDigit(text.charCodeAt(at + 2))) return false
      at += 2
    } else if (!isUnreserved(code) && !isSubDelim(code) && !extra(code)) return false
  }
  return true
}

const never: Test = () => false

/** `*( reserved / unreserved / " " )`: printable ASCII but for `"%<>\^` and the backtick, `{|}`. */
export const isStatement = (text: string): boolean =>
  every(text, code => code === 0x20 || isUnreserved(code) || isSubDelim(code) || isGenDelim(code))

/** `*pchar` */
export const isPathCharacters = (text: string): boolean => isEscaped(text, isPathMark)

export const isScheme = (text: string): boolean =>
  text !== '' &&
  isAlpha(text.charCodeAt(0)) &&
  every(text, code => isAlpha(code) || isDigit(code) || isSchemeMark(code))

/** `[ userinfo "@" ] host [ ":" port ]`, with a host that is not empty. */
export function isAuthority(text: string): boolean {
  const at = text.indexOf('@')
  if (at >= 0 && !isEscaped(text.slice(0, at), isUserInfoMark)) return false
  const place = text.slice(at + 1)
  const end = place.startsWith('[') ? place.indexOf(']') + 1 : endOfName(place)
  const host = place.slice(0, end)
  const port = place.slice(end)
  if (port !== '' && (port.charCodeAt(0) !== 0x3a || !every(port.slice(1), isDigit))) return false
  // An IPv4 address is a reg-name too.
  return host.startsWith('[') ? isLiteral(host.slice(1, -1)) : host !== '' && isEscaped(host, never)
}

function endOfName(place: string): number {
  const colon = place.indexOf(':')
  return colon < 0 ? place.length : colon
}

const isLiteral = (text: string): boolean =>
  text.startsWith('v') || text.startsWith('V') ? isFutureAddress(text.slice(1)) : isIpv6(text)

/** `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )` */
function isFutureAddress(text: string): boolean {
  const dot = text.indexOf('.')
  const rest = text.slice(dot + 1)
  return (
    dot > 0 &&
    every(text.slice(0, dot), isHexDigit) &&
    rest !== '' &&
    every(rest, code => isUnreserved(code) || isSubDelim(code) || isUserInfoMark(code))
  )
}

/** Eight groups of 16 bits, the last two perhaps as IPv4; `::` once, for one group or more. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const counts = halves.map((half, at) => groupsOf(half, at === halves.length - 1))
  if (counts.includes(-1)) return false
  const groups = counts.reduce((sum, count) => sum + count, 0)
  return halves.length === 2 ? groups <= 7 : groups === 8
}

/** @returns how many groups of 16 bits, or -1. */
function groupsOf(text: string, last: boolean): number {
  if (text === '') return 0
  const groups = text.split(':')
  let count = 0
  for (const [at, group] of groups.entries()) {
    const isTail = last && at === groups.length - 1 && group.includes('.')
    if (isTail ? !isIpv4(group) : group === '' || group.length > 4 || !every(group, isHexDigit)) return -1
    count += isTail ? 2 : 1
  }
  return count
}

function isIpv4(text: string): boolean {
  const octets = text.split('.')
  return octets.length === 4 && octets.every(octet => octet !== '' && every(octet, isDigit) && isOctet(octet))
}

const isOctet = (text: string): boolean => text.length <= 3 && Number(text) <= 255 && String(Number(text)) === text

/** `scheme ":" hier-part [ "?" query ] [ "#" fragment ]` */
export function isUri(text: string): boolean {
  const colon = text.indexOf(':')
  if (colon < 0 || !isScheme(text.slice(0, colon))) return false
  const [beforeFragment, fragment] = cut(text.slice(colon + 1), '#')
  const [hierarchy, query] = cut(beforeFragment, '?')
  if (!isEscaped(fragment, isQueryMark) || !isEscaped(query, isQueryMark)) return false
  if (!hierarchy.startsWith('//')) return isPath(hierarchy)
  const slash = hierarchy.indexOf('/', 2)
  const end = slash < 0 ? hierarchy.length : slash
  const authority = hierarchy.slice(2, end)
  // `file:///path` has an empty authority.
  return (authority === '' || isAuthority(authority)) && isPath(hierarchy.slice(end))
}

const isPath = (text: string): boolean => text.split('/').every(isPathCharacters)

function cut(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
