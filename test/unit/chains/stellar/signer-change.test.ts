/** The two transactions of a rotation, and the accounts that must not be given them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, Networks, Operation, StrKey, Transaction, TransactionBuilder } from '@stellar/stellar-sdk'
import * as fc from 'fast-check'
import { addSigner, dropSigner, type SignerChange, type SignerPlan } from '../../../../src/chains/stellar/index.ts'
import type { AccountState } from '../../../../src/domain/stellar-network.ts'
import { decide, parsePolicy } from '../../../../src/policy/index.ts'
import { parsePayload } from '../../../../src/service/payloads.ts'

const NOW = Date.UTC(2026, 10, 22, 12)
const keyOf = (n: number) => Keypair.fromRawEd25519Seed(Buffer.alloc(32, n)).publicKey()
const [ACCOUNT, OLD, NEW, OTHER] = [keyOf(1), keyOf(2), keyOf(3), keyOf(4)]
const HASH_SIGNER = StrKey.encodeSha256Hash(Buffer.alloc(32, 7))
const PRE_AUTH = StrKey.encodePreAuthTx(Buffer.alloc(32, 8))
const FRAME = { network: 'testnet', sequence: 6n, fee: 1_000, now: NOW, validSeconds: 300 }

const account = (
  signers: Readonly<Record<string, number>>,
  [low, medium, high]: readonly [number, number, number] = [0, 0, 0],
): AccountState => ({
  address: ACCOUNT,
  sequence: 5n,
  thresholds: { low, medium, high },
  signers: Object.entries(signers).map(([key, weight]) => ({ key, weight })),
})
const change = (over: Partial<SignerChange> & { account: AccountState | undefined }): SignerChange => ({
  ...{ from: ACCOUNT, to: NEW },
  ...over,
})
const planned = (plan: SignerPlan) => {
  assert.ok(plan.kind === 'planned', 'reason' in plan ? plan.reason : '')
  return plan
}

const MASTER = { [ACCOUNT]: 1 }
const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [keyOf(100 + n), 1]))

test('M-61 accounts that would lock somebody out are refused, each with its reason', () => {
  const layouts: readonly [code: string, step: 'add' | 'drop', change: SignerChange, says: RegExp][] = [
    ['no-account', 'add', change({ account: undefined }), /does not exist/],
    ['not-a-signer', 'add', change({ account: account(MASTER), from: OLD }), /no signer of/],
    ['master-off', 'add', change({ account: account({ [OTHER]: 1 }) }), /weight 0/],
    ['weight-range', 'add', change({ account: account(MASTER), weight: 0 }), /0 is no weight/],
    ['weight-range', 'add', change({ account: account(MASTER), weight: 256 }), /256 is no weight/],
    [
      'below-low',
      'add',
      change({ account: account({ [ACCOUNT]: 5, [OTHER]: 9 }, [3, 9, 9]), weight: 2 }),
      /low threshold of 3/,
    ],
    [
      'below-medium',
      'add',
      change({ account: account({ [ACCOUNT]: 5, [OTHER]: 9 }, [1, 5, 9]), weight: 4 }),
      /medium threshold of 5/,
    ],
    [
      'below-high',
      'add',
      change({ account: account({ [ACCOUNT]: 5, [OTHER]: 9 }, [1, 1, 5]), weight: 4 }),
      /high threshold of 5/,
    ],
    [
      'locks-out',
      'add',
      change({ account: account({ [ACCOUNT]: 2, [OTHER]: 2 }, [1, 1, 4]), weight: 1 }),
      /others reach 3/,
    ],
    ['unreachable', 'add', change({ account: account({ [ACCOUNT]: 1, [OTHER]: 1 }, [1, 1, 3]) }), /nobody can change/],
    [
      'unreachable',
      'add',
      change({ account: account({ [ACCOUNT]: 1, [HASH_SIGNER]: 9, [PRE_AUTH]: 9 }, [1, 1, 2]) }),
      /reach 1/,
    ],
    ['too-many-signers', 'add', change({ account: account({ ...MASTER, ...many }) }), /20 signers/],
    ['other-weight', 'add', change({ account: account({ ...MASTER, [NEW]: 2 }) }), /weight 2 instead of 1/],
    ['locks-out', 'add', change({ account: account({ ...MASTER, [NEW]: 1 }, [1, 1, 2]) }), /others reach 1/],
    ['same-key', 'add', change({ account: account(MASTER), to: ACCOUNT }), /is the old one/],
    ['new-is-master', 'add', change({ account: account({ [OLD]: 1 }), from: OLD, to: ACCOUNT }), /master key/],
    ['new-not-key', 'add', change({ account: account(MASTER), to: HASH_SIGNER }), /no public key/],
    ['old-not-key', 'add', change({ account: account({ ...MASTER, [PRE_AUTH]: 1 }), from: PRE_AUTH }), /no public key/],
    ['reserve', 'add', change({ account: account(MASTER), free: 5_000_999n }), /takes 5001000/],
    ['malformed', 'add', change({ account: account(MASTER, [0, 0, 256]) }), /high threshold is 256/],
    ['malformed', 'add', change({ account: account({ [ACCOUNT]: 300 }) }), /is 300/],
    [
      'malformed',
      'add',
      change({ account: { ...account(MASTER), signers: [...account(MASTER).signers, ...account(MASTER).signers] } }),
      /twice/,
    ],
    ['successor-missing', 'drop', change({ account: account(MASTER) }), /add it first/],
    ['below-high', 'drop', change({ account: account({ [ACCOUNT]: 2, [NEW]: 1, [OTHER]: 5 }, [1, 1, 2]) }), /alone/],
    [
      'locks-out',
      'drop',
      change({ account: account({ [ACCOUNT]: 2, [NEW]: 1, [HASH_SIGNER]: 9 }, [1, 1, 3]) }),
      /others reach 1/,
    ],
    ['sequence-used', 'add', change({ account: { ...account(MASTER), sequence: 6n } }), /cannot follow 6/],
  ]
  const codes = new Set<string>()
  for (const [code, step, asked, says] of layouts) {
    const plan = step === 'add' ? addSigner(asked, FRAME) : dropSigner(asked, FRAME)
    assert.equal(plan.kind, 'refused', code)
    assert.ok(plan.kind === 'refused')
    assert.equal(plan.code, code, plan.reason)
    assert.match(plan.reason, says)
    codes.add(code)
  }
  assert.ok(codes.size >= 12, `${codes.size} reasons`)
  const cheap = addSigner(change({ account: account(MASTER) }), { ...FRAME, fee: 99 })
  assert.equal(cheap.kind === 'refused' && cheap.code, 'fee')
})

const held = (address: string) =>
  ({
    key: { name: 'treasury', chain: 'stellar', network: 'testnet' },
    version: { version: 1, address, publicKey: StrKey.decodeEd25519PublicKey(address) },
  }) as unknown as Parameters<typeof parsePayload>[1]

/** As the SDK has it, and as policy judges it: with this grant and with none. */
function judged({ envelope, grant }: Extract<SignerPlan, { kind: 'planned' }>, signer: string) {
  const transaction = TransactionBuilder.fromXDR(envelope, Networks.TESTNET)
  assert.ok(transaction instanceof Transaction)
  assert.equal(transaction.signatures.length, 0)
  assert.equal(transaction.operations.length, 1)
  const { view } = parsePayload({ type: 'stellar-transaction', xdr: envelope } as never, held(signer))
  const facts = { now: NOW, keyAddress: signer, keyNetwork: 'testnet' }
  const { setOptions, ...without } = grant
  const verdict = (document: object) => decide(parsePolicy(document), view, facts)
  assert.equal(verdict(grant).kind, 'allow')
  const denied = verdict(without)
  assert.deepEqual([denied.kind, 'rule' in denied && denied.rule], ['deny', 'operations'])
  const key = keyOf(99)
  const elsewhere =
    'signers' in setOptions
      ? { signers: [{ key, minWeight: 0, maxWeight: 255 }] }
      : { masterWeight: { min: 1, max: 255 } }
  assert.equal(verdict({ ...grant, setOptions: elsewhere }).kind, 'deny')
  return { transaction, operation: transaction.operations[0] as Operation.SetOptions }
}

