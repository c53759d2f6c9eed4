import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  bucketOf,
  clientOfPeer,
  formatAddress,
  inList,
  inNetwork,
  isIpv4,
  nameOfClient,
  parseAddress,
  parseNetwork,
  readAddressList,
} from '../../../src/access/addresses.ts'

/** Fifty addresses in the text of RFC 5952, edges of the form among them. */
const IPV4 = [
  ...['0.0.0.0', '1.2.3.4', '8.8.8.8', '10.0.0.1', '10.255.255.255', '100.64.0.1', '127.0.0.1', '169.254.169.254'],
  ...['172.16.0.1', '172.31.255.255', '192.0.2.1', '192.168.0.10', '192.168.1.100', '198.51.100.77', '203.0.113.7'],
  ...['224.0.0.1', '240.0.0.1', '255.255.255.255', '9.9.9.9', '77.7.7.70', '64.233.160.0', '11.22.33.44'],
]
const IPV6 = [
  ...['::', '::1', '::2:3', '1::', 'fe80::1', 'fc00::1', 'fd12:3456:789a:1::1', 'ff02::1', '2001:db8::', '2001:db8::1'],
  ...['2001:db8:0:1::', '2001:db8:0:1:1:1:1:1', '2001:db8::1:0:0:1', '2001:db8:1:1:1:1:1:0', '2001:0:0:1::1'],
  ...['2001:db8:85a3::8a2e:370:7334', '2606:4700:4700::1111', '2a00:1450:4001:82a::200e', '64:ff9b::c000:221'],
  ...['2002:c000:204::', '1:2:3:4:5:6:7:8', 'a:b:c:d:e:f:0:1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ...['0:1::', '1:0:0:2::3', '100::', '::ffff:0:0:1', '::fffe:102:304'],
]
const ALL = [...IPV4, ...IPV6]

/** The platform's own parser, which knows nothing of canonical text: what an address is worth, in one spelling. */
function reference(text: string): string | undefined {
  const family = isIP(text)
  if (family === 0 || text.includes('%')) return undefined
  const host = new URL(family === 4 ? `http://${text}/` : `http://[${text}]/`).hostname
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host)
  if (mapped === null) return host.replace('[', '').replace(']', '')
  const words = [mapped[1], mapped[2]].map(word => Number.parseInt(word ?? '', 16))
  return words.flatMap(word => [word >> 8, word & 255]).join('.')
}

