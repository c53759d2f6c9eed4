/** Nothing that was signed leaves but by a look at its version (M-62, I5): who may go around the types is listed here. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { modules, ROOT } from './modules.ts'

const all = modules('src')
const takers = (name: string): string[] =>
  all
    .filter(({ imports }) =>
      imports.some(({ names, file }) => names.includes(name) && file === 'src/service/release.ts'),
    )
    .map(({ file }) => file)
    .toSorted()

describe('ways out (M-62, I5)', () => {
  test('what is released is worked on inside in two places: both put it where it is looked at again before it goes', () => {
    expect(takers('insideOf')).toEqual(['src/service/proposals/collect.ts', 'src/service/transactions/signing.ts'])
  })

  test('one module gives what is released another form, and so sees it before it leaves', () => {
    const forming = all.map(({ file }) => file).filter(file => /\.as\(/.test(readFileSync(join(ROOT, file), 'utf8')))
    expect(forming).toEqual(['src/service/rpc.ts'])
  })

  test('only the path of a signature releases', () => {
    expect(takers('release')).toEqual(['src/service/sign.ts'])
    expect(takers('releaseAgain')).toEqual(['src/service/sign.ts'])
  })

  test('services send to a network in one place, behind the look', () => {
    const senders = all
      .map(({ file }) => file)
      .filter(
        file => file.startsWith('src/service/') || file.startsWith('src/http/') || file.startsWith('src/compose/'),
      )
      .filter(file => /\b(node|network|horizon|rpc)\.submit\(/.test(readFileSync(join(ROOT, file), 'utf8')))
    expect(senders).toEqual(['src/service/standing.ts'])
  })

  test('collected signatures are shown by one module, which asks for them to stand', () => {
    const showing = all
      .filter(({ imports }) =>
        imports.some(({ names, file }) => file === 'src/service/proposals/view.ts' && names.includes('viewOf')),
      )
      .map(({ file }) => file)
    expect(showing).toEqual(['src/service/proposals/index.ts'])
  })
})
