/**
 * T55: what a working directory and an environment can do to the binary. What is closed must stay closed; what cannot be
 * compiled out is written down as it is today, so that a change of the runtime is noticed either way (SECURITY.md tells
 * operators how to close those: own the environment).
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { join } from 'node:path'
import { buildInto, EVIL, REAL_ENTRY, SHOW_ENTRY, start, temporary, trappedFolder } from './support.ts'

const home = temporary('binary')
const traps = trappedFolder()
afterAll(() => {
  home.remove()
  traps.remove()
})
const binary = buildInto(home.path, SHOW_ENTRY).path

/** What the program itself saw, and everything it printed. */
async function look(env: Record<string, string>, ...args: string[]) {
  const { stdout, stderr, code } = await start([binary, ...args], { cwd: traps.path, env }).ended
  const own = stdout.split('\n').find(line => line.startsWith('{')) ?? '{}'
  const seen = JSON.parse(own) as { canary?: unknown; preloaded?: unknown; runtime?: unknown }
  return { code, seen, ranEvil: `${stdout}${stderr}`.includes(EVIL) }
}
const UNTOUCHED = {
  code: 0,
  seen: expect.objectContaining({ canary: null, preloaded: null, runtime: 'bun' }),
  ranEvil: false,
}

describe('T55 closed', () => {
  test('a binary built without our flags falls for the traps, so the traps are real', async () => {
    const plain = temporary('plain')
    const path = join(plain.path, 'countersign')
    const made = start([process.execPath, 'build', '--compile', `--outfile=${path}`, SHOW_ENTRY], {
      cwd: join(import.meta.dir, '../..'),
      env: { PATH: process.env['PATH'] ?? '' },
    })
    expect((await made.ended).code).toBe(0)
    const { stdout } = await start([path], { cwd: traps.path }).ended
    expect(stdout).toContain(EVIL)
    expect(stdout).toContain('"canary":"leaked"')
    plain.remove()
  })

  test('.env, bunfig.toml, tsconfig.json and package.json of the working directory', async () => {
    expect(await look({})).toEqual(UNTOUCHED)
    expect(await look({ NODE_ENV: 'development', HOME: traps.path, XDG_CONFIG_HOME: traps.path })).toEqual(UNTOUCHED)
  })

  const closed: Readonly<Record<string, string>> = {
    NODE_OPTIONS: '--require ./evil.cjs --import ./evil.js',
    NODE_PATH: '.',
    BUN_PRELOAD: './evil.ts',
    BUN_CONFIG_PRELOAD: './evil.ts',
    BUN_CONFIG_FILE: './bunfig.toml',
    BUN_INSPECT_PRELOAD: './evil.ts',
    DENO_PRELOAD: './evil.ts',
  }
  test.each(Object.entries(closed))('%s', async (name, value) => {
    expect(await look({ [name]: value })).toEqual(UNTOUCHED)
  })

  test.each(['--preload ./evil.ts', '-r ./evil.ts', '--import ./evil.js', '--config=./bunfig.toml'])(
    'the argument %s goes to the program, not to the runtime',
    async line => {
      expect(await look({}, ...line.split(' '))).toEqual(UNTOUCHED)
    },
  )
})

describe('T55 cannot be compiled out: true today, and a reason to own the environment', () => {
  test('BUN_OPTIONS=--preload runs foreign code before ours', async () => {
    const { ranEvil, seen } = await look({ BUN_OPTIONS: '--preload ./evil.ts' })
    expect([ranEvil, seen.preloaded]).toEqual([true, true])
  })

  test('BUN_BE_BUN=1 turns the binary into an interpreter, which trusts the working directory again', async () => {
    const { stdout } = await start([binary, '-e', 'console.log("interpreted", 6 * 7)'], {
      cwd: traps.path,
      env: { BUN_BE_BUN: '1' },
    }).ended
    expect(stdout).toContain('interpreted 42')
    expect(stdout).toContain(EVIL)
  })

  test('BUN_INSPECT opens a debugger port', async () => {
    const port = await freePort()
    const child = start([binary, '--stay'], { cwd: traps.path, env: { BUN_INSPECT: `127.0.0.1:${port}` } })
    await child.line(value => value['ready'] === true)
    // The debugger has a thread of its own and may come a little after us.
    let open = false
    for (let tries = 0; !open && tries < 100; tries++) {
      open = await answers(port)
      if (!open) await Bun.sleep(50)
    }
    expect(open).toBe(true)
    child.kill('SIGKILL')
    await child.ended
  })
})

describe('T55 the real binary', () => {
  test('ignores the same traps, and says its version', async () => {
    const real = temporary('real')
    const { path, version, commit } = buildInto(real.path, REAL_ENTRY)
    for (const env of [{}, { NODE_OPTIONS: '--require ./evil.cjs' }]) {
      const { stdout, stderr, code } = await start([path, '--version'], { cwd: traps.path, env }).ended
      expect([code, `${stdout}${stderr}`.includes(EVIL)]).toEqual([0, false])
      expect(stdout).toContain(version)
      expect(commit).not.toBe('')
    }
    real.remove()
  })
})

async function freePort(): Promise<number> {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
  const { port = 0 } = server
  await server.stop(true)
  return port
}

const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
