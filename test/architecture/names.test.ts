/** Names that stand in one place only, or nowhere. */
import { describe, expect, test } from 'bun:test'
import { modules, readModule } from './modules.ts'

const shipped = modules('src', 'providers', 'local-kms', 'bench')
const offenders = (names: readonly string[], allowed: (file: string) => boolean): string[] =>
  shipped
    .filter(module => !allowed(module.file))
    .flatMap(module => names.filter(name => module.names.has(name)).map(name => `${module.file}: ${name}`))

describe('names', () => {
  test('the reader of names sees them all', () => {
    const { names, imports } = readModule(
      'sample.ts',
      `Bun.serve({}); globalThis.Deno; process['env']; value.constructor.name; import.meta.url; notBun.x
       import type { A } from './a.ts'; import { type B, c } from './b.ts'; export * from './d.ts'
       type E = import('./e.ts').E; const f = await import('./f.ts')`,
    )
    for (const name of ['Bun', 'globalThis.Deno', 'process.env', 'constructor.name', 'import.meta.url']) {
      expect([name, names.has(name)]).toEqual([name, true])
    }
    expect(imports.map(to => `${to.file} ${to.kind} ${to.names.join()}`).toSorted()).toEqual([
      'a.ts type A',
      'b.ts static B,c',
      'd.ts static *',
      'e.ts type *',
      'f.ts dynamic *',
    ])
  })

  test('M-14 names of Bun stand in src/runtime/bun.ts alone, names of Deno nowhere', () => {
    const isBun = (file: string) => file === 'src/runtime/bun.ts'
    expect(offenders(['Bun', 'globalThis.Bun'], isBun)).toEqual([])
    expect(offenders(['Deno', 'globalThis.Deno'], () => false)).toEqual([])
    const imports = shipped.flatMap(module => module.imports.map(to => `${module.file}: ${to.specifier}`))
    expect(imports.filter(line => /: bun($|:)/.test(line) && !line.startsWith('src/runtime/bun.ts'))).toEqual([])
  })

  test('D23 the environment is read in src/runtime alone', () => {
    const inRuntime = (file: string) => file.startsWith('src/runtime/')
    const ways = ['process.env', 'Bun.env', 'Deno.env', 'import.meta.env', 'globalThis.process']
    expect(offenders(ways, inRuntime)).toEqual([])
    const taken = shipped
      .filter(module => !inRuntime(module.file))
      .filter(module => module.imports.some(to => /^(node:)?process$/.test(to.specifier) && to.names.includes('env')))
    expect(taken.map(module => module.file)).toEqual([])
  })

  test('no logic on class names, which the minifier changes', () => {
    expect(offenders(['constructor.name'], () => false)).toEqual([])
  })

  test('M-12 nothing is found beside a module: the single binary has no folder', () => {
    const ways = [
      'createRequire',
      '__dirname',
      '__filename',
      'require',
      'import.meta.url',
      'import.meta.dirname',
      'import.meta.dir',
    ]
    expect(
      offenders([...ways, 'import.meta.filename', 'import.meta.path', 'import.meta.resolve'], () => false),
    ).toEqual([])
  })

  test('no code from text', () => {
    expect(offenders(['eval', 'Function'], () => false)).toEqual([])
  })

  test('R-28 randomness and time come from arguments: Math.random nowhere', () => {
    expect(offenders(['Math.random'], () => false)).toEqual([])
  })
})
