import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { openAuditRoom } from '../../../src/compose/audit.ts'
import { createMarker } from '../../../src/audit/state.ts'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { EXAMPLE_FILE, run, scratch, start, startDev } from '../../support/cli.ts'
import { framesOf } from '../../support/audit-tamper.ts'

const files = scratch()
const data = files.path('data')
const log = `${data}/audit/00000001.log`
let records = 0

beforeAll(async () => {
  const dev = await startDev(['--data', data])
  for (const key of ['demo-stellar', 'demo-mock-decrypt', 'demo-stellar'])
    expect((await run(['sign', '--key', key, EXAMPLE_FILE], { env: dev.client })).exitCode).toBe(0)
  await run(['sign', '--key', 'demo-stellar', '-'], { env: dev.client, stdin: 'not xdr' })
  await dev.stop()
  records = framesOf(readFileSync(log)).length - 1
})
afterAll(files.remove)

/** A copy to break. */
const copy = (name: string): string => {
  cpSync(data, files.path(name), { recursive: true })
  return files.path(name)
}
const verify = (directory: string, ...more: string[]) => run(['audit', 'verify', '--data', directory, ...more])

describe('audit verify', () => {
  test('a sound log: exit 0, how many records, and the head; nothing on stderr', async () => {
    const { exitCode, json, err } = await verify(data, '--json')
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(json).toMatchObject({ ok: true, records, lastSeq: records, segments: 1 })
    const text = await verify(data)
    expect(text).toMatchObject({
      exitCode: 0,
      out: `ok: ${records} records, last ${records}, head ${json['headHash']}\n`,
      err: '',
    })
  })

  test('one byte flipped, anywhere: exit 1, and the record is named', async () => {
    const sound = readFileSync(log)
    const frames = framesOf(sound)
    const directory = copy('flipped')
    for (let at = 7; at < sound.length; at += Math.ceil(sound.length / 60)) {
      const bytes = Uint8Array.from(sound)
      bytes[at] = (bytes[at] ?? 0) ^ 0x01
      writeFileSync(`${directory}/audit/00000001.log`, bytes)
      const { exitCode, json } = await verify(directory, '--json')
      const record = frames.findIndex(({ offset, end }) => at >= offset && at < end)
      expect({ at, exitCode, ok: json['ok'] }).toEqual({ at, exitCode: 1, ok: false })
      // A header stands for the record behind it.
      expect({ at, record: json['record'] }).toEqual({ at, record: Math.max(1, record) })
      expect(json['segment']).toBe('00000001.log')
    }
    const text = await verify(directory)
    expect(text).toMatchObject({ exitCode: 1, out: '' })
    expect(text.err).toMatch(/^NOT ok: record \d+ in 00000001\.log at byte \d+: .+\n {2}fix: .+\n$/)
  })

  test('cut off at the end: the store remembers more than the log holds', async () => {
    const directory = copy('cut')
    const frames = framesOf(readFileSync(log))
    truncateSync(`${directory}/audit/00000001.log`, frames.at(-3)?.offset ?? 0)
    const { exitCode, json } = await verify(directory, '--json')
    expect({ exitCode, ok: json['ok'], record: json['record'] }).toEqual({
      exitCode: 1,
      ok: false,
      record: records - 2,
    })
    expect(json['reason']).toContain(`the log ends at record ${records - 3}`)
  })

  test('without the store, or with one that cannot be asked, it verifies what there is and says what it could not check', async () => {
    const alone = copy('alone')
    for (const name of ['countersign.db', 'countersign.db-wal', 'countersign.db-shm', 'countersign.db-owner'])
      rmSync(`${alone}/${name}`, { force: true })
    const { exitCode, json } = await verify(alone, '--json')
    expect({ exitCode, ok: json['ok'] }).toEqual({ exitCode: 0, ok: true })
    expect(json['warning']).toContain('no store')
    expect((await verify(alone)).err).toContain('warning: there is no store beside the log')
    expect(existsSync(`${alone}/countersign.db`)).toBe(false)
    const broken = copy('broken')
    writeFileSync(`${broken}/countersign.db`, 'no database')
    const other = await verify(broken, '--json')
    expect({ exitCode: other.exitCode, ok: other.json['ok'] }).toEqual({ exitCode: 0, ok: true })
    expect(other.json['warning']).toContain('the store cannot be asked')
  })

  test('the log is gone and the store knows of it: exit 1', async () => {
    const gone = copy('gone')
    renameSync(`${gone}/audit`, `${gone}/away`)
    const { exitCode, json } = await verify(gone, '--json')
    expect({ exitCode, ok: json['ok'], record: json['record'] }).toEqual({ exitCode: 1, ok: false, record: 1 })
    expect(json['reason']).toContain('there is no log')
    mkdirSync(`${gone}/audit`)
    expect((await verify(gone)).err).toContain('there is no log')
  })

  test('no log at all: a kind word and exit 2 from every command, and nothing is made there', async () => {
    mkdirSync(files.path('empty'))
    for (const place of [files.path('empty'), files.path('nowhere')])
      for (const command of ['verify', 'tail', 'reopen']) {
        const { exitCode, json, err } = await run(['audit', command, '--data', place, '--json'])
        expect({ exitCode, code: json['error'].code, field: json['error'].field }).toEqual({
          exitCode: 2,
          code: 'request/malformed',
          field: '--data',
        })
        expect(err).toContain('holds no audit log')
      }
    expect(existsSync(files.path('nowhere'))).toBe(false)
    expect(existsSync(files.path('empty', 'audit'))).toBe(false)
  })

  test('progress is shown to people only, and wiped', async () => {
    const { err, out } = await run(['audit', 'verify', '--data', data], { interactive: true })
    expect(err).toBe(`\r${records} records …\r\u001b[K`)
    expect(out).toStartWith('ok: ')
    expect((await run(['audit', 'verify', '--data', data, '--json'], { interactive: true })).err).toBe('')
  })
})