test('M-61 master key: the new signer gets its weight, then the master weight is 0; both judged by policy', () => {
  const before = account(MASTER)
  const add = planned(addSigner(change({ account: before, free: 5_001_000n }), FRAME))
  const added = judged(add, ACCOUNT)
  assert.deepEqual({ ...added.operation.signer }, { ed25519PublicKey: NEW, weight: 1 })
  assert.equal(added.operation.masterWeight, undefined)
  assert.equal(added.transaction.sequence, '6')
  assert.equal(added.transaction.timeBounds?.maxTime, String(NOW / 1000 + 300))
  assert.match(add.sentence, new RegExp(`signer ${NEW} with weight 1`))
  assert.deepEqual([add.needs, add.notes], [1, []])
  const after = account({ ...MASTER, [NEW]: 1 })
  assert.equal(addSigner(change({ account: after }), FRAME).kind, 'done')
  const drop = planned(dropSigner(change({ account: after }), FRAME))
  const dropped = judged(drop, NEW)
  assert.equal(dropped.operation.masterWeight, 0)
  assert.equal(dropped.operation.signer, undefined)
  assert.match(drop.sentence, /master weight 0/)
  assert.equal(dropSigner(change({ account: account({ [NEW]: 1 }) }), FRAME).kind, 'done')
})

