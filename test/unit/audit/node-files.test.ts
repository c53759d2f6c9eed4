import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { allRecords, event, memoryIndex, openLog, realClock, withCode } from '../../support/audit-world.ts'

const root = await mkdtemp(join(tmpdir(), 'audit-files-'))
after(() => rm(root, { recursive: true, force: true }))
let serial = 0
const fresh = (): string => join(root, `dir${++serial}`, 'audit')
const isWindows = process.platform === 'win32'

test('a log on disk: written, closed, opened again, verified; modes 0700 and 0600', async () => {
  const directory = fresh()
  const index = memoryIndex()
  for (let run = 0; run < 3; run++) {
    const { log } = await openLog(await nodeAuditFiles(directory, { access: 'write' }), {
      index,
      clock: realClock,
      limits: { segmentBytes: 4_000 },
    })
    await Promise.all(Array.from({ length: 20 }, (_, n) => log.append(event(`${run}-${n}`))))
    await log.close()
  }
  const reader = await nodeAuditFiles(directory, { access: 'read' })
  assert.equal((await allRecords(reader)).length, 60)
  assert.ok((await verifyAuditLog(reader, { head: await index.head() })).ok)
  const names = await readdir(directory)
  assert.deepEqual(
    names.filter(name => !name.endsWith('.log')),
    ['STATE'],
    'no lock, no draft is left',
  )
  if (isWindows) return
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
  for (const name of names) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600)
})

test('access read makes nothing and writes nothing', async () => {
  const directory = fresh()
  await assert.rejects((await nodeAuditFiles(directory, { access: 'read' })).list())
  await assert.rejects(stat(directory))
})

test('a directory that others may write to is refused, with the command that mends it', {
  skip: isWindows && 'no modes on Windows',
}, async () => {
  for (const mode of [0o770, 0o702, 0o777]) {
    const directory = fresh()
    await mkdir(directory, { recursive: true })
    await chmod(directory, mode)
    await assert.rejects(
      nodeAuditFiles(directory, { access: 'write' }),
      error => withCode('start/refused')(error) && /chmod 700/.test(String(error)),
    )
    await nodeAuditFiles(directory, { access: 'read' })
    await chmod(directory, 0o750)
    await nodeAuditFiles(directory, { access: 'write' })
  }
  const file = join(root, 'file')
  await writeFile(file, '')
  await assert.rejects(nodeAuditFiles(file, { access: 'write' }))
})

test('A11 one writer: the second is refused with the process id of the first, also from the same process', async () => {
  const directory = fresh()
  const files = await nodeAuditFiles(directory, { access: 'write' })
  const { log } = await openLog(files, { clock: realClock })
  await assert.rejects(
    openLog(await nodeAuditFiles(directory, { access: 'write' })),
    error => withCode('start/refused')(error) && String(error).includes(String(process.pid)),
  )
  await log.append(event('still mine'))
  await log.close()
  await (await files.lock())()
})

test('A11 of 20 that ask at once at most one gets the lock; afterwards it can be had', async () => {
  for (let round = 0; round < 20; round++) {
    const files = await nodeAuditFiles(fresh(), { access: 'write' })
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => files.lock()))
    const won = asked.filter(result => result.status === 'fulfilled')
    assert.ok(won.length <= 1, `${won.length} writers`)
    for (const result of asked)
      if (result.status === 'rejected') assert.ok(withCode('start/refused')(result.reason), String(result.reason))
    for (const { value: release } of won) await release()
    await (await files.lock())()
  }
})

test('A11 locks of processes that are gone are taken over: dead, of another boot, reused id, torn by a power cut', async () => {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
  const stale = [
    { pid: 2 ** 22 + 12_345, boot, started: '1', nonce: 'a' },
    { pid: process.pid, boot, started: '', nonce: 'left by an earlier container' },
    ...(boot === ''
      ? []
      : [
          { pid: 1, boot: 'of-another-boot', started: '', nonce: 'b' },
          { pid: 1, boot, started: '99999999999', nonce: 'c' },
        ]),
    'torn',
    { pid: -1 },
    '',
  ]
  for (const left of stale) {
    const directory = fresh()
    const files = await nodeAuditFiles(directory, { access: 'write' })
    await writeFile(join(directory, 'LOCK.00000007'), typeof left === 'string' ? left : JSON.stringify(left))
    const release = await files.lock()
    assert.deepEqual(await readdir(directory), ['LOCK.00000008'], JSON.stringify(left))
    await release()
    assert.deepEqual(await readdir(directory), [])
  }
})

test('A11 a living process keeps its lock', { skip: isWindows && 'process 1 is a Unix notion' }, async () => {
  const directory = fresh()
  const files = await nodeAuditFiles(directory, { access: 'write' })
  await writeFile(join(directory, 'LOCK.00000001'), JSON.stringify({ pid: 1, boot: '', started: '', nonce: 'n' }))
  await assert.rejects(files.lock(), withCode('start/refused'))
  await writeFile(join(directory, 'LOCK.junk'), 'x')
  await rm(join(directory, 'LOCK.00000001'))
  await (await files.lock())()
})

const isLinux = process.platform === 'linux' && !('deno' in process.versions)
test('A1 segments on a local file system of Linux are opened O_DSYNC, as the kernel says; STATE, reading and others are not', {
  skip: !isLinux && 'O_DSYNC is used on Linux alone',
}, async () => {
  const files = await nodeAuditFiles(fresh(), { access: 'write' })
  const made = await files.open('00000001.log', 'create')
  const state = await files.open('STATE', 'create')
  const read = await files.open('00000001.log', 'read')
  const again = await files.open('00000001.log', 'write')
  const { type } = await statfs(files.where)
  const local = [0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630].includes(type)
  assert.deepEqual(
    [made, again, state, read].map(file => file.writesThrough),
    [local, local, false, false],
  )
  assert.equal(await made.write(new Uint8Array(700).fill(7), 0), 700)
  await made.datasync()
  assert.equal(await again.size(), 700)
  await Promise.all([made, state, read, again].map(file => file.close()))
})
