/** The arrows of the house: who may import whom, down to types. */
import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Import, type Module, modules, packageOf, readModule, reach, ROOT } from './modules.ts'
import { manifest } from './packages.ts'

const BASE = ['src/domain', 'src/bytes']
/** Rooms of one brace: none of them imports another. */
const BRACE = [
  'chains',
  'policy',
  'keys',
  'access',
  'routing',
  'custody',
  'audit',
  'store',
  'network',
  'approvals',
].map(room => `src/${room}`)

/** Room to the rooms it may import besides itself. What is not listed may import nothing. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'src/domain': [],
  'src/bytes': ['src/domain'],
  ...Object.fromEntries(BRACE.map(room => [room, BASE])),
  'src/runtime': ['src/domain'],
  'src/client': ['src/domain'],
  // Addresses, hours and headers have one reader, in the room that also matches them (D20).
  'src/config': [
    ...BASE,
    ...['addresses', 'forwarded', 'hours', 'proxy-identity'].map(file => `src/access/${file}.ts`),
    'providers/configs.ts',
  ],
  'src/service': [...BASE, ...BRACE],
  'src/http': [...BASE, 'src/service'],
  'src/cli': [...BASE, 'src/service', 'src/config', 'src/client'],
  'src/compose': [
    ...BASE,
    ...BRACE,
    ...['service', 'http', 'cli', 'config', 'client', 'runtime'].map(room => `src/${room}`),
    'providers/index.ts',
    'providers/admin.ts',
    'providers/doctor.ts',
    'local-kms',
    'bench',
  ],
  'src/main': ['src/compose', 'src/cli', 'src/config', 'src/runtime', 'src/domain'],
  // The edge build: the portable core without processes, files and cloud clients.
  'src/edge': [...BASE, ...BRACE, 'src/service', 'src/http', 'src/runtime'],
  providers: [...BASE, 'providers/*'],
  'local-kms': [],
  bench: [
    ...BASE,
    ...['access', 'client', 'compose', 'config', 'custody', 'policy', 'runtime', 'service'].map(room => `src/${room}`),
    'providers',
    'local-kms',
  ],
}

/** `src/compose.ts` and `src/compose/x.ts` are one room; so is everything below `providers`. */
function roomOf(file: string): string {
  const [top = '', second = ''] = file.split('/')
  return top === 'src' ? `src/${second.replace(/\.ts$/, '')}` : top
}

const matches = (file: string, pattern: string): boolean =>
  pattern.includes('*')
    ? new Bun.Glob(pattern).match(file)
    : file === pattern || file === `${pattern}.ts` || file.startsWith(`${pattern}/`)

const all = modules('src', 'providers', 'local-kms', 'bench')
const own = (module: Module): { from: string; to: Import & { file: string } }[] =>
  module.imports.flatMap(to => (to.file === undefined ? [] : [{ from: module.file, to: { ...to, file: to.file } }]))
const arrow = (from: string, to: Import): string => `${from} -> ${to.specifier} (${to.kind})`

