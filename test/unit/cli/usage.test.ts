import { describe, expect, test } from 'bun:test'
import { Command } from 'commander'
import { columns, given, printable } from '../../../src/cli/options.ts'
import { explain } from '../../../src/cli/exit.ts'
import { ProblemError } from '../../../src/client/http.ts'
import { type ErrorCode, SignerError } from '../../../src/domain/errors.ts'
import { run } from '../../support/cli.ts'

const SIGNING = ['--key', '--dry-run', '--url', '--idempotency-key', '--json', 'COUNTERSIGN_URL']
const NETWORK = ['--network', '--network-passphrase', '--rpc-url', 'STELLAR_NETWORK', 'STELLAR_RPC_URL']

const MIGRATE = ['--chain', '--network', '--provider', '--policy', '--dry-run', '--config', '--data', '--json']
const ROWS = ['--rows', '--concurrency', '--wrapping-key']

/** Every command and the options its page must name. */
const PAGES: Readonly<Record<string, readonly string[]>> = {
  dev: ['--once', '--data', '--port', '--latency', '--xdr', '--json'],
  serve: ['--config', '--plane', '--port', '--control-port', '--data', '--require-hardening', '--json'],
  sign: [
    '[envelope]',
    '--key',
    '--type',
    '--payload',
    '--key-version',
    '--dry-run',
    '--url',
    '--idempotency-key',
    '--json',
    'COUNTERSIGN_TOKEN',
    'COUNTERSIGN_URL',
  ],
  'stellar sign': ['[xdr]', ...SIGNING, ...NETWORK],
  'stellar sign-auth': ['[xdr]', '--expiration-ledger', '--auto-sign', ...SIGNING, ...NETWORK],
  'stellar sign-message': ['[message]', '--base64', ...SIGNING],
  'stellar address': ['--key', '--url', '--json'],
  'stellar keys list': ['--url', '--json'],
  'stellar keys export-public': ['[name]', '--url', '--json'],
  'stellar install': ['--dir', '--json'],
  'keys create': [
    '<name>',
    '--account',
    '--custody',
    '--wrapping-key',
    '--chain',
    '--network',
    '--provider',
    '--policy',
    '--config',
    '--data',
    '--json',
  ],
  'keys import': [
    '<name>',
    '--account',
    '--config',
    '--data',
    '--chain',
    '--network',
    '--reference',
    '--seed-file',
    '--native',
    '--ciphertext-file',
    '--passphrase-row',
    '--passphrase-file',
    '--wrapping-key',
    '--shared',
    '--address',
    '--provider',
    '--policy',
    '--json',
  ],
  'keys list': ['--config', '--data', '--json'],
  'keys inventory': ['--overdue', '--offline', '--config', '--data', '--markdown', '--json'],
  'keys rewrap': [
    '<name>',
    '--all',
    '--provider',
    '--wrapping-key',
    '--from-provider',
    '--dry-run',
    '--config',
    '--data',
    '--json',
  ],
  'keys destroy': [
    '<name>',
    '--key-version',
    '--confirm',
    '--days',
    '--reason',
    '--signer-remains',
    '--at-once',
    '--dry-run',
    '--config',
    '--data',
    '--json',
  ],
  'keys show': ['<name>', '--config', '--data', '--json'],
  'keys check': ['[name]', '--no-proof', '--quarantine', '--config', '--data', '--json'],
  'keys restore': ['<name>', '--key-version', '--binding', '--config', '--data', '--json'],
  'keys bind': ['<name>', '--provider', '--reference', '--seed-file', '--wrapping-key', '--config', '--data', '--json'],
  rotate: [
    '<key>',
    '--status',
    '--begin',
    '--open',
    '--revert',
    '--cutover',
    '--abandon',
    '--print',
    '--provider',
    '--custody',
    '--wrapping-key',
    '--new-account',
    '--account',
    '--account-state',
    '--sequence',
    '--fee',
    '--valid',
    '--token',
    '--tokens',
    '--spender',
    '--collection',
    '--only-named',
    '--payloads',
    '--config',
    '--data',
    '--json',
  ],
  'migrate env': [
    '<name>',
    '--seed-file',
    '--seed-env',
    '--address',
    '--account',
    '--custody',
    '--wrapping-key',
    ...MIGRATE,
  ],
  'migrate passphrase-rows': ['--passphrase-file', ...ROWS, ...MIGRATE],
  'migrate kms-blob': [...ROWS, ...MIGRATE],
  'flags show': ['--config', '--file', '--data', '--json'],
  'flags set': [
    '--key',
    '--environment',
    '--caller',
    '--mode',
    '--target',
    '--percent',
    '--order',
    '--expect',
    '--config',
    '--file',
    '--data',
    '--json',
  ],
  'flags rollback': ['--to', '--config', '--file', '--data', '--json'],
  'admins add': ['<address>', '--name', '--role', '--config', '--data', '--json'],
  'admins list': ['--config', '--data', '--json'],
  'admins disable': ['<address>', '--config', '--data', '--json'],
  'policy check': ['<file>', '--json'],
  'policy test': ['<file>', '--address', '--account', '--network', '--json'],
  'policy explain': ['<payload>', '--policy', '--address', '--account', '--network', '--now', '--json'],
  'policy diff': ['<before>', '<after>', '--json'],
  'policy activate': ['<change>', '--url', '--idempotency-key', '--json'],
  address: ['[public-key]', '--provider', '--key', '--config', '--seed-file', '--json'],
  doctor: ['--config', '--data', '--provider', '--key', '--use', '--json'],
  keygen: ['--out', '--json'],
  login: ['--url', '--seed-file', '--home-domain', '--web-auth-domain', '--network', '--server-account', '--json'],
  'audit verify': ['--data', '--json'],
  'audit tail': ['--data', '--from', '--follow', '--json'],
  'audit reopen': ['--data', '--json'],
  'config check': ['--config', '--json'],
  'config schema': [],
  'local-kms': [
    '--faces',
    '--vault-port',
    '--gcp-rest-port',
    '--gcp-grpc-port',
    '--port',
    '--seed-file',
    '--latency',
    '--sigv4',
    '--persist',
    '--json',
  ],
  bench: ['--short', '--json'],
}

