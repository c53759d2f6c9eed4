import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey } from '@stellar/stellar-sdk/base'
import type { OperationView, PreconditionsView } from '../../../src/domain/stellar.ts'
import { decide, type Facts, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { alice, bob, carol } from '../../fuzz/xdr-corpus.ts'
import { amount, facts, narrow, NO_CONDITIONS, NOW_S, usd, view } from './samples.ts'

type SetOptions = Extract<OperationView, { type: 'setOptions' }>
type Granted = NonNullable<PolicyDocument['setOptions']>

const options = (changes: Partial<SetOptions>): SetOptions => ({
  type: 'setOptions',
  source: null,
  inflationDestination: null,
  clearFlags: null,
  setFlags: null,
  masterWeight: null,
  lowThreshold: null,
  mediumThreshold: null,
  highThreshold: null,
  homeDomain: null,
  signer: null,
  ...changes,
})

const verdict = (policy: Partial<PolicyDocument>, operation: OperationView) =>
  decide(parsePolicy({ ...narrow, ...policy }), view({ operations: [operation] }), facts)

function says(kind: 'allow' | string, policy: Partial<PolicyDocument>, operation: OperationView): void {
  const decision = verdict(policy, operation)
  assert.equal(decision.kind === 'allow' ? 'allow' : decision.rule, kind, JSON.stringify(policy))
}

const preAuth = StrKey.encodePreAuthTx(new Uint8Array(32).fill(1))
const hashX = StrKey.encodeSha256Hash(new Uint8Array(32).fill(2))

test('T28 setOptions: denied without a grant, all of it with the loud one', () => {
  const asked = options({ signer: { key: bob, weight: 1 }, masterWeight: 0 })
  says('operations', {}, asked)
  says('allow', { sensitiveOperations: ['setOptions'] }, asked)
  says('set-options', { setOptions: {} }, asked)
  says('allow', { setOptions: {} }, options({}))
  says('allow', { setOptions: {}, sensitiveOperations: ['setOptions'] }, asked)
})

test('T28 setOptions: each field needs its own grant, and its value must be in it', () => {
  const signers = [
    { key: bob, minWeight: 0, maxWeight: 0 },
    { key: carol, minWeight: 1, maxWeight: 2 },
    { key: preAuth, minWeight: 1, maxWeight: 255 },
  ]
  const range = { min: 1, max: 2 }
  const cases: ReadonlyArray<
    readonly [granted: Granted, good: readonly Partial<SetOptions>[], bad: readonly Partial<SetOptions>[]]
  > = [
    [
      { signers },
      [
        { signer: { key: bob, weight: 0 } },
        { signer: { key: carol, weight: 2 } },
        { signer: { key: preAuth, weight: 255 } },
      ],
      [
        { signer: { key: bob, weight: 1 } },
        { signer: { key: carol, weight: 0 } },
        { signer: { key: carol, weight: 3 } },
        { signer: { key: alice, weight: 0 } },
        { signer: { key: hashX, weight: 1 } },
      ],
    ],
    [{ masterWeight: range }, [{ masterWeight: 1 }, { masterWeight: 2 }], [{ masterWeight: 0 }, { masterWeight: 3 }]],
    [{ lowThreshold: range }, [{ lowThreshold: 1 }], [{ lowThreshold: 0 }]],
    [{ mediumThreshold: range }, [{ mediumThreshold: 1 }], [{ mediumThreshold: 3 }]],
    [{ highThreshold: range }, [{ highThreshold: 1 }], [{ highThreshold: 3 }]],
    [
      { setFlags: ['required', 'clawback'] },
      [{ setFlags: 1 }, { setFlags: 9 }, { setFlags: 0 }],
      [{ setFlags: 2 }, { setFlags: 11 }, { setFlags: 16 }, { setFlags: 4_294_967_295 }, { setFlags: -1 }],
    ],
    [{ clearFlags: ['revocable'] }, [{ clearFlags: 2 }], [{ clearFlags: 1 }, { clearFlags: 4 }]],
    [
      { homeDomains: ['example.com'] },
      [{ homeDomain: 'example.com' }],
      [{ homeDomain: 'example.co' }, { homeDomain: '' }],
    ],
    [{ inflationDestinations: [bob] }, [{ inflationDestination: bob }], [{ inflationDestination: carol }]],
  ]
  for (const [granted, good, bad] of cases) {
    for (const one of good) says('allow', { setOptions: granted }, options(one))
    for (const one of bad) says('set-options', { setOptions: granted }, options(one))
    for (const one of good) {
      says('set-options', { setOptions: granted }, options({ ...one, ...missing(granted) }))
      says('set-options', { setOptions: {} }, options({ signer: null, ...one, ...missing({}) }))
    }
  }
})

/** A field that these grants do not have. */
const missing = (granted: Granted): Partial<SetOptions> =>
  granted.homeDomains === undefined ? { homeDomain: 'example.com' } : { masterWeight: 1 }

test('trust lines: any with the operation listed, else the listed assets', () => {
  const trust = (line: string, limit = 5n): OperationView => ({
    type: 'changeTrust',
    source: null,
    line,
    limit: amount(limit),
  })
  says('operations', {}, trust(usd))
  says('allow', { operations: ['changeTrust'] }, trust(`pool:native/${usd}/30`))
  says('allow', { trustLines: [usd] }, trust(usd))
  says('allow', { trustLines: [usd] }, trust(usd, 0n))
  says('operations', { trustLines: [usd] }, trust(`USD:${bob}`))
  says('operations', { trustLines: [usd] }, trust(`pool:native/${usd}/30`))
  says('operations', { trustLines: [] }, trust(usd))
  for (const line of ['native', 'any', 'USD', `pool:native/${usd}/30`]) {
    assert.throws(() => parsePolicy({ version: 1, trustLines: [line] }), line)
  }
})

const LEDGER = 1000

test('T29 216 combinations of time and ledger bounds: an end by one of them, as granted', () => {
  const ends: readonly PreconditionsView['timeBounds'][] = [
    null,
    { minTime: 0n, maxTime: 0n },
    { minTime: 0n, maxTime: NOW_S + 600n },
    { minTime: 0n, maxTime: NOW_S + 601n },
  ]
  const ledgers: ReadonlyArray<readonly [bounds: PreconditionsView['ledgerBounds'], good: boolean]> = [
    [null, false],
    [{ minLedger: 0, maxLedger: 0 }, false],
    [{ minLedger: 0, maxLedger: LEDGER }, false],
    [{ minLedger: 0, maxLedger: LEDGER + 1 }, true],
    [{ minLedger: 0, maxLedger: LEDGER + 100 }, true],
    [{ minLedger: LEDGER + 100, maxLedger: LEDGER + 100 }, false],
    [{ minLedger: 0, maxLedger: LEDGER + 101 }, false],
    [{ minLedger: 0, maxLedger: 4_294_967_295 }, false],
    [{ minLedger: LEDGER + 99, maxLedger: LEDGER + 100 }, true],
  ]
  const policies: readonly Partial<PolicyDocument>[] = [
    { timeBounds: { maxLifetimeSeconds: 600 } },
    { timeBounds: { maxLifetimeSeconds: 600 }, ledgerBounds: { maxLedgersAhead: 100 } },
    { ledgerBounds: { maxLedgersAhead: 100 } },
  ]
  let combinations = 0
  for (const policy of policies) {
    const { timeBounds: _, ...rest } = narrow
    const parsed = parsePolicy({ ...rest, ...policy })
    for (const timeBounds of ends) {
      for (const [ledgerBounds, goodLedger] of ledgers) {
        for (const ledger of [LEDGER, undefined]) {
          combinations++
          const asked = view({ preconditions: { ...NO_CONDITIONS, timeBounds, ledgerBounds } })
          const world: Facts = ledger === undefined ? facts : { ...facts, ledger }
          const byTime = policy.timeBounds !== undefined && timeBounds?.maxTime === NOW_S + 600n
          const byLedger = policy.ledgerBounds !== undefined && goodLedger
          const decision = decide(parsed, asked, world)
          const bounded = (ledgerBounds?.maxLedger ?? 0) !== 0
          const unknown = policy.ledgerBounds !== undefined && bounded && ledger === undefined
          const expected = byTime || (byLedger && !unknown) ? 'allow' : unknown ? 'undecided' : 'deny'
          assert.equal(
            decision.kind,
            expected,
            JSON.stringify({ policy, ledgerBounds, ledger, end: String(timeBounds?.maxTime) }),
          )
          if (decision.kind !== 'allow') assert.equal(decision.rule, 'time-bounds')
        }
      }
    }
  }
  assert.equal(combinations, 216)
})

test('T29 a ledger that is no number decides nothing', () => {
  const policy = parsePolicy({ ...narrow, timeBounds: undefined, ledgerBounds: { maxLedgersAhead: 100 } })
  const asked = view({ preconditions: { ...NO_CONDITIONS, ledgerBounds: { minLedger: 0, maxLedger: LEDGER + 1 } } })
  for (const ledger of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY]) {
    assert.equal(decide(policy, asked, { ...facts, ledger }).kind, 'undecided')
  }
})
