import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { type CliOptions, EXAMPLE_FILE, run, scratch, startDev } from '../../support/cli.ts'

const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const files = scratch()
let dev: Awaited<ReturnType<typeof startDev>>
let env: Record<string, string>

beforeAll(async () => {
  dev = await startDev()
  env = dev.client
})
afterAll(async () => {
  await dev.stop()
  files.remove()
})

const sign = (argv: readonly string[], options: CliOptions = {}) =>
  run(['sign', '--key', 'demo-mock', ...argv], { env, ...options })

describe('sign takes an envelope in three forms', () => {
  test('as an argument, from a file, from stdin: the signed envelope alone on stdout, nothing on stderr', async () => {
    const byArgument = await sign([EXAMPLE])
    expect(byArgument).toMatchObject({ exitCode: 0, err: '' })
    const { out } = byArgument
    expect(out).toMatch(/^AAAA[A-Za-z0-9+/]+={0,2}\n$/)
    expect(out.length).toBeGreaterThan(EXAMPLE.length)
    expect(await sign([EXAMPLE_FILE])).toMatchObject({ exitCode: 0, out, err: '' })
    expect(await sign(['-'], { stdin: `${EXAMPLE}\n` })).toMatchObject({ exitCode: 0, out, err: '' })
    expect(await sign([], { stdin: EXAMPLE })).toMatchObject({ exitCode: 0, out, err: '' })
  })

  test('--json prints the whole answer; the same --idempotency-key gives the same answer', async () => {
    const once = await sign(['--json', '--idempotency-key', 'a-1', EXAMPLE])
    const twice = await sign(['--json', '--idempotency-key', 'a-1', EXAMPLE])
    expect(twice.out).toBe(once.out)
    expect(Object.keys(once.json).toSorted()).toEqual(
      'address,auditId,custody,hash,keyVersion,provider,publicKey,requestId,signature,signedXdr'.split(','),
    )
    const fresh = await sign(['--json', EXAMPLE])
    expect(fresh.json['auditId']).not.toBe(once.json['auditId'])
  })

  test('--url wins over COUNTERSIGN_URL, a slash at its end does no harm', async () => {
    const url = `${env['COUNTERSIGN_URL']}/`
    expect(
      await sign(['--url', url, EXAMPLE], { env: { ...env, COUNTERSIGN_URL: 'http://127.0.0.1:1' } }),
    ).toMatchObject({ exitCode: 0 })
  })

  test('a token that was copied with its line break works', async () => {
    expect(
      await sign([EXAMPLE], { env: { ...env, COUNTERSIGN_TOKEN: ` ${env['COUNTERSIGN_TOKEN']}\n` } }),
    ).toMatchObject({ exitCode: 0 })
  })
})

describe('sign says what is wrong before it asks anybody (exit 2)', () => {
  const CASES: readonly (readonly [string, readonly string[], CliOptions, string])[] = [
    ['no COUNTERSIGN_URL', [EXAMPLE], { env: { COUNTERSIGN_TOKEN: 'x' } }, 'COUNTERSIGN_URL'],
    ['no COUNTERSIGN_TOKEN', [EXAMPLE], { env: { COUNTERSIGN_URL: 'http://127.0.0.1:1' } }, 'COUNTERSIGN_TOKEN'],
    [
      'an empty one',
      [EXAMPLE],
      { env: { COUNTERSIGN_URL: 'http://127.0.0.1:1', COUNTERSIGN_TOKEN: '' } },
      'COUNTERSIGN_TOKEN',
    ],
    ['an empty file', [files.path('empty')], {}, 'envelope'],
    ['a file that is not there', [files.path('none.xdr')], {}, 'envelope'],
    ['a directory', [files.path()], {}, 'envelope'],
    ['a file past the limit', [files.path('big')], {}, 'envelope'],
    ['an idempotency key no header takes', ['--idempotency-key', 'a b', EXAMPLE], {}, '--idempotency-key'],
    ['an empty idempotency key', ['--idempotency-key', '', EXAMPLE], {}, '--idempotency-key'],
    ['a URL that is none', ['--url', 'localhost:8420', EXAMPLE], {}, '--url'],
    ['a socket URL', ['--url', 'unix:/run/countersign.sock', EXAMPLE], {}, '--url'],
    ['a URL with a password', ['--url', 'http://user:word@127.0.0.1:1', EXAMPLE], {}, '--url'],
    ['a URL with a query', ['--url', 'http://127.0.0.1:1/?a=b', EXAMPLE], {}, '--url'],
  ]
  writeFileSync(files.path('empty'), ' \n')
  writeFileSync(files.path('big'), 'A'.repeat(65_537))
  for (const [title, argv, options, field] of CASES) {
    test(title, async () => {
      const { exitCode, json, err } = await sign(['--json', ...argv], options)
      expect({ exitCode, code: json['error'].code, field: json['error'].field }).toEqual({
        exitCode: 2,
        code: 'request/malformed',
        field,
      })
      expect(err).toContain(field)
      expect(err).not.toContain('word')
    })
  }

  test('stdin past the limit', async () => {
    expect((await sign(['--json'], { stdin: 'A'.repeat(65_537) })).exitCode).toBe(2)
  })

  test('a token with a character no header takes is not repeated', async () => {
    const { exitCode, out, err } = await sign(['--json', EXAMPLE], {
      env: { ...env, COUNTERSIGN_TOKEN: 'canary-\u00e9-token' },
    })
    expect(exitCode).toBe(2)
    expect(out + err).not.toContain('canary')
  })
})