describe('help', () => {
  for (const [command, options] of Object.entries(PAGES)) {
    test(`countersign ${command} --help names every option and the exit codes, and exits 0`, async () => {
      const { exitCode, out, err } = await run([...command.split(' '), '--help'])
      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
      for (const option of [...options, '--help', 'Exit codes: 0 done', 'Data goes to stdout'])
        expect(out).toContain(option)
      expect(await run(['help', ...command.split(' ').slice(0, 1)])).toMatchObject({ exitCode: 0, err: '' })
    })
  }

  test('a page lists no option this table does not know, so that a new one gets its tests', async () => {
    const services = { version: () => '1', audit: () => ({}) }
    const seen: string[] = []
    const collect = (parent: Command, path: readonly string[]) => {
      for (const child of parent.commands) {
        const name = [...path, child.name()]
        if (child.commands.length === 0) seen.push(`${name.join(' ')} ${child.options.map(o => o.long).join(' ')}`)
        collect(child, name)
      }
    }
    const program = new Command()
    for (const [file, add] of [
      ['dev', 'devCommand'],
      ['serve', 'serveCommand'],
      ['sign', 'signCommand'],
      ['stellar', 'stellarCommand'],
      ['keys', 'keysCommand'],
      ['rotate', 'rotateCommand'],
      ['migrate', 'migrateCommand'],
      ['flags', 'flagsCommand'],
      ['admins', 'adminsCommand'],
      ['policy', 'policyCommand'],
      ['address', 'addressCommand'],
      ['keygen', 'keygenCommand'],
      ['login', 'loginCommand'],
      ['audit', 'auditCommand'],
      ['config', 'configCommand'],
      ['local-kms', 'localKmsCommand'],
      ['bench', 'benchCommand'],
      ['doctor', 'doctorCommand'],
    ] as const) {
      const module = (await import(`../../../src/cli/${file}.ts`)) as Record<string, (p: Command, c: unknown) => void>
      module[add]?.(program, { services, terminal: {} })
    }
    collect(program, [])
    expect(seen.length).toBe(Object.keys(PAGES).length)
    for (const line of seen) {
      const [command] = Object.keys(PAGES).filter(name => line.startsWith(`${name} `))
      for (const option of line.split(' ').filter(word => word.startsWith('--')))
        expect(PAGES[command ?? '']).toContain(option)
    }
  })

  test('the first page shows first steps, every command and the exit codes; --version is alone on stdout', async () => {
    const { exitCode, out, err } = await run(['--help'])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    for (const word of [
      'countersign dev --once',
      'Exit codes:',
      ...Object.keys(PAGES).map(name => name.split(' ')[0] ?? ''),
    ])
      expect(out).toContain(word)
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, out: '1.2.3-test\n', err: '' })
  })

  for (const argv of [[], ['keys'], ['audit'], ['config']]) {
    test(`countersign ${argv.join(' ')} without a command says what there is, on stderr, and exits 2`, async () => {
      const { exitCode, out, err } = await run(argv)
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toContain('Commands:')
    })
  }
})

