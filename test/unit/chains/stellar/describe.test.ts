import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xdr } from '@stellar/stellar-sdk/base'
import { type StellarParsed, stellar } from '../../../../src/chains/stellar/index.ts'
import { operationText } from '../../../../src/chains/stellar/sentences.ts'
import { decimalOf, OPERATION_TYPES } from '../../../../src/domain/stellar.ts'
import {
  alice,
  bob,
  carol,
  contractId,
  feeBump,
  invocationTree,
  invoke,
  namedCorpus,
  operations,
  sourceAuthorization,
  timeBounds,
  v1,
} from '../../../fuzz/xdr-corpus.ts'

const parse = (envelope: xdr.TransactionEnvelope): StellarParsed =>
  stellar.parse({ type: 'stellar-transaction', xdr: envelope.toXdr('base64') }, 'testnet')
const sentence = (envelope: xdr.TransactionEnvelope): string => stellar.describe(parse(envelope)).sentence
const clause = (type: string, at = 0): string => {
  const operation = operations[type]?.[at]
  assert.ok(operation !== undefined)
  return sentence(v1({ operations: [operation] })).split('; source ')[0] ?? ''
}
const usd = `USD:${carol}`
const balance = 'BAAKXK5LVOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5LVOV2XK6UVM'
const pool = 'LDG43TONZXG43TONZXG43TONZXG43TONZXG43TONZXG43TONZXG4257M'

test('a sentence says who pays whom what, for what fee, where and until when', () => {
  const [pay] = operations['payment'] ?? []
  assert.ok(pay !== undefined)
  assert.equal(
    sentence(v1({ operations: [pay], cond: timeBounds(0n, 1_800_000_000n), memo: xdr.Memo.memoText('rent') })),
    `Pay 10 XLM from ${alice} to ${bob}; source ${alice}; sequence 4294967297; ` +
      'fee at most 100 stroops (0.00001 XLM); memo text "rent"; valid until 2027-01-15T08:00:00Z; network testnet.',
  )
  assert.match(
    sentence(feeBump({ operations: [pay] })),
    new RegExp(`^Fee bump: ${carol} pays a fee of at most 400 stroops .* for the transaction: Pay 10 XLM`, 'u'),
  )
})

test('every operation type has a clause of its own', () => {
  const clauses: Readonly<Record<string, readonly string[]>> = {
    createAccount: [`Create account ${bob} with 10 XLM from ${alice}`],
    payment: [
      `Pay 10 XLM from ${alice} to ${bob}`,
      `Pay 0.0000001 ${usd} from ${carol} to ${bob}`,
      `Pay 0.0000005 XLM from ${alice} (muxed id 5) to ${bob} (muxed id 9223372036854775808)`,
    ],
    pathPaymentStrictReceive: [
      `Spend at most 10 ${usd} of ${alice} to pay ${bob} exactly 9 EUROTOKEN:${carol} through XLM`,
    ],
    manageSellOffer: [
      `Create offer of ${alice} to sell 5 XLM for ${usd} at price 1/2`,
      `Delete sell offer 77 of ${alice}`,
    ],
    createPassiveSellOffer: [`Create passive offer of ${alice} to sell 5 XLM for EUROTOKEN:${carol} at price 1/2`],
    setOptions: [
      `CHANGE THE OPTIONS of account ${alice}: home domain "example.com", signer ${bob} with weight 255`,
      `CHANGE THE OPTIONS of account ${alice}: set flags 1, master weight 0, low threshold 1, medium threshold 2, high threshold 3`,
    ],
    changeTrust: [`Trust ${usd} up to 1000 by ${alice}`, `Remove the trust line of ${alice} for pool:native/${usd}/30`],
    allowTrust: [`Set authorization of ${bob} for USD:${alice} to 1`],
    accountMerge: [`CLOSE ACCOUNT ${alice} and send all of its XLM to ${bob}`],
    inflation: [`Run inflation by ${alice}`],
    manageData: [`Set data entry "colour" of ${alice} to hex 626c7565`, `Remove data entry "colour" of ${alice}`],
    bumpSequence: [`Bump the sequence number of ${alice} to 99`],
    manageBuyOffer: [`Create offer of ${alice} to buy 5 XLM for ${usd} at price 3/7`, `Delete buy offer 3 of ${alice}`],
    pathPaymentStrictSend: [`Spend exactly 3 XLM of ${alice} to pay ${bob} at least 1 ${usd}`],
    createClaimableBalance: [`Set aside 4 ${usd} of ${alice} to be claimed by ${bob} (under conditions), ${carol}`],
    claimClaimableBalance: [`Claim balance ${balance} for ${alice}`],
    beginSponsoringFutureReserves: [`Begin to pay the reserves of ${bob} from ${alice}`],
    endSponsoringFutureReserves: [`End the sponsorship that ${bob} receives`],
    revokeSponsorship: [
      `Revoke sponsorship by ${alice} of account ${bob}`,
      `Revoke sponsorship by ${alice} of trust line of ${bob} for ${usd}`,
      `Revoke sponsorship by ${alice} of offer 12 of ${bob}`,
      `Revoke sponsorship by ${alice} of data entry "na\\"me" of ${bob}`,
      `Revoke sponsorship by ${alice} of claimable balance ${balance}`,
      `Revoke sponsorship by ${alice} of ledger entry of kind liquidityPool`,
      `Revoke sponsorship by ${alice} of signer ${carol} of account ${bob}`,
    ],
    clawback: [`CLAW BACK 1 ${usd} from ${bob} by ${alice}`],
    clawbackClaimableBalance: [`CLAW BACK claimable balance ${balance} by ${alice}`],
    setTrustLineFlags: [`Change the trust line of ${bob} for ${usd} by ${alice}: set flags 0, clear flags 1`],
    liquidityPoolDeposit: [
      `Deposit at most 1 of the first and 2 of the second asset of ${alice} into liquidity pool ${pool}, price 1/2 to 2/1`,
    ],
    liquidityPoolWithdraw: [
      `Withdraw 1 shares of ${alice} from liquidity pool ${pool} for at least 0 of the first and 1 of the second asset`,
    ],
    invokeHostFunction: [
      `Call "transfer" of contract ${contractId} with 1 argument ([[[[1 values]]]]) by ${alice}, AUTHORIZING BY THIS SIGNATURE: ` +
        Array.from({ length: 3 }, () => `Call "transfer" of contract ${contractId} with 0 arguments`).join(' and '),
    ],
    extendFootprintTtl: [`Extend the life of contract entries to 100 ledgers by ${alice}`],
    restoreFootprint: [`Restore archived contract entries by ${alice}`],
  }
  assert.deepEqual(Object.keys(clauses).toSorted(), [...OPERATION_TYPES].toSorted())
  for (const [type, expected] of Object.entries(clauses)) {
    expected.forEach((text, at) => assert.equal(clause(type, at), text))
  }
  assert.equal(
    clause('invokeHostFunction', 2),
    `Call "deploy" of contract ${contractId} with 0 arguments by ${alice}, AUTHORIZING BY THIS SIGNATURE: ` +
      `Create a contract and Create a contract and Call "transfer" of contract ${contractId} with 0 arguments`,
  )
  assert.equal(clause('invokeHostFunction', 3), `Upload contract code of 4 bytes by ${alice}`)
  assert.equal(clause('invokeHostFunction', 4), `Create a contract by ${alice}`)
  assert.match(
    operationText({ type: 'unknown', source: null, name: 'teleport' }, { address: alice, muxedId: null }),
    /DOES NOT KNOW \(teleport\)/u,
  )
})

