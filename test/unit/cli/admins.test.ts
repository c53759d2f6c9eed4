import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { afterAll, test } from 'bun:test'
import { person } from '../../support/control-rig.ts'
import { run, scratch } from '../../support/cli.ts'

const room = scratch()
afterAll(() => room.remove())
const config = room.path('countersign.toml')
writeFileSync(
  config,
  `environment = "development"\n[data]\ndirectory = "${room.path('data')}"\n[providers.mock]\nkind = "mock"\n`,
)
const admins = (...argv: string[]) => run(['admins', ...argv, '--config', config, '--json'])
const [ann, bob] = [person('ann').address, person('bob').address]

test('M-42 the first administrator comes in by the command line; roles that do not go together, strangers and the last one are refused', async () => {
  const added = await admins('add', ann, '--name', 'Ann', '--role', 'policy-admin')
  assert.deepEqual([added.exitCode, added.json['address'], added.json['active']], [0, ann, true])
  assert.equal((await admins('add', bob, '--name', 'Bob', '--role', 'approver', 'auditor')).exitCode, 0)
  const list = await admins('list')
  assert.deepEqual(list.json['admins'].map((each: any) => each.roles).toSorted(), [
    ['approver', 'auditor'],
    ['policy-admin'],
  ])
  const wrong: ReadonlyArray<readonly [string[], number, string]> = [
    [['add', ann, '--name', 'Ann', '--role', 'auditor'], 1, 'admin/exists'],
    [['add', 'G123', '--name', 'X', '--role', 'auditor'], 2, 'request/malformed'],
    [
      ['add', person('x').address, '--name', 'X', '--role', 'approver', 'operator', 'policy-admin'],
      2,
      'request/malformed',
    ],
    [['add', person('x').address, '--name', 'X', '--role', 'root'], 2, 'usage'],
    [['disable', person('x').address], 1, 'admin/unknown'],
    [['disable', ann], 1, 'admin/last'],
  ]
  for (const [argv, exitCode, code] of wrong) {
    const ended = await admins(...argv)
    assert.deepEqual([ended.exitCode, ended.json['error'].code], [exitCode, code], argv.join(' '))
  }
  assert.equal((await admins('disable', bob)).json['active'], false)
  const text = await run(['admins', 'list', '--config', config])
  assert.match(text.out, /disabled {2}approver,auditor {2}Bob\n/)
})

test('M-46 what the command line did to administrators is in the audit log, and the chain holds', async () => {
  const tail = await run(['audit', 'tail', '--data', room.path('data'), '--json'])
  const events = tail.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
    .filter(({ event = '' }) => event.startsWith('admins.'))
  const story = events.map(({ event, detail, actor }: any) => `${event} ${detail.outcome} ${actor.peer}`)
  assert.deepEqual(story.slice(0, 2), ['admins.add accepted cli', 'admins.add done cli'])
  assert.equal(story.at(-1), 'admins.change done cli')
  assert.ok(story.includes('admins.add refused cli') && story.includes('admins.change refused cli'))
  assert.equal((await run(['audit', 'verify', '--data', room.path('data')])).exitCode, 0)
})
