import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AuditEntry } from '../../../src/domain/audit.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'
import { entryText, FIELD_CHARS_MAX, shorten, utf8Length } from '../../../src/audit/entry.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { framesOf } from '../../support/audit-tamper.ts'
import { allRecords, event, fastFiles, intent, openLog, outcome, seeded, withCode } from '../../support/audit-world.ts'

const NAUGHTY = [
  '\r\n{"seq":1,"kind":"outcome"}',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u009b31m',
  '\u2028\u2029\u0085',
  '\u202e\u2066admin\u2069\u200f',
  '\ufeff\u200b\u2060',
  '\u0000\u0001\u007f',
  '","kind":"event","x":"',
  '\\u0022\\n\\',
  '|=CEF:0|a\\|b=c|\\=',
  '=cmd|calc!A1',
  '<script>alert(1)</script>',
  '${jndi:ldap://x}%s%n%x',
  '\ud800',
  '\udfff\ud83d',
  '😀👩‍👩‍👧',
  'ﷺ𝕬Ω≈ç√',
  '\t\v\f\b',
  '__proto__',
  'null',
  '',
]
/** Control, format, separator and surrogate characters: none may stand in a line as such. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\p{Cs}]/u

test('A12 T49 10,000 naughty strings: one record is one line, nothing unprintable in it, and it reads back equal', {
  timeout: 120_000,
}, async () => {
  const draw = seeded(49)
  const naughty = (): string => {
    let text = ''
    for (let n = Math.floor(draw() * 6); n >= 0; n--) {
      text +=
        draw() < 0.7
          ? NAUGHTY[Math.floor(draw() * NAUGHTY.length)]!
          : String.fromCharCode(Math.floor(draw() * 0x1_0000))
    }
    return text
  }
  const files = fastFiles()
  const { log } = await openLog(files)
  const strings: string[][] = []
  await Promise.all(
    Array.from({ length: 2_500 }, (_, n) => {
      const own = [naughty(), naughty(), naughty(), naughty()] as const
      strings.push([...own])
      return log.append(
        event(`n${n}`, { actor: { subject: own[0], peer: own[1] }, detail: { [`k${own[2]}`]: own[3] } }),
      )
    }),
  )
  const lines = framesOf(files.bytes('00000001.log')).slice(1)
  assert.equal(lines.length, 2_500)
  const records = await allRecords(files)
  for (const [at, own] of strings.entries()) {
    assert.ok(!UNPRINTABLE.test(lines[at]!.text), JSON.stringify(own))
    const record = records[at]!
    assert.ok(record.kind === 'event')
    assert.deepEqual(
      [record.actor.subject, record.actor.peer, ...Object.entries(record.detail)[0]!],
      [own[0], own[1], `k${own[2]}`, own[3]],
    )
  }
  const text = new TextDecoder().decode(files.bytes('00000001.log'))
  assert.equal(text.split('\n').filter(line => line.includes('"seq":')).length, 2_500)
  assert.ok((await verifyAuditLog(files)).ok)
})

test('A12 any entry reads back equal, and its length is known before it is written (property)', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 })
  const detail = fc.dictionary(
    text,
    fc.oneof(
      text,
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(n => n + 0),
    ),
    { maxKeys: 8 },
  )
  fc.assert(
    fc.property(text, text, detail, (auditId, subject, fields) => {
      const entry = event(auditId, { actor: { subject, peer: 'unix' }, detail: fields })
      const line = entryText(entry)
      assert.equal(utf8Length(line), new TextEncoder().encode(line).length)
      assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify(entry)))
    }),
    { numRuns: 500 },
  )
})

test('T49 sentences are cut and say so; a megabyte of them stays a small record', () => {
  const long = 's'.repeat(1_000_000)
  const line = entryText(intent('a', { summary: long, actor: { subject: long, peer: long } }))
  assert.ok(line.length < 8_000)
  assert.equal(
    (JSON.parse(line) as { summary: string }).summary,
    `${'s'.repeat(FIELD_CHARS_MAX)}…[+${1_000_000 - FIELD_CHARS_MAX}]`,
  )
  assert.equal(shorten('ab😀', 3), 'ab…[+2]', 'no half character')
  assert.equal(shorten('ab😀', 4), 'ab😀')
})

test('T49 many long sentences are cut shorter before a record is refused', () => {
  const detail = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${n}`, '\u2028'.repeat(2_000)]))
  const line = entryText(event('a', { detail }))
  assert.ok(utf8Length(line) <= 65_535)
  assert.match(line, /…\[\+/)
  const many = Object.fromEntries(
    Array.from({ length: 3_000 }, (_, n) => [`field number ${n}`, 'some text of some length']),
  )
  assert.throws(() => entryText(event('a', { detail: many })), withCode('request/too-large'))
})

test('exact values are never cut: too long ones are refused', () => {
  const long = 'x'.repeat(FIELD_CHARS_MAX + 1)
  const entries: AuditEntry[] = [
    intent(long),
    intent('a', { digest: long }),
    intent('a', { idempotency: { scope: 's', key: long, fingerprint: 'f' } }),
    outcome('a', { signature: long }),
    event('a', { detail: { [long]: 1 } }),
  ]
  for (const entry of entries) assert.throws(() => entryText(entry), withCode('request/too-large'))
})

test('I6 what is not plain data never reaches the log; neither do fields the log writes itself', () => {
  const odd: unknown[] = [
    new Secret('hunter2', 'token'),
    new SecretBytes(new Uint8Array(32), 'seed'),
    new Uint8Array(3),
    new Error('x'),
    [1, 2],
    null,
    Number.NaN,
    1n,
    () => 1,
    Symbol('s'),
    { a: { b: { c: { d: 1 } } } },
  ]
  for (const value of odd) {
    const entry = { ...event('a'), detail: { value } } as unknown as AuditEntry
    assert.throws(() => entryText(entry), withCode('request/malformed'), typeof value)
  }
  for (const name of ['seq', 'time', 'instance', 'prev', 'batch']) {
    assert.throws(() => entryText({ ...event('a'), [name]: 7 }), withCode('request/malformed'))
  }
  assert.equal(entryText(event('a', { detail: { seq: 1 } })).includes('"seq":1'), true)
  assert.ok(!entryText({ ...outcome('a'), reason: undefined } as unknown as AuditEntry).includes('reason'))
  assert.ok(
    entryText(
      event('a', { detail: Object.assign<object, { yes: boolean }>(Object.create(null) as object, { yes: true }) }),
    ).includes('"yes":true'),
  )
})
