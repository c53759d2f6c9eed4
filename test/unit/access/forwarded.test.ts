import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inList, nameOfClient, readAddressList } from '../../../src/access/addresses.ts'
import { clientOf, type Forwarding, type ForwardingHeader, type HeaderLookup } from '../../../src/access/forwarded.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const list = (...entries: string[]) => {
  const { list, problems } = readAddressList(entries, 'list')
  assert.deepEqual(problems, [])
  return list
}
const PROXIES = list('10.0.0.1', '10.0.0.2', '2001:db8:ffff::/48', 'unix')
const ALLOWED = list('203.0.113.0/24', '2001:db8:1::/48')
const forwarding = (header: ForwardingHeader, hopsMax?: number): Forwarding => ({ proxies: PROXIES, header, hopsMax })

type Sent = Readonly<Record<string, readonly string[]>>
const lookup =
  (sent: Sent, joined: boolean): HeaderLookup =>
  name => {
    const values = sent[name]
    return values === undefined ? null : joined ? values.join(', ') : values
  }

/** @returns the name of the client, or the field of the refusal */
function ask(peer: string, sent: Sent, about: Forwarding | undefined, joined = true): string {
  try {
    return nameOfClient(clientOf(peer, lookup(sent, joined), about))
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
    return `refused ${error.detail.field}`
  }
}

/** What a client may put before the proxies add theirs: addresses that would be allowed, or trusted, or are nothing. */
const LIES = [
  ...[
    '203.0.113.9',
    '203.0.113.9, 203.0.113.10',
    '10.0.0.1',
    '10.0.0.1, 10.0.0.2',
    '127.0.0.1',
    '::1',
    'unix',
    'unknown',
  ],
  ...[
    '2001:db8:1::5',
    '2001:DB8:1::5',
    '[2001:db8:1::5]',
    '[2001:db8:1::5]:443',
    '203.0.113.9:80',
    '::ffff:203.0.113.9',
  ],
  ...[
    '203.0.113.009',
    '0313.0.0161.011',
    '0xcb.0.0x71.9',
    '3405803785',
    '203.0.28937',
    '203.0.113.9/24',
    ' 203.0.113.9 ',
  ],
  ...['', ',', ', ,', '203.0.113.9,', ',203.0.113.9', '203.0.113.9;10.0.0.1', '203.0.113.9 10.0.0.1', '203.0.113.9\t'],
  ...['"203.0.113.9"', 'for=203.0.113.9', 'for="[2001:db8:1::5]"', 'for=203.0.113.9;for=203.0.113.10', 'for=_secret'],
  ...['for=unknown', 'for="203.0.113.9', 'for=203.0.113.9, for=10.0.0.1', 'For=203.0.113.9;Proto=https;By=10.0.0.1'],
  ...[
    'for=203.0.113.9;by=10.0.0.1;host="a,b;c=d"',
    'for="203.0.113.9:80"',
    'for="[2001:db8:1::5]:80"',
    'for=[2001:db8:1::5]',
  ],
  ...[
    'for =203.0.113.9',
    'for= 203.0.113.9',
    ';for=203.0.113.9',
    'proto=https',
    'by=203.0.113.9',
    'for',
    '=203.0.113.9',
  ],
  ...[
    'for="203.0.113.\\9"',
    'for="";proto=http',
    'secret=1;for=203.0.113.9',
    'localhost',
    'client.example',
    '*',
    '0',
    '-1',
  ],
  ...[
    '203.0.113.9\u00a0',
    '\uff12\uff10\uff13.0.113.9',
    '203.0.113.9%0a10.0.0.1',
    '203.0.113.9#',
    'fe80::1%eth0',
    '::',
    '0.0.0.0',
  ],
  ...[
    '203.0.113.9, unknown',
    'unknown, 203.0.113.9',
    '_hidden, 203.0.113.9',
    '10.0.0.1, 203.0.113.9',
    '2001:db8:ffff::1',
  ],
  ...[
    'for="[::ffff:203.0.113.9]"',
    'for="[203.0.113.9]"',
    "for='203.0.113.9'",
    'for="203.0.113.9";',
    'for=203.0.113.9 ;by=a',
  ],
  ...[
    Array.from({ length: 7 }, (_, at) => `203.0.113.${at}`).join(','),
    Array.from({ length: 9 }, () => '203.0.113.9').join(','),
  ],
  ...[
    '203.0.113.9,'.repeat(400),
    'for=203.0.113.9,'.repeat(400),
    'x'.repeat(9000),
    '"',
    '""',
    '\\',
    '"\\""',
    ':',
    '::ffff:',
    '..',
  ],
]
/** Where the lie stands: in one header, in the other, in both, twice, or beside others that some software believes. */
const PLACES: readonly ((lie: string) => Sent)[] = [
  lie => ({ 'x-forwarded-for': [lie] }),
  lie => ({ forwarded: [lie] }),
  lie => ({ 'x-forwarded-for': [lie], forwarded: [`for=${lie}`] }),
  lie => ({ 'x-forwarded-for': [lie, '203.0.113.9'] }),
  lie => ({ forwarded: [lie, 'for=203.0.113.9'] }),
  lie => ({ 'x-real-ip': [lie], 'true-client-ip': [lie], 'cf-connecting-ip': [lie], 'x-client-ip': [lie] }),
]
const FORMS = LIES.flatMap(lie => PLACES.map(place => place(lie))).slice(0, 500)

