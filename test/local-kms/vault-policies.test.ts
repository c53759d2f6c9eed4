import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allows, capabilitiesOf, createAcl } from '../../local-kms/vault/acl.ts'
import type { OperationKind } from '../../local-kms/vault/context.ts'
import { parsePolicy, PolicyError } from '../../local-kms/vault/policy.ts'

const acl = (...texts: string[]) =>
  createAcl(
    texts.map(text => ({ prefix: '', rules: parsePolicy(text) })),
    false,
  )
const may = (texts: string[], path: string, operation: OperationKind = 'update', parameters = {}): boolean =>
  allows(acl(...texts), path, operation, parameters).allowed
const rule = (path: string, capabilities: string[], more = ''): string =>
  `path "${path}" { capabilities = [${capabilities.map(each => `"${each}"`).join(', ')}] ${more} }`

test('Vault policies: nothing is allowed that no rule allows', () => {
  assert.equal(may([], 'transit/sign/a'), false)
  assert.equal(may([rule('transit/sign/a', ['read'])], 'transit/sign/a'), false)
  assert.equal(may([rule('transit/sign/a', ['update'])], 'transit/sign/a'), true)
  assert.equal(may([rule('transit/sign/a', ['update'])], 'transit/sign/a', 'create'), false)
  assert.equal(may([rule('transit/sign/a', ['update'])], 'transit/sign/ab'), false)
  assert.equal(may([rule('transit/sign/a', ['update'])], 'transit/sign/a/sha2-256'), false)
  assert.equal(may([rule('/transit/sign/a', ['update'])], 'transit/sign/a'), true)
})

test('Vault policies: stars take any ending, plusses one segment', () => {
  assert.equal(may([rule('transit/sign/*', ['update'])], 'transit/sign/a/b'), true)
  assert.equal(may([rule('transit/sign/pay*', ['update'])], 'transit/sign/payer'), true)
  assert.equal(may([rule('transit/sign/pay*', ['update'])], 'transit/sign/other'), false)
  assert.equal(may([rule('+/sign/payer', ['update'])], 'transit/sign/payer'), true)
  assert.equal(may([rule('+/sign/payer', ['update'])], 'a/b/sign/payer'), false)
  assert.equal(may([rule('transit/+/payer', ['update'])], 'transit/sign/payer/x'), false)
  assert.equal(may([rule('transit/+/pay*', ['update'])], 'transit/sign/payer/x'), true)
  assert.equal(may([rule('transit/sign/a+b', ['update'])], 'transit/sign/a+b'), true)
})

test('Vault policies: the more particular rule decides, whatever the order', () => {
  const cases: [string, string, string][] = [
    // winner, loser, path
    ['transit/sign/payer', 'transit/sign/*', 'transit/sign/payer'],
    ['transit/sign/pay*', 'transit/sign/*', 'transit/sign/payer'],
    ['transit/sign/*', 'transit/+/payer', 'transit/sign/payer'],
    ['transit/+/payer', 'transit/*', 'transit/sign/payer'],
    ['transit/+/payer', 'transit/+/*', 'transit/sign/payer'],
    ['transit/+/payer', '+/+/payer', 'transit/sign/payer'],
    ['+/sign/payer', '+/+/payer', 'transit/sign/payer'],
    ['+/sign/pay*', '+/sign/p*', 'transit/sign/payer'],
  ]
  for (const [winner, loser, path] of cases) {
    for (const flip of [false, true]) {
      const texts = [rule(winner, ['update']), rule(loser, ['deny'])]
      assert.equal(may(flip ? texts.toReversed() : texts, path), true, `${winner} over ${loser}`)
      const denied = [rule(winner, ['deny']), rule(loser, ['update'])]
      assert.equal(may(flip ? denied.toReversed() : denied, path), false, `${winner} denies over ${loser}`)
    }
  }
})

test('Vault policies: of one path all policies count together, and deny wins', () => {
  assert.deepEqual(capabilitiesOf(acl(rule('a', ['read']), rule('a', ['update', 'sudo'])), 'a'), [
    'read',
    'sudo',
    'update',
  ])
  assert.deepEqual(capabilitiesOf(acl(rule('a', ['read']), rule('a', ['deny'])), 'a'), ['deny'])
  assert.deepEqual(capabilitiesOf(acl(rule('a', ['deny', 'read'])), 'a'), ['deny'])
  assert.deepEqual(capabilitiesOf(acl(), 'a'), ['deny'])
  assert.deepEqual(capabilitiesOf(createAcl([], true), 'a'), ['root'])
})

