import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HARDENING } from '../../../src/runtime/contract.ts'
import { hardenWith, type LibC } from '../../../src/runtime/harden.ts'

/** A kernel that remembers, so that reading back means something. */
function fakeLibC(broken: Partial<LibC> = {}): LibC & { readonly calls: string[] } {
  const calls: string[] = []
  let dumpable = 1
  let noNewPrivileges = 0
  let core: [bigint, bigint] = [1n, 2n]
  return {
    calls,
    prctl: (option, value) => {
      calls.push(`prctl ${option} ${value}`)
      if (option === 4) dumpable = value
      if (option === 38) noNewPrivileges = value
      return option === 3 ? dumpable : option === 39 ? noNewPrivileges : 0
    },
    setrlimit: (resource, limits) => {
      calls.push(`setrlimit ${resource} ${limits.join(' ')}`)
      core = [limits[0] ?? 9n, limits[1] ?? 9n]
      return 0
    },
    getrlimit: (_resource, limits) => {
      limits.set(core)
      return 0
    },
    ...broken,
  }
}

test('D25 hardening: sets all three and reads each back', () => {
  const libc = fakeLibC()
  const report = hardenWith(libc)
  assert.deepEqual(
    report.items.map(item => [item.name, item.status]),
    HARDENING.map(name => [name, 'ok']),
  )
  assert.equal(report.complete, true)
  assert.deepEqual(libc.calls, ['prctl 4 0', 'prctl 3 0', 'setrlimit 4 0 0', 'prctl 38 1', 'prctl 39 0'])
})

test('D25 hardening: a refused call, a swallowed call and a throwing one are failures with a reason', () => {
  const refused = hardenWith(fakeLibC({ prctl: () => -1, setrlimit: () => -1 }))
  assert.deepEqual(
    refused.items.map(item => item.status),
    ['failed', 'failed', 'failed'],
  )
  assert.equal(refused.complete, false)
  assert.match(refused.items[0]?.reason ?? '', /prctl answered -1/)

  // Seccomp can make a call answer 0 without doing it.
  const swallowed = hardenWith(fakeLibC({ prctl: option => (option === 3 ? 1 : 0), setrlimit: () => 0 }))
  assert.deepEqual(
    swallowed.items.map(item => item.status),
    ['failed', 'failed', 'failed'],
  )

  const thrown = hardenWith(
    fakeLibC({
      prctl: () => {
        throw new Error('no such symbol')
      },
      setrlimit: () => {
        // oxlint-disable-next-line typescript/only-throw-error -- foreign code may throw anything
        throw 'odd'
      },
    }),
  )
  assert.deepEqual(
    thrown.items.map(item => item.reason),
    ['no such symbol', 'the call could not be made', 'no such symbol'],
  )
})