const groupsOf = (text: string): number[] => {
  const [head = '', tail = ''] = text.split('::')
  const read = (half: string) => (half === '' ? [] : half.split(':').map(word => Number.parseInt(word, 16)))
  const [front, back] = [read(head), read(tail)]
  return text.includes('::')
    ? [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
    : front
}

/** Forty ways to write an IPv4 address; most are none. */
function spellings4(text: string): string[] {
  const parts = text.split('.').map(Number) as [number, number, number, number]
  const [a, b, c, d] = parts
  const whole = ((a * 256 + b) * 256 + c) * 256 + d
  const hex = parts.map(part => part.toString(16).padStart(2, '0'))
  const high = `${hex[0]}${hex[1]}`
  const low = `${hex[2]}${hex[3]}`
  const short = (word: string) => Number.parseInt(word, 16).toString(16)
  return [
    ...[text, `::ffff:${text}`, `::FFFF:${text}`, `::ffff:${short(high)}:${short(low)}`, `::ffff:${high}:${low}`],
    ...[
      `0:0:0:0:0:ffff:${text}`,
      `::${text}`,
      `0::ffff:${text}`,
      `::ffff:0:${text}`,
      `::fffe:${text}`,
      `::ffff:${text}%1`,
    ],
    ...[parts.map(part => `0${part.toString(8)}`).join('.'), parts.map(part => `0x${part.toString(16)}`).join('.')],
    ...[parts.map(part => String(part).padStart(4, '0')).join('.'), `0${text}`, `00${text}`, `${a}.${b}.${c}.0${d}`],
    ...[String(whole), `0x${whole.toString(16)}`, `0${whole.toString(8)}`, `${a}.${b * 65536 + c * 256 + d}`],
    ...[
      `${a}.${b}.${c * 256 + d}`,
      `${text}.`,
      `.${text}`,
      ` ${text}`,
      `${text} `,
      `\t${text}`,
      `${text}\n`,
      `[${text}]`,
    ],
    ...[`${text}:80`, `${text}/32`, `+${text}`, `-${text}`, `${text}\0`, `${text}.0`, `${a}.${b}..${d}`, `"${text}"`],
    ...[text.replaceAll('.', '\u3002'), text.replace(/[0-9]/, digit => String.fromCharCode(0xff10 + Number(digit)))],
    ...[`${a}.${b}.${c}.${d + 256}`, `${text},${text}`],
  ].slice(0, 40)
}

/** Forty ways to write an IPv6 address. */
function spellings6(text: string): string[] {
  const groups = groupsOf(text)
  const words = groups.map(group => group.toString(16))
  const full = words.join(':')
  const padded = words.map(word => word.padStart(4, '0'))
  const dotted = [6, 7].flatMap(at => [(groups[at] ?? 0) >> 8, (groups[at] ?? 0) & 255]).join('.')
  const gaps = groups.flatMap((group, at) =>
    group === 0 ? [`${words.slice(0, at).join(':')}::${words.slice(at + 1).join(':')}`] : [],
  )
  return [
    ...[text, full, padded.join(':'), text.toUpperCase(), full.toUpperCase(), `${text}%eth0`, `${text}%1`, `[${text}]`],
    ...[`[${text}]:443`, `${text}/128`, ` ${text}`, `${text} `, `${text}\n`, `\t${text}`, `${full}:`, `:${full}`],
    ...[`${full}::`, `::${full}`, `${words.slice(0, 6).join(':')}:${dotted}`, `${full}:0`, full.replace(':', ':::')],
    ...[
      `0x${words[0]}:${words.slice(1).join(':')}`,
      `0${text}`,
      words.slice(0, 7).join(':'),
      full.replaceAll(':', '.'),
    ],
    ...[
      `${words[0]}::${words[3]}::${words[7]}`,
      `+${text}`,
      `-${text}`,
      `${text}\0`,
      `${text}.`,
      `g${text}`,
      `"${text}"`,
    ],
    ...[
      `${full},${full}`,
      `1${padded.join(':')}`,
      text.replaceAll(':', '\uff1a'),
      `${text}%25eth0`,
      `http://[${text}]/`,
    ],
    ...gaps.slice(0, 3),
    ...[`${words.slice(0, 4).join(':')}::${words.slice(4).join(':')}`, `::${dotted}:0`, `${full} ${full}`, `${text}::`],
  ].slice(0, 40)
}

test('addresses T16 M-43: 2,000 spellings of 50 addresses, 0 disagreements with the reference', () => {
  let [spelled, accepted] = [0, 0]
  const blocks = new BlockList()
  const allowed = ['10.0.0.0/8', '192.168.1.0/24', '203.0.113.7', '2001:db8::/32', 'fe80::/10', '::1']
  for (const entry of allowed) {
    const [first = '', prefix] = entry.split('/')
    const family = first.includes(':') ? 'ipv6' : 'ipv4'
    if (prefix === undefined) blocks.addAddress(first, family)
    else blocks.addSubnet(first, Number(prefix), family)
  }
  const { list, problems } = readAddressList(allowed, 'list')
  assert.deepEqual(problems, [])
  for (const address of ALL) {
    assert.equal(reference(address), address, `${address} is no canonical text`)
    const spellings = new Set(address.includes(':') ? spellings6(address) : spellings4(address))
    for (let at = 0; spellings.size < 40; at++) spellings.add(`${address.slice(0, at)}%${address.slice(at)}${at}`)
    for (const text of spellings) {
      spelled++
      const read = parseAddress(text)
      const meant = reference(text)
      const client = clientOfPeer(text)
      const said = JSON.stringify(text)
      if (text === address || text === `::ffff:${address}`) assert.notEqual(read, undefined, `${said} is canonical`)
      if (read === undefined) {
        assert.equal(inList(client, list), false, `${said} is not read and yet allowed`)
        continue
      }
      accepted++
      // What is read is what the reference reads, in the one text that stands for it.
      assert.equal(formatAddress(read), meant, said)
      assert.ok(text === meant || text === `::ffff:${meant}`, `${said} is a second spelling of ${meant}`)
      assert.equal(inList(client, list), blocks.check(meant ?? '', isIpv4(read) ? 'ipv4' : 'ipv6'), said)
    }
  }
  assert.equal(spelled, 2000)
  assert.ok(accepted >= 72, `${accepted} accepted`) // 50 canonical, 22 of them also mapped
})

test('addresses T16: random bits have one text, which the reference reads as the same address', () => {
  const sparse = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(sparse, groups => {
      const bits = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n)
      const text = formatAddress(bits as never)
      assert.equal(parseAddress(text), bits)
      assert.equal(reference(text), text)
      const plain = groups.map(group => group.toString(16)).join(':')
      assert.equal(parseAddress(plain), plain === text ? bits : undefined)
    }),
    { numRuns: 2000 },
  )
})

test('addresses T16: no text throws, however odd', () => {
  const odd = fc.string({ unit: fc.constantFrom(...'0123456789abcdefF:.%/x[] -_\u0000é'.split('')), maxLength: 60 })
  fc.assert(
    fc.property(odd, text => {
      const read = parseAddress(text)
      if (read !== undefined) assert.equal(formatAddress(read), reference(text))
      parseNetwork(text)
    }),
    { numRuns: 5000 },
  )
})