describe('mistakes on the command line exit 2 and say what was meant', () => {
  const CASES: readonly (readonly [readonly string[], string])[] = [
    [['sgin'], 'Did you mean sign?'],
    [['keys', 'lits'], 'Did you mean list?'],
    [['sign', '--key', 'x', '--jsn'], 'Did you mean --json?'],
    [['dev', '--nonsense'], "unknown option '--nonsense'"],
    [['sign'], "required option '--key <name>' not specified"],
    [['login'], "required option '--seed-file <file>' not specified"],
    [['keygen'], "required option '--out <file>' not specified"],
    [['audit', 'verify'], "required option '--data <dir>' not specified"],
    [['keys', 'create', 'a'], "required option '--provider <name>' not specified"],
    [['keys', 'create', '--provider', 'aws'], "missing required argument 'name'"],
    [['keys', 'create', 'a', '--provider', 'x', '--custody', 'both'], 'Allowed choices are native, envelope'],
    [['keys', 'create', 'a', '--provider', 'x', '--chain', 'bitcoin'], 'Allowed choices are stellar, evm'],
    [['local-kms', '--sigv4', 'maybe'], 'Allowed choices are off, lenient, strict'],
    [['dev', '--port', '65536'], 'Use a whole number from 0 to 65535.'],
    [['dev', '--port', '1e3'], 'Use a whole number from 0 to 65535.'],
    [['serve', '--port', '-1'], 'Use a whole number from 0 to 65535.'],
    [['serve', '--port', ' 80'], 'Use a whole number from 0 to 65535.'],
    [['local-kms', '--port', 'http'], 'Use a whole number from 0 to 65535.'],
    [['audit', 'tail', '--data', 'x', '--from', '1.5'], 'Use a whole number.'],
    [['keys', 'list', 'surplus'], 'too many arguments'],
  ]
  for (const [argv, words] of CASES) {
    test(`countersign ${argv.join(' ')}`, async () => {
      const plain = await run(argv)
      expect({ exitCode: plain.exitCode, out: plain.out }).toEqual({ exitCode: 2, out: '' })
      expect(plain.err).toContain(words)
      const { exitCode, json } = await run([...argv, '--json'])
      expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 2, code: 'usage' })
    })
  }
})