test('M-61 one signer among others: replaced at its weight, whoever else must sign is said', () => {
  const before = account({ [OLD]: 2, [OTHER]: 2, [HASH_SIGNER]: 1 }, [1, 2, 4])
  const add = planned(addSigner(change({ account: before, from: OLD }), FRAME))
  judged(add, OLD)
  assert.equal(add.needs, 4)
  assert.match(add.notes.join(' '), /others must sign too.*no keys.*0\.5 XLM/)
  const after = account({ [OLD]: 2, [OTHER]: 2, [NEW]: 2 }, [1, 2, 4])
  const drop = planned(dropSigner(change({ account: after, from: OLD }), FRAME))
  const { operation } = judged(drop, NEW)
  assert.deepEqual({ ...operation.signer }, { ed25519PublicKey: OLD, weight: 0 })
  const twenty = { ...MASTER, ...many, [NEW]: 1 }
  assert.equal(
    planned(dropSigner(change({ account: account(twenty) }), FRAME)).kind,
    'planned',
    'dropping needs no room',
  )
})

test('M-61 whatever the account: who begins can end, and nobody begins where a threshold is out of reach', () => {
  const weight = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(
      fc.record({
        ...{ master: weight, old: weight, other: weight, hash: weight },
        ...{ low: weight, medium: weight, high: weight },
        asMaster: fc.boolean(),
      }),
      ({ master, old, other, hash, low, medium, high, asMaster }) => {
        const levels = [low, medium, high] as const
        const all = { [ACCOUNT]: master, [OLD]: old, [OTHER]: other, [HASH_SIGNER]: hash }
        const live = Object.fromEntries(Object.entries(all).filter(([, each]) => each > 0))
        const from = asMaster ? ACCOUNT : OLD
        const add = addSigner(change({ account: account(live, levels), from }), FRAME)
        const [mine, before] = [all[from] ?? 0, master + old + other]
        if (add.kind === 'refused') return mine === 0 || before < Math.max(1, ...levels)
        const drop = dropSigner(change({ account: account({ ...live, [NEW]: mine }, levels), from }), FRAME)
        return add.kind === 'planned' && drop.kind === 'planned'
      },
    ),
    { numRuns: 500 },
  )
})