test('no operation hides: a hundred operations give a hundred clauses', () => {
  const [pay] = operations['payment'] ?? []
  const [merge] = operations['accountMerge'] ?? []
  assert.ok(pay !== undefined && merge !== undefined)
  const text = sentence(v1({ operations: [...Array.from({ length: 99 }, () => pay), merge] }))
  assert.match(text, /\(1 of 100\) Pay 10 XLM/u)
  assert.match(text, /\(100 of 100\) CLOSE ACCOUNT/u)
  assert.match(sentence(v1({ operations: [] })), /^No operation; /u)
})

test('long authorization trees are counted, not hidden without a word', () => {
  const text = sentence(v1({ operations: [invoke('f', [sourceAuthorization(invocationTree(24))])] }))
  assert.match(text, / and 5 more calls; source/u)
})

test('T49 injection: text a caller chose cannot leave its quotation marks nor break a line', () => {
  const hostile = 'x"; network public.\n\u001b[2J'
  const [pay] = operations['payment'] ?? []
  assert.ok(pay !== undefined)
  const withMemo = sentence(v1({ operations: [pay], memo: xdr.Memo.memoText(hostile) }))
  assert.ok(withMemo.includes('memo text "x\\"; network public.\\n\\x1b[2J"; valid'))
  assert.ok(withMemo.endsWith('; network testnet.'))
  assert.ok(
    sentence(v1({ operations: [invoke('a" of contract C')] })).startsWith('Call "a\\" of contract C" of contract'),
  )
  const backslash = sentence(v1({ operations: [pay], memo: xdr.Memo.memoText('\\') }))
  assert.ok(backslash.includes('memo text "\\\\"; valid'))
})

test('preconditions and memos are all said', () => {
  const text = namedCorpus().find(([name]) => name === 'v1 conditions')
  assert.ok(text !== undefined)
  const said = sentence(text[1])
  for (const part of [
    'valid until 2033-05-18T03:33:20Z',
    'valid from 1970-01-01T00:00:01Z',
    'ledgers from 1 without end',
    'valid at any account sequence from 3',
    'sequence at least 4 seconds old',
    'sequence at least 5 ledgers old',
    'extra signer PD',
  ]) {
    assert.ok(said.includes(part), part)
  }
  const far = sentence(v1({ operations: [], cond: timeBounds(0n, (1n << 64n) - 1n) }))
  assert.match(far, /valid until second 18446744073709551615 of the epoch/u)
})

test('SEP-51 JSON: reading it gives the same envelope', () => {
  for (const [name, envelope] of namedCorpus()) {
    const { json, type, network } = stellar.describe(parse(envelope))
    assert.equal(type, 'stellar-transaction')
    assert.equal(network, 'testnet')
    const again = xdr.TransactionEnvelope.fromJson(JSON.parse(JSON.stringify(json)))
    assert.equal(again.toXdr('base64'), envelope.toXdr('base64'), name)
  }
})

test('decimal amounts', () => {
  const amounts: ReadonlyArray<readonly [stroops: bigint, decimal: string]> = [
    [0n, '0'],
    [1n, '0.0000001'],
    [-1n, '-0.0000001'],
    [10_000_000n, '1'],
    [105_000_000n, '10.5'],
    [9_223_372_036_854_775_807n, '922337203685.4775807'],
    [-9_223_372_036_854_775_808n, '-922337203685.4775808'],
  ]
  for (const [stroops, decimal] of amounts) assert.equal(decimalOf(stroops), decimal)
})
