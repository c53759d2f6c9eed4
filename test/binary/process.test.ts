/** D25: what the binary does to its own process on Linux, seen from outside through /proc; and how signals end it. */
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { buildInto, SHOW_ENTRY, start, type Started, temporary } from './support.ts'

const home = temporary('process')
afterAll(() => home.remove())
const binary = buildInto(home.path, SHOW_ENTRY).path

/** /proc shows who owns a process only when that is not root: as root we step down to an ordinary user. */
const NOBODY = 65534
const uid = process.getuid?.() === 0 ? NOBODY : process.getuid?.()
const as = process.getuid?.() === 0 ? { uid: NOBODY } : {}

async function running(...args: string[]): Promise<Started & { url: string }> {
  const child = start([binary, '--stay', ...args], { cwd: home.path, env: { CANARY: 'in the environment' }, ...as })
  const { url } = await child.line(value => value['ready'] === true)
  return { ...child, url: String(url) }
}
async function end(child: Started): Promise<void> {
  child.kill('SIGKILL')
  await child.ended
}
const proc = (child: Started, name: string): string => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
const field = (text: string, name: string): string =>
  text
    .split('\n')
    .find(line => line.startsWith(name))
    ?.slice(name.length)
    .trim()
    .replaceAll(/\s+/g, ' ') ?? ''

describe.skipIf(process.platform !== 'linux')('D25 hardening (Linux)', () => {
  test('T03 no core files, no new privileges, and memory that the same user cannot read', async () => {
    const child = await running('--harden')
    expect(field(proc(child, 'limits'), 'Max core file size')).toStartWith('0 0')
    expect(field(proc(child, 'status'), 'NoNewPrivs:')).toBe('1')
    // Not dumpable: the kernel gives the files of the process to root (proc(5)).
    expect(statSync(`/proc/${child.pid}/mem`).uid).toBe(0)
    const spy = await start(['/bin/cat', `/proc/${child.pid}/environ`], { cwd: home.path, ...as }).ended
    expect([spy.stdout, spy.code]).toEqual(['', 1])
    await end(child)
  })

  test('without it the same user can read the environment, so the test above can fail', async () => {
    const child = await running()
    expect(field(proc(child, 'status'), 'NoNewPrivs:')).toBe('0')
    expect(statSync(`/proc/${child.pid}/mem`).uid).toBe(uid as number)
    const spy = await start(['/bin/cat', `/proc/${child.pid}/environ`], { cwd: home.path, ...as }).ended
    expect(spy.stdout).toContain('in the environment')
    await end(child)
  })

  test('the report says what was done', async () => {
    const child = start([binary, '--harden'], { cwd: home.path })
    const { hardening } = await child.line(value => 'hardening' in value)
    expect(hardening).toEqual({
      items: ['not-dumpable', 'no-core-files', 'no-new-privileges'].map(name => ({ name, status: 'ok' })),
      complete: true,
    })
  })
})

describe('signals', () => {
  test('T55 SIGUSR1 neither ends the process nor opens a debugger', async () => {
    const child = await running()
    const before = listening(child.pid)
    child.kill('SIGUSR1')
    child.kill('SIGUSR1')
    // Answered after the signal was delivered: the loop is alive and has handled it.
    for (let i = 0; i < 3; i++) expect(await (await fetch(child.url)).text()).toBe('0')
    expect(listening(child.pid)).toEqual(before)
    await end(child)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s lets the work end and exits 0', async signal => {
    const child = await running()
    child.kill(signal)
    expect((await child.ended).code).toBe(0)
  })

  test('D21 a body over the backstop is refused by the runtime itself', async () => {
    const child = await running()
    expect((await fetch(child.url, { method: 'POST', body: 'x'.repeat(2048) })).status).toBe(200)
    expect((await fetch(child.url, { method: 'POST', body: 'x'.repeat(4096) })).status).toBe(413)
    await end(child)
  })
})

/** Ports in state LISTEN (0A) in the network of the process; ours are the only ones that could be new. */
function listening(pid: number): string[] {
  return ['tcp', 'tcp6']
    .map(name => `/proc/${pid}/net/${name}`)
    .filter(path => existsSync(path))
    .flatMap(path => {
      const rows = readFileSync(path, 'utf8')
        .split('\n')
        .slice(1)
        .map(row => row.trim().split(/\s+/))
      const inodes = new Set(socketsOf(pid))
      return rows.filter(row => row[3] === '0A' && inodes.has(row[9] ?? '')).map(row => row[1] ?? '')
    })
    .toSorted()
}

/** Inode numbers of the sockets a process holds. Empty when we may not look, which hardening makes so for ordinary users. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .map(fd => readlinkSync(`/proc/${pid}/fd/${fd}`))
      .flatMap(link => (link.startsWith('socket:[') ? [link.slice(8, -1)] : []))
  } catch {
    return []
  }
}
