import assert from 'node:assert/strict'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { linkPlugin } from '../../../src/compose/plugin-link.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const home = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-link-')))
after(() => rmSync(home, { recursive: true, force: true }))
const self = { path: join(home, 'countersign'), compiled: true, command: [] }
const NAME = 'stellar-countersign'

const folder = (name: string): string => {
  mkdirSync(join(home, name))
  return join(home, name)
}
const refused = (field: string, reason: RegExp) => (error: unknown) => {
  assert.ok(isSignerError(error) && error.code === 'request/malformed')
  assert.equal(error.detail.field, field)
  assert.match(error.detail.reason, reason)
  return true
}

test('the link stands beside the program unless told, and says whether its folder is searched', async () => {
  const path = join(home, NAME)
  const made = { path, target: self.path }
  assert.deepEqual(await linkPlugin(self, NAME, undefined, `/bin:${home}`), { ...made, onPath: true, created: true })
  assert.equal(readlinkSync(path), self.path)
  assert.deepEqual(await linkPlugin(self, NAME, undefined, '/bin'), { ...made, onPath: false, created: false })
  assert.equal((await linkPlugin(self, NAME, undefined, undefined)).onPath, false)
  const windows = await linkPlugin({ ...self, path: join(home, 'countersign.exe') }, NAME, folder('windows'), '')
  assert.equal(windows.path, join(home, 'windows', `${NAME}.exe`))
})

test('a link that leads to this program by another way is the same; anything else stays and is refused', async () => {
  const relative = folder('relative')
  symlinkSync('../countersign', join(relative, NAME))
  assert.equal((await linkPlugin(self, NAME, relative, '')).created, false)
  const others: Record<string, (path: string) => void> = {
    file: path => writeFileSync(path, 'mine'),
    folder: path => mkdirSync(path),
    'link to another program': path => symlinkSync('/bin/sh', path),
    'link to nothing': path => symlinkSync('/nowhere', path),
  }
  for (const [what, make] of Object.entries(others)) {
    const dir = folder(what)
    make(join(dir, NAME))
    const before = lstatSync(join(dir, NAME)).ino
    await assert.rejects(linkPlugin(self, NAME, dir, ''), refused('--dir', /is there already/))
    assert.equal(lstatSync(join(dir, NAME)).ino, before)
  }
  assert.equal(readFileSync(join(home, 'file', NAME), 'utf8'), 'mine')
})

test('a folder that is not there, and a program that is none', async () => {
  await assert.rejects(linkPlugin(self, NAME, join(home, 'none'), ''), refused('--dir', /cannot be written \(ENOENT\)/))
  const sources = { ...self, compiled: false }
  for (const program of [sources, undefined])
    await assert.rejects(linkPlugin(program, NAME, home, ''), refused('install', /from its sources/))
})