describe('what a failure looks like', () => {
  const EXPECTED: readonly (readonly [ErrorCode, object, number])[] = [
    ['request/malformed', { field: 'f', reason: 'r', fix: 'x' }, 2],
    ['request/too-large', { limitBytes: 1 }, 2],
    ['policy/denied', { rule: 'r', reason: 'x' }, 3],
    ['policy/undecided', { rule: 'r', reason: 'x' }, 3],
    ['access/denied', { action: 'sign', reason: 'x' }, 3],
    ['provider/unavailable', { provider: 'p', reason: 'x' }, 5],
    ['provider/ambiguous', { provider: 'p', reason: 'x' }, 5],
    ['store/unavailable', { reason: 'x' }, 5],
    ['service/overloaded', { retryAfterMs: 1 }, 5],
    ['service/stopping', { reason: 'x' }, 5],
    ['token/invalid', { reason: 'x' }, 1],
    ['provider/refused', { provider: 'p', reason: 'x' }, 1],
    ['audit/sealed', { reason: 'x' }, 1],
    ['start/refused', { reason: 'x', fix: 'y' }, 1],
    ['key/unknown', { key: 'k' }, 1],
    ['transaction/rejected', { network: 'n', resultCode: 'txBAD_SEQ', reason: 'x' }, 1],
    ['internal', { incident: 'i' }, 1],
  ]
  for (const [code, detail, exitCode] of EXPECTED) {
    test(`${code} exits ${exitCode}, from here and from a service`, () => {
      const ours = explain(new SignerError(code, detail as never))
      expect({ exitCode: ours.exitCode, json: ours.json }).toEqual({ exitCode, json: { error: { code, ...detail } } })
      const problem = { code, title: 'T', status: 500, retryable: false, requestId: 'r_1', ...detail }
      const theirs = explain(new ProblemError(problem))
      expect({ exitCode: theirs.exitCode, json: theirs.json }).toEqual({ exitCode, json: { error: problem } })
      expect(theirs.lines[0]).toBe(`${code}: T`)
    })
  }

  test('a code this version does not know, and one that looks like a member of every object, exit 1', () => {
    for (const code of ['brand/new', 'constructor', 'toString', '__proto__']) {
      const problem = { code, title: 'T', status: 500, retryable: false, requestId: 'r' }
      expect(explain(new ProblemError(problem)).exitCode).toBe(1)
    }
  })

  test('an unforeseen throw shows its message and no stack; what is no error shows nothing of itself', () => {
    const failure = explain(new TypeError('boom'))
    expect(failure).toEqual({ exitCode: 1, lines: ['boom'], json: { error: { code: 'internal', reason: 'boom' } } })
    expect(explain('text').lines).toEqual(['an unexpected fault'])
  })

  test('config/invalid lists every problem, a line each', () => {
    const problems = [
      { path: 'a', problem: 'is bad', fix: 'Mend a' },
      { path: 'b', problem: 'is worse', fix: 'Mend b' },
    ]
    const { lines } = explain(new SignerError('config/invalid', { problems }))
    expect(lines).toEqual(['config/invalid: 2 problem(s)', '  a: is bad. Mend a', '  b: is worse. Mend b'])
  })

  test('text of others cannot move the cursor or pass for another line', () => {
    const nasty = 'a\u001b[2J\nb\r\u202Ec\u0085\u2028d'
    expect(printable(nasty)).toBe('a\\u{1b}[2J\\u{a}b\\u{d}\\u{202e}c\\u{85}\\u{2028}d')
    const problem = { code: 'x/y', title: nasty, status: 1, retryable: false, requestId: '', reason: nasty }
    for (const line of explain(new ProblemError(problem)).lines) expect(/[\p{Cc}\p{Cf}]/u.test(line)).toBe(false)
    expect(printable('Grüße, 支付 ✓')).toBe('Grüße, 支付 ✓')
  })

  test('columns are as wide as their widest cell; absent members are dropped', () => {
    expect(
      columns(
        [
          ['a', 'bbb', 'c'],
          ['aa', 'b', 'cc'],
        ],
        '> ',
      ),
    ).toBe('> a   bbb  c\n> aa  b    cc')
    expect(columns([])).toBe('')
    expect(given({ a: 1, b: undefined, c: null })).toEqual({ a: 1, c: null })
  })
})
