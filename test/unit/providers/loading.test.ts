/** What is loaded when: no cloud SDK with the mock, nothing of any SDK with the list of providers, no node: in what runs on the edge. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { memoised } from '../../../providers/once.ts'

const ROOT = new URL('../../../', import.meta.url)
const CLOUD = /^@(aws-sdk|smithy|aws-crypto|google-cloud)\/|^(node-vault|google-gax)/

/** All modules that importing `entry` loads at once. Dynamic imports are what is not followed: that is their point. */
function loadedWith(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (url: URL): void => {
    if (files.has(url.pathname)) return
    files.add(url.pathname)
    const source = readFileSync(url, 'utf8')
    for (const [, types, named] of source.matchAll(
      /^\s*(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
    )) {
      if (types !== undefined || named === undefined) continue
      if (named.startsWith('.')) visit(new URL(named, url))
      else packages.add(named)
    }
  }
  visit(new URL(entry, ROOT))
  return { files, packages }
}

test('the import reader sees what it should: making keys in AWS does load its SDK', () => {
  assert.ok([...loadedWith('providers/aws-kms/admin.ts').packages].some(name => CLOUD.test(name)))
})

for (const entry of [
  'providers/index.ts',
  'providers/admin.ts',
  'providers/mock/index.ts',
  'providers/mock/admin.ts',
  'providers/passphrase/index.ts',
  'providers/raw-env/index.ts',
  'providers/aws-kms/config.ts',
  'providers/aws-kms/index.ts', // at once; `create` loads what its transport needs
  'providers/mock/config.ts',
  'providers/raw-env/config.ts',
  'providers/vault-transit/config.ts',
  'providers/vault-transit/edge.ts',
  'providers/vault-transit/index.ts', // at once; `create` loads it
]) {
  test(`${entry} loads no cloud SDK`, () => {
    const { packages } = loadedWith(entry)
    assert.deepEqual(
      [...packages].filter(name => CLOUD.test(name)),
      [],
    )
  })
}

/** Loads `entry` in a process of its own and asks the runtime what came along, lazy imports included. */
function loadedInProcess(entry: string, use: string): string[] {
  const isBun = 'bun' in process.versions
  const script = `
    const seen = []
    ${isBun ? '' : "const { registerHooks } = await import('node:module'); registerHooks({ resolve(s, c, n) { const r = n(s, c); seen.push(r.url); return r } })"}
    const loaded = await import(${JSON.stringify(new URL(entry, ROOT).href)})
    ${use}
    ${isBun ? 'seen.push(...Object.keys(require.cache))' : ''}
    console.log(JSON.stringify(seen))`
  const flags = isBun ? ['-e', script] : ['--input-type=module', '-e', script]
  return JSON.parse(
    execFileSync(process.execPath, flags, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
}

const blind =
  'Deno' in globalThis
    ? 'asks the module loaders of Bun and Node what they hold; the import reader above covers Deno'
    : false
test('M-07 a process that opens the mock, by itself or by the list of providers, has no cloud client in memory', {
  skip: blind,
}, () => {
  const world = `{ environment: 'development', random: {}, clock: {}, fetch() {} }`
  const cloud = (urls: string[]) => urls.filter(url => /node_modules\/@(aws-sdk|smithy|google-cloud)\//.test(url))
  assert.deepEqual(
    cloud(loadedInProcess('providers/mock/index.ts', `await loaded.create({ kind: 'mock' }, ${world})`)),
    [],
  )
  assert.deepEqual(
    cloud(loadedInProcess('providers/index.ts', `await loaded.openProvider({ kind: 'mock' }, ${world})`)),
    [],
  )
  const aws = `await loaded.openProvider({ kind: 'aws-kms', region: 'eu-central-1', transport: 'sdk' }, ${world})`
  const lean = aws.replace('sdk', 'lean')
  assert.deepEqual(
    cloud(loadedInProcess('providers/index.ts', lean)).filter(url => url.includes('/@aws-sdk/')),
    [],
    'the lean transport signs requests without a client of AWS',
  )
  assert.notEqual(
    cloud(loadedInProcess('providers/index.ts', aws)).length,
    0,
    'the instrument must see a cloud client that is there',
  )
})

test('the list of providers loads no provider at all', () => {
  for (const entry of ['providers/index.ts', 'providers/admin.ts']) {
    const { files, packages } = loadedWith(entry)
    assert.deepEqual([...packages], [])
    assert.deepEqual(
      [...files].filter(path => /providers\/(aws-kms|mock|passphrase|raw-env)\//.test(path)),
      [],
    )
  }
})

test('every provider is a literal lazy import, so that the single binary holds it', () => {
  for (const entry of ['providers/index.ts', 'providers/admin.ts']) {
    const source = readFileSync(new URL(entry, ROOT), 'utf8')
    const kinds = source.match(/^ {4}case '/gm)?.length ?? 0
    assert.ok(kinds >= 3)
    assert.equal(source.match(/import\(/g)?.length, kinds)
    assert.equal(source.match(/import\('\.\/[a-z-]+\/[a-z]+\.ts'\)/g)?.length, kinds)
  }
})

for (const entry of ['providers/mock/index.ts', 'providers/passphrase/index.ts', 'providers/vault-transit/edge.ts'])
  test(`M-14 ${entry} and what it stands on import nothing of node:, so they run on the edge`, () => {
    const { files, packages } = loadedWith(entry)
    assert.deepEqual(
      [...packages].filter(name => name.startsWith('node:') || name.startsWith('bun')),
      [],
    )
    for (const file of files)
      assert.doesNotMatch(readFileSync(file, 'utf8'), /\b(Buffer|process|Deno|Bun)\.[a-zA-Z]/, file)
  })

test('the data plane never imports the administration', () => {
  for (const entry of [
    'providers/index.ts',
    'providers/aws-kms/index.ts',
    'providers/mock/index.ts',
    'providers/passphrase/index.ts',
    'providers/raw-env/index.ts',
    'providers/vault-transit/index.ts',
  ]) {
    const { files } = loadedWith(entry)
    assert.deepEqual(
      [...files].filter(path => path.endsWith('/admin.ts')),
      [],
    )
  }
  for (const file of loadedWith('providers/aws-kms/index.ts').files) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /(CreateKey|ScheduleKeyDeletion|ImportKeyMaterial)Command/, file)
  }
})

test('a remembered promise is shared, and dropped when it rejects', async () => {
  let asked = 0
  const once = memoised(async (key: string) => {
    asked++
    if (asked === 1) throw new Error('first time')
    return `${key} ${asked}`
  })
  const both = await Promise.allSettled([once.get('a'), once.get('a')])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(asked, 1)
  assert.deepEqual(await Promise.all([once.get('a'), once.get('a'), once.get('b')]), ['a 2', 'a 2', 'b 3'])
  once.clear()
  assert.equal(await once.get('a'), 'a 4')
})
