import type { ConfigProblem } from '../domain/errors.ts'

declare const addressBrand: unique symbol
/**
 * An IP address as 128 bits. IPv4 lives at ::ffff:0:0/96, where IPv6 maps it (RFC 4291 §2.5.5.2): a socket that listens
 * on both families reports `::ffff:192.0.2.1`, and that is the same address as `192.0.2.1`.
 */
export type Address = bigint & { readonly [addressBrand]: true }

/** Addresses that share their first bits. A network is of one family: `::/0` holds no IPv4 address. */
export interface Network {
  readonly first: Address
  /** How many bits at the end are free. */
  readonly freeBits: bigint
}

/** Who connects. A unix socket has no address and is a principal of its own. */
export type Client =
  | { readonly kind: 'ip'; readonly address: Address }
  | { readonly kind: 'unix' }
  /** The runtime did not say, or said something that is no address (a zone, say). On no list. */
  | { readonly kind: 'unknown' }

/** What an allow-list or a proxy list holds. */
export interface AddressList {
  readonly networks: readonly Network[]
  /** True: clients of the unix socket are on the list. */
  readonly unix: boolean
}

export const UNIX = 'unix'
const MAPPED = 0xffffn
const LONGEST = 45
const ENTRIES_MAX = 1024

/**
 * One text for one address: dotted decimal without leading zeros, or RFC 5952. Octal, hexadecimal and short forms of
 * IPv4, zones, brackets, ports, upper case, other ways to shorten, and mapped IPv4 in hexadecimal are no address here.
 * `::ffff:192.0.2.1` is read, as sockets write it, and is IPv4.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > LONGEST) return undefined
  if (!text.includes(':')) return mapped(ipv4Bits(text))
  if (text.includes('.')) return text.startsWith('::ffff:') ? mapped(ipv4Bits(text.slice(7))) : undefined
  const address = ipv6Bits(text) as Address | undefined
  return address !== undefined && formatAddress(address) === text ? address : undefined
}

/** The text that `parseAddress` reads; IPv4 in dotted decimal. */
export function formatAddress(address: Address): string {
  if (isIpv4(address)) return [24n, 16n, 8n, 0n].map(shift => (address >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, at) => Number((address >> BigInt(112 - 16 * at)) & 0xffffn))
  const words = groups.map(group => group.toString(16))
  const gap = longestGap(groups)
  if (gap === undefined) return words.join(':')
  return `${words.slice(0, gap.start).join(':')}::${words.slice(gap.end).join(':')}`
}

export const isIpv4 = (address: Address): boolean => address >> 32n === MAPPED

/**
 * `192.0.2.0/24`, `2001:db8::/32`, or a single address. Bits after the prefix must be zero, so that what is written is
 * what is meant. IPv4 is written as IPv4.
 */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const first = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (first === undefined || (isIpv4(first) && text.includes(':'))) return undefined
  const width = isIpv4(first) ? 32 : 128
  const prefix = slash < 0 ? width : smallNumber(text.slice(slash + 1), width)
  if (prefix === undefined) return undefined
  const freeBits = BigInt(width - prefix)
  return (first >> freeBits) << freeBits === first ? Object.freeze({ first, freeBits }) : undefined
}

export const inNetwork = (address: Address, { first, freeBits }: Network): boolean =>
  address >> freeBits === first >> freeBits && isIpv4(address) === isIpv4(first)

export function inList(client: Client, list: AddressList): boolean {
  if (client.kind === 'ip') return list.networks.some(network => inNetwork(client.address, network))
  return client.kind === 'unix' && list.unix
}

/** @param peer as the runtime says it: an address, or `unix`. */
export function clientOfPeer(peer: string): Client {
  if (peer === UNIX) return { kind: 'unix' }
  const address = parseAddress(peer)
  return address === undefined ? { kind: 'unknown' } : { kind: 'ip', address }
}

/** For records. */
export const nameOfClient = (client: Client): string =>
  client.kind === 'ip' ? formatAddress(client.address) : client.kind

/** Who shares a limit: IPv6 by /64, since one customer has at least that many addresses. */
export function bucketOf(client: Client): string {
  if (client.kind !== 'ip' || isIpv4(client.address)) return nameOfClient(client)
  return `${formatAddress(((client.address >> 64n) << 64n) as Address)}/64`
}

/** Reads a list of networks and the word `unix`, with every problem at once. An entry with a problem is not on the list. */
export function readAddressList(
  value: unknown,
  path: string,
): { readonly list: AddressList; readonly problems: readonly ConfigProblem[] } {
  const fix = 'write an address, a network such as 192.0.2.0/24 or 2001:db8::/32 with no bits after the prefix, or unix'
  if (!Array.isArray(value) || value.length > ENTRIES_MAX)
    return { list: NOBODY, problems: [{ path, problem: `is not a list of at most ${ENTRIES_MAX} networks`, fix }] }
  const problems: ConfigProblem[] = []
  const networks: Network[] = []
  value.forEach((entry: unknown, at) => {
    if (entry === UNIX) return
    const network = typeof entry === 'string' ? parseNetwork(entry) : undefined
    if (network === undefined) problems.push({ path: `${path}.${at}`, problem: 'is not a network', fix })
    else networks.push(network)
  })
  return { list: Object.freeze({ networks: Object.freeze(networks), unix: value.includes(UNIX) }), problems }
}

export const NOBODY: AddressList = Object.freeze({ networks: Object.freeze([]), unix: false })

const mapped = (bits: bigint | undefined): Address | undefined =>
  bits === undefined ? undefined : (((MAPPED << 32n) | bits) as Address)

function ipv4Bits(text: string): bigint | undefined {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return undefined
  let bits = 0
  for (const part of parts) {
    const value = smallNumber(part, 255)
    if (value === undefined) return undefined
    bits = bits * 256 + value
  }
  return BigInt(bits)
}

/** Decimal of one to three digits, no leading zero. */
function smallNumber(text: string, most: number): number | undefined {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text.startsWith('0'))) return undefined
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value <= most ? value : undefined
}

/** Any of the ways to shorten; whoever calls compares with the canonical one. */
function ipv6Bits(text: string): bigint | undefined {
  const halves = text.split('::', 3)
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map(half => (half === '' ? [] : half.split(':', 9)))
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  let bits = 0n
  for (const word of [...head, ...Array.from({ length: missing }, () => '0'), ...tail]) {
    const group = hexGroup(word)
    if (group === undefined) return undefined
    bits = (bits << 16n) | group
  }
  return bits
}

const HEX_GROUP = /^[0-9a-f]{1,4}$/
const hexGroup = (word: string): bigint | undefined => (HEX_GROUP.test(word) ? BigInt(`0x${word}`) : undefined)

/** RFC 5952 §4.2: the longest run of zero groups, the first of equals, never a single one. */
function longestGap(groups: readonly number[]): { start: number; end: number } | undefined {
  let best: { start: number; end: number } | undefined
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start >= 2 && (best === undefined || end - start > best.end - best.start)) best = { start, end }
    start = Math.max(start, end)
  }
  return best
}
