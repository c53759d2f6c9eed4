/** M-73: what each plane can reach at all, whatever its routes say. */
import { expect, test } from 'bun:test'
import { reach } from './modules.ts'

const SIGNS = [
  /^src\/service\/(sign|signer|release|verify-after-sign)\.ts$/,
  /^src\/custody\//,
  /^src\/routing\//,
  /^providers\//,
]
const ADMINISTERS = [/^src\/service\/control\//, /^src\/http\/.*control/, /^src\/service\/(register|restore|bind)\.ts$/]

const reached = (entry: string, what: readonly RegExp[]): string[] =>
  [...reach(entry, ['static', 'dynamic']).files].filter(file => what.some(each => each.test(file)))

test('M-73 the control plane has no code that signs: not by import, not by a late one', () => {
  expect(reach('src/http/control.ts', ['static', 'dynamic']).files.size).toBeGreaterThan(30)
  expect(reached('src/http/control.ts', SIGNS)).toEqual([])
})

test('M-73 the data plane has no code that administers', () => {
  expect(reach('src/http/app.ts', ['static', 'dynamic']).files.size).toBeGreaterThan(10)
  expect(reached('src/http/app.ts', ADMINISTERS)).toEqual([])
})
