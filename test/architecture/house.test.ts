/** What the repository holds besides code: pins, licences, sizes, and nothing of the machine it was written on. */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { modules, ROOT } from './modules.ts'
import { manifest, production } from './packages.ts'

const own = manifest(ROOT)
const shipped = production()

/** Files that go over the limit, each with why it reads better whole. */
const LONG_FILES: Readonly<Record<string, string>> = {}
const LINES_MAX = 400

/** Private keys that open nothing: the certificates of TLS tests, and the patterns looked for. */
const KEYS_OF_TESTS = ['test/support/bad-certificates.ts', 'test/architecture/house.test.ts']

function tracked(): string[] {
  const skip = new Set(['node_modules', '.git', 'dist', 'reports', 'coverage', '.countersign'])
  const visit = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
      if (skip.has(entry.name)) return []
      const path = join(folder, entry.name)
      return entry.isDirectory() ? visit(path) : entry.isFile() ? [path] : []
    })
  return visit(ROOT)
}

describe('the house', () => {
  test('T67 every dependency is pinned to one version', () => {
    const pins = { ...own.dependencies, ...own.devDependencies, ...own.optionalDependencies }
    // Several majors of one package have names of their own.
    const pinned = /^(npm:@?[a-z0-9/-]+@)?\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/
    const loose = Object.entries(pins).filter(([, version]) => !pinned.test(version))
    expect(loose).toEqual([])
    expect(own.engines?.['bun']).toBe(process.versions.bun)
  })

  test('T67 the lock file names no place, and every package in it has a checksum', () => {
    const lock = readFileSync(join(ROOT, 'bun.lock'), 'utf8')
    expect(lock).not.toContain('://')
    const packages = lock
      .slice(lock.indexOf('"packages": {'))
      .split('\n')
      .filter(line => /^ {4}"[^"]+": \[/.test(line))
    expect(packages.length).toBeGreaterThan(100)
    expect(packages.filter(line => !/"sha512-[A-Za-z0-9+/=]+"\],?$/.test(line))).toEqual([])
  })

  test('R-37 nothing that ships runs a script when it is installed', () => {
    expect(own.trustedDependencies).toBeUndefined()
    const scripts = [...shipped].filter(
      ([home, { scripts }]) =>
        ['preinstall', 'install', 'postinstall'].some(name => scripts?.[name] !== undefined) ||
        existsSync(join(home, 'binding.gyp')),
    )
    // Below Google's client: warns about version ranges, needs nothing of the kind. Bun blocks it, since no package is trusted.
    expect(scripts.map(([, { name }]) => name).filter(name => name !== 'protobufjs')).toEqual([])
  })

  test('what ships is under a permissive licence', () => {
    const permissive = new Set([
      'MIT',
      'ISC',
      'Apache-2.0',
      'BSD-2-Clause',
      'BSD-3-Clause',
      '0BSD',
      'CC0-1.0',
      'Unlicense',
      'BlueOak-1.0.0',
    ])
    const accepts = (license: unknown): boolean => {
      // The old form of a manifest lists what is offered: { type, url }.
      if (Array.isArray(license)) return license.some(offer => accepts((offer as { type?: unknown }).type))
      const words = typeof license === 'string' ? license.replaceAll(/[()]/g, '') : ''
      // Of several offered, one is enough; of several demanded, all must be.
      return words.split(' OR ').some(offer => offer.split(' AND ').every(each => permissive.has(each.trim())))
    }
    expect(shipped.size).toBeGreaterThan(15)
    expect(
      [...shipped.values()].filter(({ license }) => !accepts(license)).map(({ name, license }) => [name, license]),
    ).toEqual([])
    expect(own.license).toBe('Apache-2.0')
    expect(accepts('(MIT OR GPL-3.0)') && !accepts('MIT AND GPL-3.0') && !accepts(undefined)).toBe(true)
  })

  test('the top level holds what the design lists, and nothing that fell down there', () => {
    const listed = ['src', 'providers', 'test', 'bench', 'local-kms', 'docs', 'deploy', 'examples', 'scripts', '.ci']
    const files = [
      'package.json',
      'bun.lock',
      'bunfig.toml',
      'tsconfig.json',
      'biome.json',
      'knip.json',
      '.oxlintrc.json',
      '.gitignore',
    ]
    const papers = ['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'CONTRIBUTING.md', 'NOTICE']
    const asked = spawnSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
    const top =
      asked.status === 0
        ? new Set(
            asked.stdout
              .trim()
              .split('\n')
              .map(path => path.split('/')[0] ?? ''),
          )
        : new Set<string>()
    expect([...top].filter(name => ![...listed, ...files, ...papers].includes(name))).toEqual([])
  })

  test('files stay readable in one sitting', () => {
    const long = modules('src', 'providers', 'local-kms', 'bench').filter(({ lines }) => lines > LINES_MAX)
    expect(
      long.filter(({ file }) => LONG_FILES[file] === undefined).map(({ file, lines }) => `${file}: ${lines} lines`),
    ).toEqual([])
    expect(Object.keys(LONG_FILES).filter(file => !long.some(each => each.file === file))).toEqual([])
  })

  test('nothing names the machine it was written on, or where packages were fetched from', () => {
    // Put together here, so that this file does not hold what it looks for.
    const words = [
      ['', 'work', ''].join('/'),
      ['registry', 'npmjs', 'org'].join('.'),
      ['registry', 'yarnpkg', 'com'].join('.'),
      ['deb', 'debian', 'org'].join('.'),
    ]
    const found = tracked()
      .filter(path => statSync(path).size < 5_000_000)
      .flatMap(path => {
        const content = readFileSync(path, 'utf8')
        return words.filter(word => content.includes(word)).map(word => `${relative(ROOT, path)}: ${word}`)
      })
    expect(found).toEqual([])
  })

  test('no secret of the usual shapes stands in a file', () => {
    const shapes = [
      /AKIA[0-9A-Z]{16}/,
      /-----BEGIN (RSA |EC )?PRIVATE KEY-----/,
      /hvs\.[A-Za-z0-9]{24,}/,
      /"private_key_id"/,
    ]
    // The vendor's own documentation uses this one; it opens nothing.
    const documented = ['AKIAIOSFODNN7EXAMPLE']
    const found = tracked()
      .filter(path => /\.(ts|md|json|toml|ya?ml|service)$/.test(path))
      .filter(path => {
        const content = documented.reduce((all, each) => all.replaceAll(each, ''), readFileSync(path, 'utf8'))
        return shapes.some(shape => shape.test(content))
      })
    expect(found.map(path => relative(ROOT, path)).filter(file => !KEYS_OF_TESTS.includes(file))).toEqual([])
  })
})