/** A proxy as it should be: adds the peer it saw to what came, and removes the form it does not write. */
function through(header: ForwardingHeader, sent: Sent, peer: string, style: 'append' | 'line'): Sent {
  const hop = header === 'x-forwarded-for' ? peer : peer.includes(':') ? `for="[${peer}]"` : `for=${peer}`
  const rest = Object.fromEntries(Object.entries(sent).filter(([name]) => !/^(x-forwarded-for|forwarded)$/.test(name)))
  const before = sent[header] ?? []
  return { ...rest, [header]: style === 'line' ? [...before, hop] : [[...before, hop].join(', ')] }
}

const CLIENTS = ['203.0.113.200', '198.51.100.1', '2001:db8:1::99', '2001:db8:2::99']

test('forwarding T15 M-43: 500 header forms x 3 topologies never change who is allowed', () => {
  assert.equal(FORMS.length, 500)
  const seen = { right: 0, refused: 0, wrong: 0 }
  const judge = (truth: string, said: string, note: string): void => {
    if (said.startsWith('refused ')) return void seen.refused++
    seen[said === truth ? 'right' : 'wrong']++
    const allowed = (name: string) =>
      inList(
        clientOf(name, () => null),
        ALLOWED,
      )
    assert.equal(allowed(said), allowed(truth), note)
    assert.equal(said, truth, note)
  }
  for (const header of ['x-forwarded-for', 'forwarded'] as const) {
    const about = forwarding(header)
    for (const [at, form] of FORMS.entries()) {
      const client = CLIENTS[at % CLIENTS.length] as string
      const note = `${header} ${JSON.stringify(form).slice(0, 200)} of ${client}`
      // Direct: whatever is sent, the socket speaks, and nothing is refused.
      for (const joined of [true, false]) assert.equal(ask(client, form, about, joined), client, note)
      for (const style of ['append', 'line'] as const) {
        const one = through(header, form, client, style)
        judge(client, ask('10.0.0.1', one, about), `one proxy: ${note}`)
        const two = through(header, one, '10.0.0.1', style)
        judge(client, ask('2001:db8:ffff::1', two, about), `two proxies: ${note}`)
        judge(client, ask('unix', two, about), `proxy on the unix socket: ${note}`)
      }
    }
  }
  assert.equal(seen.wrong, 0)
  assert.ok(seen.right > 2000 && seen.refused > 2000, JSON.stringify(seen))
})

test('forwarding T15 M-43: an honest request is never refused', () => {
  for (const header of ['x-forwarded-for', 'forwarded'] as const)
    for (const client of CLIENTS) {
      const one = through(header, {}, client, 'append')
      const two = through(header, one, '10.0.0.2', 'append')
      assert.equal(ask('10.0.0.1', one, forwarding(header)), client)
      assert.equal(ask('10.0.0.1', two, forwarding(header)), client)
      assert.equal(ask('10.0.0.1', two, forwarding(header), false), client)
    }
})

