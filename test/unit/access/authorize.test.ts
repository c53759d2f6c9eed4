import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { authorize } from '../../../src/access/authorize.ts'
import { parseScopes } from '../../../src/access/scopes.ts'
import type { Action } from '../../../src/domain/actions.ts'

const allows = (scope: string, action: Action, key: string): boolean => {
  try {
    authorize({ scopes: parseScopes(scope) }, action, key)
    return true
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'access/denied')
    return false
  }
}

test('authorize M-40: the matrix of scope, action and key', () => {
  const matrix: Record<string, readonly string[]> = {
    '': [],
    'sign:treasury': ['sign treasury'],
    'read:treasury': ['read treasury'],
    'sign:*': ['sign treasury', 'sign payout'],
    'read:*': ['read treasury', 'read payout'],
    'sign:treasury read:payout': ['sign treasury', 'read payout'],
    'sign:* read:*': ['sign treasury', 'sign payout', 'read treasury', 'read payout'],
  }
  const all = (['sign', 'read'] as const).flatMap(action => ['treasury', 'payout'].map(key => [action, key] as const))
  for (const [scope, granted] of Object.entries(matrix)) {
    const passed = all.filter(([action, key]) => allows(scope, action, key)).map(([action, key]) => `${action} ${key}`)
    assert.deepEqual(passed, granted, scope)
  }
})

test('authorize M-40: words that are not exactly ours grant nothing', () => {
  const words = [
    ...[
      '*',
      '*:*',
      'sign',
      'sign:',
      'sign ',
      ':treasury',
      'SIGN:treasury',
      'Sign:*',
      'admin',
      'admin:*',
      'write:treasury',
    ],
    ...[
      'sign:treasury*',
      'sign:t*',
      'sign:**',
      'sign:*:*',
      'sign::treasury',
      'sign=treasury',
      'sign:treasury,read',
      'resign:treasury',
    ],
    ...[
      'sign:\ttreasury',
      'sign:treasury\n',
      'sign:%2A',
      'sign:treasury\u0000',
      'sign:Treasury',
      'openid',
      'sign;treasury',
    ],
  ]
  for (const word of words) {
    for (const action of ['sign', 'read'] as const) assert.equal(allows(word, action, 'treasury'), false, word)
  }
  assert.equal(allows('sign:treasury', 'sign', '*'), false)
  assert.equal(allows('sign:treasury', 'delete' as Action, 'treasury'), false)
  assert.equal(allows('sign:*', 'constructor' as Action, 'treasury'), false)
})

test('authorize: the refusal names the action and not the keys of the token', () => {
  assert.throws(() => authorize({ scopes: parseScopes('sign:secret-project') }, 'sign', 'treasury'), {
    code: 'access/denied',
    detail: { action: 'sign', reason: 'the token does not hold the scope sign for this key' },
  })
})

test('authorize M-40: grants exactly what one of the words says (fast-check)', () => {
  const name = fc.constantFrom('a', 'b', 'treasury', '*', 'x*', '', 'A')
  const verb = fc.constantFrom('sign', 'read', 'admin', 'SIGN', '')
  const word = fc.tuple(verb, fc.constantFrom(':', '', '::', ' '), name).map(parts => parts.join(''))
  const request = fc.record({
    action: fc.constantFrom<Action>('sign', 'read'),
    key: fc.constantFrom('a', 'b', 'treasury', 'z'),
  })
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), request, (words, { action, key }) => {
      const text = words.join(' ')
      const split = text.split(' ')
      assert.equal(allows(text, action, key), split.includes(`${action}:${key}`) || split.includes(`${action}:*`))
    }),
    { numRuns: 2000 },
  )
})