describe('arrows (design §4)', () => {
  test('the graph is not empty, and every relative import names a file that exists, with its extension', () => {
    expect(all.length).toBeGreaterThan(50)
    const broken = all
      .flatMap(own)
      .filter(({ to }) => !existsSync(join(ROOT, to.file)) || !/\.(ts|json)$/.test(to.file))
    expect(broken.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('every room imports only what it may', () => {
    const wrong = all.flatMap(own).filter(({ from, to }) => {
      const [room, target] = [roomOf(from), roomOf(to.file)]
      return room !== target && !(MAY[room] ?? []).some(pattern => matches(to.file, pattern))
    })
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('every room is listed, so that a new one is thought about', () => {
    expect([...new Set(all.map(module => roomOf(module.file)))].filter(room => !(room in MAY))).toEqual([])
  })

  test('no import is computed: the single binary holds only what is named', () => {
    const computed = all.flatMap(module =>
      module.imports.filter(to => to.specifier === '(computed)').map(() => module.file),
    )
    expect(computed).toEqual([])
  })

  test('src never imports a concrete provider; only compose opens one', () => {
    const wrong = all
      .filter(module => module.file.startsWith('src/'))
      .flatMap(own)
      .filter(({ to }) => /^providers\/[^/]+\//.test(to.file))
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('providers do not import each other, and the lists at the top load them lazily', () => {
    const wrong = all
      .filter(module => module.file.startsWith('providers/'))
      .flatMap(own)
      .filter(({ from, to }) => {
        const [, home = '', inner] = from.split('/')
        const [top, target = '', deep] = to.file.split('/')
        if (top !== 'providers' || deep === undefined) return false
        // Inside a provider: its own folder, and the software engine the development providers share.
        if (inner !== undefined) return home !== target && target !== 'software'
        return to.kind === 'static' && deep !== 'config.ts' // at the top: code of a provider only by import()
      })
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
    const up = all.filter(module => /^providers\/[^/]+\//.test(module.file)).flatMap(own)
    expect(
      up
        .filter(({ to }) => /^providers\/(index|admin|doctor|configs)\.ts$/.test(to.file))
        .map(({ from, to }) => arrow(from, to)),
    ).toEqual([])
  })

  test('M-11 local-kms shares nothing with src or providers: two readings of one vendor page must agree', () => {
    const wrong = all
      .filter(module => module.file.startsWith('local-kms/'))
      .flatMap(own)
      .filter(({ to }) => !to.file.startsWith('local-kms/'))
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('the client takes types of the domain and nothing else of ours', () => {
    const wrong = all
      .filter(module => module.file.startsWith('src/client/'))
      .flatMap(own)
      .filter(({ to }) => !to.file.startsWith('src/client/') && to.kind !== 'type')
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('M-73 the data plane cannot reach the words of administration', () => {
    for (const entry of ['src/service/sign.ts', 'src/http/app.ts'].filter(file => existsSync(join(ROOT, file)))) {
      const { files } = reach(entry, ['static', 'dynamic'])
      const takers = [...files].filter(file => readModule(file).imports.some(to => to.names.includes('KeyAdmin')))
      expect([entry, takers]).toEqual([entry, []])
      expect([...files].filter(file => file.startsWith('providers/'))).toEqual([])
    }
  })

  test('nothing that ships imports a test or a script', () => {
    const wrong = all.flatMap(own).filter(({ to }) => to.file.startsWith('test/') || to.file.startsWith('scripts/'))
    expect(wrong.map(({ from, to }) => arrow(from, to))).toEqual([])
  })

  test('no cycle between files by value: load order never matters', () => {
    const next = new Map(
      all.map(module => [
        module.file,
        own(module)
          .filter(({ to }) => to.kind === 'static')
          .map(({ to }) => to.file),
      ]),
    )
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      if (done.has(file) || path.includes(file)) return
      for (const to of next.get(file) ?? []) visit(to, [...path, file])
      done.add(file)
    }
    for (const file of next.keys()) visit(file, [])
    expect(cycles).toEqual([])
  })
})

/** Where a package may be imported in what ships. A package is a decision; spreading it is another one. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@aws-crypto/crc32c': ['src/audit', 'providers', 'local-kms'],
  '@aws-sdk/client-kms': ['providers/aws-kms', 'bench'],
  '@aws-sdk/client-sts': ['providers/aws-kms'],
  '@aws-sdk/credential-provider-node': ['providers/aws-kms'],
  '@aws-sdk/credential-provider-web-identity': ['providers/aws-kms'],
  '@google-cloud/kms': ['providers/gcp-kms', 'local-kms/gcp', 'bench'],
  '@grpc/grpc-js': ['providers/gcp-kms', 'local-kms/gcp', 'bench'],
  '@hono/zod-openapi': ['src/http'],
  '@noble/ciphers': ['src/custody', 'providers/key-wrap.ts', 'providers/mock', 'providers/passphrase', 'local-kms'],
  '@noble/curves': ['src/access', 'src/bytes', 'src/custody', 'src/chains/evm', 'providers', 'local-kms'],
  '@noble/hashes': ['src', 'providers', 'local-kms'],
  // A peer of the one below, named so that it is pinned and installed; nobody imports it.
  '@openfeature/core': [],
  '@openfeature/server-sdk': ['src/compose'],
  '@smithy/signature-v4': ['providers/aws-kms'],
  // Policy and raw-env read addresses and seeds in Stellar's text form; the rest of Stellar stays in its chain module.
  '@stellar/stellar-sdk': [
    'src/access',
    'src/chains/stellar',
    'src/policy',
    'providers/raw-env',
    'bench',
    'src/compose',
  ],
  asn1js: ['src/bytes', 'local-kms'],
  canonicalize: ['src', 'providers'],
  commander: ['src/cli'],
  'google-auth-library': ['providers/gcp-kms', 'bench'],
  hono: ['src/http'],
  // providers/gcp-kms: a service account signs its own tokens, also where Google's library cannot run.
  jose: ['src/access', 'src/compose', 'src/cli', 'providers/gcp-kms'],
  kysely: ['src/store'],
  libsodium: ['src/custody', 'src/bytes'],
  'node-vault': ['providers/vault-transit', 'bench'],
  pg: ['src/store'],
  pino: ['src/runtime', 'src/compose'],
  'smol-toml': ['src/config'],
  tinybench: ['bench'],
  // Encoders and hashes; the bench compares with its accounts.
  viem: ['src/chains/evm', 'src/compose/dev.ts', 'bench/subjects/libraries.ts'],
  zod: ['src', 'providers', 'local-kms'],
}

/** Of development: the bench compares with them when it runs from source, and M-12 keeps them out of the binary. */
const FROM_SOURCE: Readonly<Record<string, readonly string[]>> = {
  '@rumblefishdev/eth-signer-kms': ['bench/subjects/libraries.ts'],
  '@solana/keychain-aws-kms': ['bench/subjects/libraries.ts'],
  '@solana/keychain-vault': ['bench/subjects/libraries.ts'],
  // An optional peer of the client, which the binary does not hold.
  ethers: ['src/client/ethers.ts'],
}

describe('packages', () => {
  test('each is imported only where it was decided', () => {
    const wrong = all.flatMap(module =>
      module.imports
        .filter(to => to.file === undefined && !/^(node:|bun:|bun$)/.test(to.specifier))
        .filter(
          to =>
            !({ ...PACKAGES, ...FROM_SOURCE }[packageOf(to.specifier)] ?? []).some(place =>
              matches(module.file, place),
            ),
        )
        .map(to => arrow(module.file, to)),
    )
    expect(wrong).toEqual([])
  })

  test('M-12 what the binary holds is a dependency, not a tool of development', () => {
    const { packages } = reach('src/main.ts', ['static', 'dynamic'])
    const listed = manifest(ROOT).dependencies ?? {}
    const foreign = [...packages].filter(name => !/^(node:|bun:|bun$)/.test(name) && !(name in listed))
    expect(packages.size).toBeGreaterThan(10)
    expect(foreign).toEqual([])
    expect(Object.keys(PACKAGES).toSorted()).toEqual(Object.keys(listed).toSorted())
  })

  test('M-14 the rooms of the core that need no machine import no node: module', () => {
    const pure = ['src/domain', 'src/policy', 'src/chains', 'src/client', 'src/service', 'src/routing']
    const wrong = all
      .filter(module => pure.some(room => matches(module.file, room)))
      .flatMap(module =>
        module.imports.filter(to => to.specifier.startsWith('node:')).map(to => arrow(module.file, to)),
      )
    expect(wrong).toEqual([])
  })

  test('M-07 neither the mock nor the list of providers loads a cloud client (by imports)', () => {
    const cloud = /^(@aws-sdk|@smithy|@aws-crypto|@google-cloud|google-|node-vault)/
    const mock = reach('providers/mock/index.ts', ['static', 'dynamic'])
    expect([...mock.packages].filter(name => cloud.test(name))).toEqual([])
    const list = reach('providers/index.ts', ['static'])
    expect([...list.packages].filter(name => cloud.test(name))).toEqual([])
  })

  test('M-07 opening the mock loads no cloud client (by what Node really loads)', async () => {
    const hooks = `import { registerHooks } from 'node:module'
      registerHooks({ load: (url, context, next) => (process.stdout.write(url + '\\n'), next(url, context)) })
      await import(${JSON.stringify(new URL('../../providers/mock/index.ts', import.meta.url).href)})`
    const child = Bun.spawn([join(ROOT, 'node_modules/.bin/node'), '--input-type=module', '-e', hooks], {
      stderr: 'pipe',
    })
    const [loaded, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    expect([code, code === 0 ? '' : errors]).toEqual([0, ''])
    const urls = loaded.trim().split('\n')
    expect(urls.some(url => url.endsWith('providers/mock/index.ts'))).toBe(true)
    expect(urls.filter(url => /client-kms|@smithy|google|vault/.test(url))).toEqual([])
  })
})