describe('audit tail', () => {
  test('--json prints a record a line, with auditId, kind and decision; intent before outcome; no seed and no token', async () => {
    const { exitCode, out, err } = await run(['audit', 'tail', '--data', data, '--json'])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    const lines = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, any>)
    expect(lines.map(line => line['seq'])).toEqual(Array.from({ length: records }, (_, n) => n + 1))
    const intents = lines.filter(line => line['kind'] === 'intent')
    expect(intents).toHaveLength(3)
    for (const { auditId, decision, seq } of intents) {
      const outcome = lines.find(line => line['kind'] === 'outcome' && line['auditId'] === auditId)
      expect(decision).toBe('allow')
      expect(outcome).toMatchObject({ result: 'released', decision: 'allow' })
      expect(outcome?.['seq']).toBeGreaterThan(seq)
    }
    expect(out).not.toContain('eyJ')
    expect(/\bS[A-Z2-7]{55}\b/.test(out)).toBe(false)
  })

  test('as text: a line a record; --from starts there', async () => {
    const { out } = await run(['audit', 'tail', '--data', data])
    expect(out.trimEnd().split('\n')).toHaveLength(records)
    expect(out).toMatch(/ intent allow demo-stellar@1 a_[0-9a-f]{32} /)
    expect(out).toMatch(/ outcome released demo-stellar@1 a_/)
    expect(out).toMatch(/ outcome refused .*payload\/invalid/)
    expect(out).toMatch(/ event service-stopped /)
    const late = await run(['audit', 'tail', '--data', data, '--from', String(records)])
    expect(late.out.trimEnd().split('\n')).toHaveLength(1)
    expect((await run(['audit', 'tail', '--data', data, '--from', String(records + 1)])).out).toBe('')
  })

  test('a broken log ends with exit 1 after the records before the break', async () => {
    const directory = copy('torn')
    const bytes = readFileSync(log)
    const frame = framesOf(bytes)[4]
    bytes.fill(0xff, (frame?.offset ?? 0) + 20, (frame?.offset ?? 0) + 21)
    writeFileSync(`${directory}/audit/00000001.log`, bytes)
    const { exitCode, err, out } = await run(['audit', 'tail', '--data', directory])
    expect(exitCode).toBe(1)
    expect(err).toContain('audit/corrupt')
    expect(out.split('\n').length).toBeLessThanOrEqual(5)
  })

  test('--follow shows what a running service writes, and ends when asked to', async () => {
    const dev = await startDev(['--data', copy('followed')])
    const tail = start([
      'audit',
      'tail',
      '--data',
      files.path('followed'),
      '--follow',
      '--json',
      '--from',
      String(records + 1),
    ])
    await tail.ready
    await run(['sign', '--key', 'demo-mock', EXAMPLE_FILE], { env: dev.client })
    while (!tail.text.out.includes('"released"')) await realWorld().clock.sleep(20)
    const { exitCode, out } = await tail.stop()
    expect(exitCode).toBe(0)
    expect(out).toContain('"service-started"')
    await dev.stop()
  })
})