test('Vault policies: lists are asked for with a slash at the end', () => {
  assert.equal(may([rule('transit/keys', ['list'])], 'transit/keys/', 'list'), true)
  assert.equal(may([rule('transit/keys/', ['list'])], 'transit/keys/', 'list'), true)
  assert.equal(may([rule('transit/keys', ['list'])], 'transit/keys', 'read'), false)
})

test('Vault policies: parameters allowed, denied, required', () => {
  const allowed = [
    rule('a', ['update'], 'allowed_parameters = { "input" = [] "mode" = ["fast", "slow*"] "flag" = [false] }'),
  ]
  assert.equal(may(allowed, 'a', 'update', {}), true)
  assert.equal(may(allowed, 'a', 'update', { input: 'anything', mode: 'slower', flag: false }), true)
  assert.equal(may(allowed, 'a', 'update', { INPUT: 'anything' }), true)
  assert.equal(may(allowed, 'a', 'update', { mode: 'quick' }), false)
  assert.equal(may(allowed, 'a', 'update', { flag: true }), false)
  assert.equal(may(allowed, 'a', 'update', { input: 'x', other: 1 }), false)
  const star = [rule('a', ['update'], 'allowed_parameters = { "mode" = ["fast"] "*" = [] }')]
  assert.equal(may(star, 'a', 'update', { other: 1 }), true)
  assert.equal(may(star, 'a', 'update', { mode: 'slow' }), false)
  const denied = [rule('a', ['update'], 'denied_parameters = { "context" = [] "mode" = ["slow"] }')]
  assert.equal(may(denied, 'a', 'update', { input: 'x', mode: 'fast' }), true)
  assert.equal(may(denied, 'a', 'update', { context: 'x' }), false)
  assert.equal(may(denied, 'a', 'update', { mode: 'slow' }), false)
  assert.equal(may([rule('a', ['update'], 'denied_parameters = { "*" = [] }')], 'a', 'update', { x: 1 }), false)
  const required = [rule('a', ['update'], 'required_parameters = ["format"]')]
  assert.equal(may(required, 'a', 'update', {}), false)
  assert.equal(may(required, 'a', 'update', { format: 'hex' }), true)
  // Numbers never fit a value listed, as on the server
  assert.equal(may([rule('a', ['update'], 'allowed_parameters = { "n" = [1] }')], 'a', 'update', { n: 1 }), false)
})

test('Vault policies: HCL with comments, old words, JSON', () => {
  const text = `
    # one
    // two
    /* three
       lines */
    path "a/*" {
      capabilities = [
        "read", # here too
        "update",
      ]
    }
    path "b" { policy = "write" }
  `
  assert.equal(may([text], 'a/x', 'read'), true)
  assert.equal(may([text], 'b', 'delete'), true)
  assert.equal(may([text], 'b', 'patch'), true)
  const json = JSON.stringify({ path: { 'a/*': { capabilities: ['read'] }, b: { capabilities: ['deny'] } } })
  assert.equal(may([json], 'a/x', 'read'), true)
  assert.equal(may([json], 'b', 'read'), false)
  assert.equal(
    may(
      [JSON.stringify({ path: [{ a: { capabilities: ['read'] } }, { b: { capabilities: ['read'] } }] })],
      'b',
      'read',
    ),
    true,
  )
})

test('Vault policies: what cannot be read is refused', () => {
  const refused: [string, RegExp][] = [
    ['path "a" { capabilities = ["fly"] }', /invalid capability "fly"/],
    ['path "a" { capability = ["read"] }', /invalid key "capability" on line 1/],
    ['paths "a" {}', /invalid key "paths"/],
    ['path "a/+*" { capabilities = ["read"] }', /'\+\*' is forbidden/],
    ['path "a" { policy = "own" }', /invalid policy/],
    ['path "a" {', /./],
    ['path "a', /literal not terminated/],
    ['/* never ends', /comment not terminated/],
    ['{"path": ', /JSON/],
    ['path "a" = 3', /./],
    ['path "a" { capabilities = ["read" }', /error parsing list/],
    ['path "a" { capabilities = "read" }', /unknown slice type/],
    ['&', /illegal character/],
  ]
  for (const [text, message] of refused) {
    assert.throws(
      () => parsePolicy(text),
      (error: Error) => error instanceof PolicyError && message.test(error.message),
      text,
    )
  }
})

test('Vault policies: a namespace’s rules hold below its own path', () => {
  const inside = createAcl([{ prefix: 'team/', rules: parsePolicy(rule('transit/sign/+', ['update'])) }], false)
  assert.equal(allows(inside, 'team/transit/sign/a', 'update', {}).allowed, true)
  assert.equal(allows(inside, 'transit/sign/a', 'update', {}).allowed, false)
})