describe('sign passes on what the service says', () => {
  test('a wrong token: exit 1, token/invalid, and the token is not printed', async () => {
    const token = `${env['COUNTERSIGN_TOKEN']?.slice(0, -6)}AAAAAA`
    const { exitCode, json, out, err } = await sign(['--json', EXAMPLE], { env: { ...env, COUNTERSIGN_TOKEN: token } })
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 1, code: 'token/invalid' })
    expect(out + err).not.toContain(token.slice(-40))
    const foreign = await createDevIssuer({ clock: realWorld().clock }).issue({ subject: 'x', scopes: ['sign:*'] })
    expect((await sign([EXAMPLE], { env: { ...env, COUNTERSIGN_TOKEN: foreign } })).exitCode).toBe(1)
  })

  test('a key that is not there exits 1, a name that is no name exits 2', async () => {
    const { exitCode, json } = await run(['sign', '--key', 'nobody', '--json', EXAMPLE], { env })
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 1, code: 'key/unknown' })
    expect((await run(['sign', '--key', '../etc', '--json', EXAMPLE], { env })).exitCode).toBe(2)
  })

  test('text that is no envelope: exit 1, payload/invalid with its reason, on stderr only', async () => {
    const { exitCode, out, err } = await sign([], { stdin: 'not xdr' })
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
    expect(err).toContain('payload/invalid')
    expect(err).toContain('reason:')
    expect(err).toMatch(/requestId: r_[0-9a-f]{32}/)
  })

  test('another envelope under the same idempotency key: exit 1', async () => {
    await sign(['--idempotency-key', 'b-1', EXAMPLE])
    const other = await run(['sign', '--key', 'demo-stellar', '--idempotency-key', 'b-1', EXAMPLE], { env })
    expect(other.exitCode).toBe(1)
    expect(other.err).toContain('idempotency/mismatch')
  })
})

describe('nobody answers, or somebody else does: exit 5', () => {
  const answers: Record<string, () => Response> = {
    'an HTML page': () => new Response('<html>502</html>', { status: 502, headers: { 'content-type': 'text/html' } }),
    'an HTML page with 200': () => new Response('<html>welcome</html>', { status: 200 }),
    'nothing with 204': () => new Response(null, { status: 204 }),
    'another JSON with 200': () => Response.json({ ok: true }),
    null: () => Response.json(null),
    'a redirect': () => Response.redirect('http://127.0.0.1:1/', 307),
    'an endless answer': () => new Response('x'.repeat(2_000_000)),
    'a problem without a title': () => Response.json({ code: 'x' }, { status: 400 }),
  }
  for (const [title, answer] of Object.entries(answers)) {
    test(title, async () => {
      const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: answer })
      const { exitCode, out, err } = await sign([EXAMPLE, '--url', `http://127.0.0.1:${server.port}`])
      await server.stop(true)
      expect({ exitCode, out }).toEqual({ exitCode: 5, out: '' })
      expect(err).toContain('service/unreachable')
      expect(err).toContain('is COUNTERSIGN_URL right?')
    })
  }

  test('no listener', async () => {
    const { exitCode, json } = await sign(['--json', '--url', 'http://127.0.0.1:1', EXAMPLE])
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 5, code: 'service/unreachable' })
  })

  test('the service was stopped', async () => {
    const other = await startDev()
    await other.stop()
    expect((await sign([EXAMPLE], { env: other.client })).exitCode).toBe(5)
  })
})