describe('audit reopen', () => {
  async function sealed(name: string): Promise<string> {
    const directory = copy(name)
    const audit = await nodeAuditFiles(`${directory}/audit`, { access: 'write' })
    const at = '2026-11-22T00:00:00.000Z'
    const marker = await createMarker(audit, true, {
      state: 'sealed',
      reason: 'disk full (test)',
      at,
      segment: 1,
      seq: records,
    })
    await marker.close()
    return directory
  }

  test('a sealed log starts nothing until an operator reopens it; then it goes on in a new segment', async () => {
    const directory = await sealed('sealed')
    const refused = await run(['dev', '--json', '--data', directory])
    expect({ exitCode: refused.exitCode, code: refused.json['error'].code }).toEqual({
      exitCode: 1,
      code: 'audit/sealed',
    })
    expect(refused.err).toContain('disk full (test)')
    const reopened = await run(['audit', 'reopen', '--data', directory])
    expect(reopened).toMatchObject({ exitCode: 0, out: 'the log is open again; it was sealed: disk full (test)\n' })
    expect((await verify(directory, '--json')).json).toMatchObject({ ok: true, segments: 2, records: records + 1 })
    const dev = await startDev(['--data', directory])
    expect((await run(['sign', '--key', 'demo-mock', EXAMPLE_FILE], { env: dev.client })).exitCode).toBe(0)
    await dev.stop()
  })

  test('a log that is not sealed is left alone; one that lost records is not reopened; --json gives the report', async () => {
    const open = await run(['audit', 'reopen', '--data', data, '--json'])
    expect({ exitCode: open.exitCode, code: open.json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    const short = await sealed('short')
    truncateSync(`${short}/audit/00000001.log`, framesOf(readFileSync(log)).at(-2)?.offset ?? 0)
    const lost = await run(['audit', 'reopen', '--data', short, '--json'])
    expect({ exitCode: lost.exitCode, code: lost.json['error'].code }).toEqual({ exitCode: 1, code: 'audit/corrupt' })
    const fine = await run(['audit', 'reopen', '--data', await sealed('fine'), '--json'])
    expect(fine.json).toMatchObject({ wasSealed: 'disk full (test)', recovery: { truncatedBytes: 0 } })
  })

  test('beside a running service it is refused', async () => {
    const dev = await startDev(['--data', copy('busy')])
    const { exitCode, json } = await run(['audit', 'reopen', '--data', files.path('busy'), '--json'])
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    await dev.stop()
  })
})

test('the room follows without a signal until its reader leaves', async () => {
  const room = openAuditRoom(data, realWorld())
  let seen = 0
  for await (const _ of room.tail({ follow: true })) if (++seen === records) break
  expect(seen).toBe(records)
})