test('networks M-43: a random address is inside exactly when the platform says so', () => {
  const bits = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(bits, bits, fc.boolean(), fc.nat(128), fc.nat(128), (one, two, four, prefix, shared) => {
      const width = four ? 32 : 128
      const length = prefix % (width + 1)
      const whole = (groups: number[]) => groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n)
      const base = four ? (0xffffn << 32n) | (whole(one) & 0xffffffffn) : whole(one)
      const first = ((base >> BigInt(width - length)) << BigInt(width - length)) as never
      // Shares a random number of bits with the network, so that both answers come up.
      const keep = BigInt(width - (shared % (width + 1)))
      const near = (((base >> keep) << keep) ^ (whole(two) & ((1n << keep) - 1n))) as never
      if (isIpv4(first) !== four || isIpv4(near) !== four) return
      const network = parseNetwork(`${formatAddress(first)}/${length}`)
      assert.ok(network !== undefined)
      const blocks = new BlockList()
      blocks.addSubnet(formatAddress(first), length, four ? 'ipv4' : 'ipv6')
      assert.equal(inNetwork(near, network), blocks.check(formatAddress(near), four ? 'ipv4' : 'ipv6'))
    }),
    { numRuns: 2000 },
  )
})

test('networks M-43: bits after the prefix, odd prefixes and second spellings are refused', () => {
  const refused = [
    ...['10.0.0.1/8', '192.0.2.1/31', '2001:db8::1/64', '0.0.0.1/0', '::1/127', '10.0.0.0/33', '2001:db8::/129'],
    ...['10.0.0.0/', '10.0.0.0/08', '10.0.0.0/+8', '10.0.0.0/8/8', '10.0.0.0/ 8', '10.0.0.0/1e1', '10.0.0.0/-1', '/8'],
    ...['::ffff:10.0.0.0/104', '::ffff:10.0.0.1', '10.0.0/8', '10/8', '*', '', 'localhost', '10.0.0.0-10.0.0.9'],
    ...['2001:DB8::/32', '2001:db8:0:0::/32', 'fe80::1%eth0', 'fe80::%eth0/10'],
  ]
  for (const text of refused) assert.equal(parseNetwork(text), undefined, text)
  for (const text of ['0.0.0.0/0', '::/0', '10.0.0.0/8', '192.0.2.1/32', '192.0.2.1', '2001:db8::/32', '::1/128'])
    assert.notEqual(parseNetwork(text), undefined, text)
})

test('networks T16: a network of IPv6 holds no IPv4 address, however short its prefix', () => {
  const { list } = readAddressList(['::/0'], 'list')
  assert.equal(inList(clientOfPeer('10.0.0.1'), list), false)
  assert.equal(inList(clientOfPeer('::ffff:10.0.0.1'), list), false)
  assert.equal(inList(clientOfPeer('2001:db8::1'), list), true)
  assert.equal(inList(clientOfPeer('::fffe:10:1'), list), true)
})

test('networks D20: the unix socket is a principal of its own, and a peer without address is on no list', () => {
  const all = readAddressList(['0.0.0.0/0', '::/0'], 'list').list
  assert.equal(inList(clientOfPeer('unix'), all), false)
  assert.equal(inList(clientOfPeer('unix'), readAddressList(['unix'], 'list').list), true)
  assert.equal(inList(clientOfPeer('127.0.0.1'), readAddressList(['unix'], 'list').list), false)
  for (const peer of ['unknown', '', 'fe80::1%eth0', 'UNIX', 'unix '])
    assert.equal(inList(clientOfPeer(peer), { ...all, unix: true }), false, peer)
  assert.equal(nameOfClient(clientOfPeer('unix')), 'unix')
  assert.equal(nameOfClient(clientOfPeer('?')), 'unknown')
  assert.equal(nameOfClient(clientOfPeer('::ffff:192.0.2.1')), '192.0.2.1')
})

test('networks M-43: a list names every entry that is wrong, and leaves it out', () => {
  const { list, problems } = readAddressList(['10.0.0.0/8', '10.0.0.1/8', 7, 'unix', null], 'proxies')
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['proxies.1', 'proxies.2', 'proxies.4'],
  )
  assert.equal(list.networks.length, 1)
  assert.equal(list.unix, true)
  for (const value of [undefined, null, 'unix', {}, Array.from({ length: 1025 }, () => '10.0.0.1')])
    assert.equal(readAddressList(value, 'proxies').problems.length, 1)
})

test('buckets T66: IPv6 by /64, IPv4 by address, whatever the socket calls it', () => {
  const bucket = (peer: string) => bucketOf(clientOfPeer(peer))
  assert.equal(bucket('2001:db8::1'), '2001:db8::/64')
  assert.equal(bucket('2001:db8::ffff:ffff:ffff:ffff'), '2001:db8::/64')
  assert.equal(bucket('2001:db8:0:1::1'), '2001:db8:0:1::/64')
  assert.equal(bucket('1:2:3:4:5:6:7:8'), '1:2:3:4::/64')
  assert.equal(bucket('::ffff:192.0.2.1'), bucket('192.0.2.1'))
  assert.equal(bucket('192.0.2.1'), '192.0.2.1')
  assert.equal(bucket('unix'), 'unix')
  assert.equal(bucket('nowhere'), 'unknown')
})