test('forwarding D20: from a listed proxy several, missing, odd and other headers are refused, naming the header', () => {
  const xff = (text: string) => ask('10.0.0.1', { 'x-forwarded-for': [text] }, forwarding('x-forwarded-for'))
  const fwd = (text: string) => ask('10.0.0.1', { forwarded: [text] }, forwarding('forwarded'))
  const bad = [
    '',
    ' ',
    '203.0.113.9:80',
    'unknown',
    '_gazonk',
    '203.0.113.9,',
    '203.0.113.9,,203.0.113.8',
    '2001:DB8::1',
  ]
  for (const text of bad) assert.equal(xff(text), 'refused x-forwarded-for', text)
  const odd = [
    ...[
      '',
      'for=unknown',
      'for=_hidden',
      'for="_SEVKISEK"',
      'for="203.0.113.9:80"',
      'for="[2001:db8:1::5]:80"',
      'proto=http',
    ],
    ...[
      'for=203.0.113.9;for=203.0.113.9',
      'for=203.0.113.9;',
      'for=203.0.113.9;secret=x',
      'for=2001:db8:1::5',
      'for="2001:db8:1::5"',
    ],
    ...[
      'for="[2001:DB8:1::5]"',
      'for="[203.0.113.9]"',
      'for="203.0.113.9',
      'for=203.0.113.9, proto=http',
      'for="[2001:db8:1::5"',
    ],
  ]
  for (const text of odd) assert.equal(fwd(text), 'refused forwarded', text)
  const good = {
    'for=203.0.113.9': '203.0.113.9',
    'host="a,b;for=c";for=203.0.113.8': '203.0.113.8',
    'For="203.0.113.9";By=_x;Host="h:1";PROTO=https': '203.0.113.9',
  }
  for (const [text, client] of Object.entries({ ...good, 'for=10.0.0.2,for="[2001:db8:1::5]"': '2001:db8:1::5' }))
    assert.equal(fwd(text), client, text)

  const both = { 'x-forwarded-for': ['203.0.113.9'], forwarded: ['for=203.0.113.9'] }
  assert.equal(ask('10.0.0.1', both, forwarding('x-forwarded-for')), 'refused forwarded')
  assert.equal(ask('10.0.0.1', both, forwarding('forwarded')), 'refused x-forwarded-for')
  assert.equal(ask('10.0.0.1', {}, forwarding('forwarded')), 'refused forwarded')
  const twice = { 'x-forwarded-for': ['203.0.113.9', '203.0.113.8'] }
  assert.equal(ask('10.0.0.1', twice, forwarding('x-forwarded-for'), false), 'refused x-forwarded-for')
  assert.equal(
    ask('10.0.0.1', { 'x-forwarded-for': ['10.0.0.2'] }, forwarding('x-forwarded-for')),
    'refused x-forwarded-for',
  )
})

test('forwarding T15: more hops than configured are refused', () => {
  const hops = (count: number) => ({
    'x-forwarded-for': [Array.from({ length: count }, () => '203.0.113.9').join(', ')],
  })
  const about = forwarding('x-forwarded-for', 2)
  assert.equal(ask('10.0.0.1', hops(2), about), '203.0.113.9')
  assert.equal(ask('10.0.0.1', hops(3), about), 'refused x-forwarded-for')
  assert.equal(ask('10.0.0.1', hops(8), forwarding('x-forwarded-for')), '203.0.113.9')
  assert.equal(ask('10.0.0.1', hops(9), forwarding('x-forwarded-for')), 'refused x-forwarded-for')
})

test('forwarding D20: without a proxy list no header is ever read', () => {
  const reads: string[] = []
  const client = clientOf('198.51.100.1', name => {
    reads.push(name)
    return '203.0.113.9'
  })
  assert.equal(nameOfClient(client), '198.51.100.1')
  assert.equal(ask('unix', { 'x-forwarded-for': ['203.0.113.9'] }, undefined), 'unix')
  assert.equal(ask('nowhere', { 'x-forwarded-for': ['203.0.113.9'] }, forwarding('x-forwarded-for')), 'unknown')
  assert.deepEqual(reads, [])
})

test('forwarding D20: a refusal repeats nothing of what was sent', () => {
  try {
    clientOf('10.0.0.1', () => 'sentinel-4711', { proxies: PROXIES, header: 'forwarded' })
    assert.fail('accepted')
  } catch (error) {
    assert.ok(isSignerError(error))
    assert.equal(JSON.stringify(error.detail).includes('4711'), false)
  }
})
