import { Address, Asset, scValToBigInt, StrKey, xdr } from '@stellar/stellar-sdk/base'
import type { PolicyDocument } from '../../src/policy/index.ts'

/**
 * What a policy document means, told a second time and in another way: one walk over the envelope as the SDK decodes it,
 * statement after statement, leaving at the first thing that is not granted. Shares no code with `src/policy` nor with the
 * view that policy judges.
 */

export interface OracleWorld {
  readonly now: number
  readonly keyAddress: string
  readonly keyNetwork: string
  readonly network: string
  readonly ledger?: number
}

/** `seconds asset receiver` to [amount, limit]. */
export type OracleSpends = Map<string, [amount: bigint, limit: bigint]>

const NOT_GRANTED = new Error('not granted')
const no = (): never => {
  throw NOT_GRANTED
}

/** @returns what the windows are asked for; undefined: not allowed. */
export function oracle(document: PolicyDocument, envelope: string, world: OracleWorld): OracleSpends | undefined {
  try {
    return walk(document, xdr.TransactionEnvelope.fromXdr(envelope, 'base64'), world)
  } catch (error) {
    if (error === NOT_GRANTED) return undefined
    throw error
  }
}

interface Money {
  asset: string
  amount: bigint
  to: { base: string; id: bigint | undefined }[]
}

function walk(policy: PolicyDocument, envelope: xdr.TransactionEnvelope, world: OracleWorld): OracleSpends {
  if (policy.network !== world.network || policy.network !== world.keyNetwork) no()
  let tx: xdr.Transaction | xdr.TransactionV0
  let outerFee: bigint
  const sources: string[] = []
  if (envelope.type === 'envelopeTypeTxFeeBump') {
    if (policy.feeBump !== true) no()
    tx = envelope.feeBump.tx.innerTx.v1.tx
    outerFee = envelope.feeBump.tx.fee
    sources.push(baseOf(envelope.feeBump.tx.feeSource).base)
    if (outerFee < 0n) no()
  } else {
    tx = envelope.type === 'envelopeTypeTx' ? envelope.v1.tx : envelope.v0.tx
    outerFee = BigInt(tx.fee)
  }
  if (tx instanceof xdr.TransactionV0) {
    sources.push(StrKey.encodeEd25519PublicKey(tx.sourceAccountEd25519.toBytes()))
  } else {
    sources.push(baseOf(tx.sourceAccount).base)
  }

  // Fee
  if (policy.fee === undefined) no()
  const feeCap = BigInt(policy.fee?.maxStroops ?? '-1')
  if (outerFee > feeCap || BigInt(tx.fee) > feeCap) no()
  if (tx instanceof xdr.Transaction && tx.ext.type === 'sorobanData') {
    const { resourceFee } = tx.ext.sorobanData
    if (resourceFee < 0n || resourceFee > BigInt(tx.fee)) no()
  }
  if (tx.seqNum <= 0n) no()

  // When it is valid
  let times: xdr.TimeBounds | null = null
  let ledgers: xdr.LedgerBounds | null = null
  const grantedConditions: readonly string[] = policy.preconditions ?? []
  if (tx instanceof xdr.TransactionV0) {
    times = tx.timeBounds
  } else if (tx.cond.type === 'precondTime') {
    times = tx.cond.timeBounds
  } else if (tx.cond.type === 'precondV2') {
    const conditions = tx.cond.v2
    times = conditions.timeBounds
    ledgers = conditions.ledgerBounds
    if (conditions.minSeqNum !== null && !grantedConditions.includes('minSequence')) no()
    if (conditions.minSeqAge !== 0n && !grantedConditions.includes('minSequenceAge')) no()
    if (conditions.minSeqLedgerGap !== 0 && !grantedConditions.includes('minSequenceLedgerGap')) no()
    if (conditions.extraSigners.length !== 0 && !grantedConditions.includes('extraSigners')) no()
  }
  if (policy.timeBounds !== 'any') {
    let ends = false
    if (policy.timeBounds !== undefined && times !== null && times.maxTime !== 0n) {
      const seconds = BigInt(Math.floor(world.now / 1000))
      const latest = seconds + BigInt(policy.timeBounds.maxLifetimeSeconds)
      ends = times.maxTime >= seconds && times.maxTime <= latest && times.minTime <= times.maxTime
    }
    if (!ends && policy.ledgerBounds !== undefined && ledgers !== null && ledgers.maxLedger !== 0) {
      const { ledger } = world
      if (ledger !== undefined) {
        ends =
          ledgers.maxLedger > ledger &&
          ledgers.maxLedger <= ledger + policy.ledgerBounds.maxLedgersAhead &&
          ledgers.minLedger < ledgers.maxLedger
      }
    }
    if (!ends) no()
  }

  // Memo
  const memos: Record<string, string> = { memoText: 'text', memoId: 'id', memoHash: 'hash', memoReturn: 'return' }
  if (tx.memo.type !== 'memoNone') {
    const kind = memos[tx.memo.type]
    if (!(policy.memo ?? []).some(one => one === kind)) no()
  }

  // Operations
  if (tx.operations.length === 0) no()
  const perOperation: Money[][] = []
  const receivers: Money['to'] = []
  for (const operation of tx.operations) {
    if (operation.sourceAccount !== null) sources.push(baseOf(operation.sourceAccount).base)
    const money: Money[] = []
    one(policy, operation, world, money, receivers)
    perOperation.push(money)
  }

  // Sources
  if (policy.sources !== 'any') {
    for (const source of sources) {
      if (source !== world.keyAddress && !(policy.sources ?? []).includes(source)) no()
    }
  }

  // Receivers
  for (const money of perOperation.flat()) receivers.push(...money.to)
  const { payments } = policy
  for (const { base, id } of receivers) {
    if (payments === undefined) return no()
    let entry: { memo?: string; muxedIds?: 'any' | readonly string[] | undefined } | undefined
    if (payments.destinations === 'any') {
      entry = {}
    } else {
      for (const candidate of payments.destinations) {
        if (candidate === base) entry = {}
        else if (typeof candidate === 'object' && candidate.account === base) entry = candidate
      }
    }
    if (entry === undefined) return no()
    if (id === undefined) {
      if (entry.memo === 'required' && tx.memo.type === 'memoNone') no()
    } else if (payments.muxed !== 'any' && entry.muxedIds !== 'any') {
      if (!(entry.muxedIds ?? []).includes(id.toString())) no()
    }
  }

  // Caps
  const assets = new Set(perOperation.flat().map(money => money.asset))
  for (const asset of assets) {
    let total = 0n
    let highest = 0n
    for (const operation of perOperation) {
      let here = 0n
      for (const money of operation) if (money.asset === asset) here += money.amount
      total += here
      if (here > highest) highest = here
    }
    let fits = false
    for (const cap of payments?.assets ?? []) {
      if (cap.asset !== 'any' && cap.asset !== asset) continue
      if (highest <= stroops(cap.maxPerOperation) && total <= stroops(cap.maxPerTransaction)) fits = true
    }
    if (!fits) no()
  }

  // Windows
  const spends: OracleSpends = new Map()
  for (const window of policy.windows ?? []) {
    const limit = stroops(window.max)
    const sums = new Map<string, bigint>()
    if (window.asset === 'fee') {
      sums.set(`${window.seconds} fee *`, outerFee)
    } else {
      for (const money of perOperation.flat()) {
        if (window.asset !== 'any' && window.asset !== money.asset) continue
        const names = new Set(money.to.map(({ base }) => base))
        if (window.destination === undefined) {
          const name = `${window.seconds} ${money.asset} *`
          sums.set(name, (sums.get(name) ?? 0n) + money.amount)
        } else {
          for (const base of names) {
            if (window.destination !== 'each' && window.destination !== base) continue
            const name = `${window.seconds} ${money.asset} ${base}`
            sums.set(name, (sums.get(name) ?? 0n) + money.amount)
          }
        }
      }
    }
    for (const [name, amount] of sums) {
      if (amount === 0n) continue
      const other = spends.get(name)
      spends.set(name, [amount, other === undefined || limit < other[1] ? limit : other[1]])
    }
  }
  return spends
}

/** One operation: is it granted, what does it move, who else receives. */
function one(
  policy: PolicyDocument,
  operation: xdr.Operation,
  world: OracleWorld,
  money: Money[],
  receivers: Money['to'],
): void {
  const { body } = operation
  const names: readonly string[] = [...(policy.operations ?? []), ...(policy.sensitiveOperations ?? [])]
  if (!names.includes(body.type)) {
    if (body.type === 'setOptions' && policy.setOptions !== undefined) options(policy.setOptions, body.setOptionsOp)
    else if (body.type === 'changeTrust') {
      const { line } = body.changeTrustOp
      if (line.type === 'assetTypePoolShare' || line.type === 'assetTypeNative') return no()
      if (!(policy.trustLines ?? []).includes(nameOf(line))) no()
    } else no()
  }
  const pay = (asset: string, amount: bigint, to: Money['to'], least = 1n): void => {
    if (amount < least) no()
    money.push({ asset, amount, to })
  }
  switch (body.type) {
    case 'payment':
      pay(nameOf(body.paymentOp.asset), body.paymentOp.amount, [baseOf(body.paymentOp.destination)])
      break
    case 'createAccount': {
      const { destination, startingBalance } = body.createAccountOp
      pay('native', startingBalance, [plain(destination)], 0n)
      break
    }
    case 'pathPaymentStrictReceive': {
      const op = body.pathPaymentStrictReceiveOp
      pay(nameOf(op.sendAsset), op.sendMax, [baseOf(op.destination)])
      break
    }
    case 'pathPaymentStrictSend': {
      const op = body.pathPaymentStrictSendOp
      pay(nameOf(op.sendAsset), op.sendAmount, [baseOf(op.destination)])
      break
    }
    case 'manageSellOffer':
      pay(nameOf(body.manageSellOfferOp.selling), body.manageSellOfferOp.amount, [], 0n)
      break
    case 'createPassiveSellOffer':
      pay(nameOf(body.createPassiveSellOfferOp.selling), body.createPassiveSellOfferOp.amount, [], 0n)
      break
    case 'manageBuyOffer': {
      const { selling, buyAmount, price } = body.manageBuyOfferOp
      if (price.n <= 0 || price.d <= 0 || buyAmount < 0n) no()
      const exact = buyAmount * BigInt(price.n)
      let cost = exact / BigInt(price.d)
      if (cost * BigInt(price.d) < exact) cost += 1n
      pay(nameOf(selling), cost, [], 0n)
      break
    }
    case 'createClaimableBalance': {
      const { asset, amount, claimants } = body.createClaimableBalanceOp
      pay(
        nameOf(asset),
        amount,
        claimants.map(({ v0 }) => plain(v0.destination)),
      )
      break
    }
    case 'accountMerge':
      receivers.push(baseOf(body.destination))
      break
    case 'invokeHostFunction':
      invocation(policy, body.invokeHostFunctionOp, world, pay)
      break
    default:
  }
}

type Pay = (asset: string, amount: bigint, to: Money['to'], least?: bigint) => void

function invocation(policy: PolicyDocument, op: xdr.InvokeHostFunctionOp, world: OracleWorld, pay: Pay): void {
  if (op.hostFunction.type !== 'hostFunctionTypeInvokeContract') return no()
  const direct = op.hostFunction.invokeContract
  const calls: xdr.InvokeContractArgs[] = []
  let again = false
  for (const entry of op.auth) {
    const { function: root } = entry.rootInvocation
    if (root.type === 'sorobanAuthorizedFunctionTypeContractFn') {
      again ||= root.contractFn.toXdr('base64') === direct.toXdr('base64') && direct.args.every(isOrdinary)
    }
    collect(entry.rootInvocation, calls)
  }
  granted(policy, direct, world)
  for (const call of calls) granted(policy, call, world)
  for (const call of again ? calls : [direct, ...calls]) counted(policy, call, pay)
}

const isOrdinary = (value: xdr.ScVal): boolean => {
  if (value.type === 'scvVec') return value.vec?.every(isOrdinary) === true
  if (value.type === 'scvMap') return value.map?.every(({ key, val }) => isOrdinary(key) && isOrdinary(val)) === true
  return !['scvError', 'scvContractInstance', 'scvLedgerKeyContractInstance', 'scvLedgerKeyNonce'].includes(value.type)
}

function collect(node: xdr.SorobanAuthorizedInvocation, calls: xdr.InvokeContractArgs[]): void {
  if (node.function.type !== 'sorobanAuthorizedFunctionTypeContractFn') no()
  else calls.push(node.function.contractFn)
  for (const child of node.subInvocations) collect(child, calls)
}

function granted(policy: PolicyDocument, call: xdr.InvokeContractArgs, world: OracleWorld): void {
  const id = Address.fromScAddress(call.contractAddress).toString()
  const name = String(call.functionName)
  for (const entry of [...(policy.contracts ?? []), ...(policy.tokens ?? [])]) {
    if (entry.contract !== id) continue
    for (const grant of entry.functions) {
      if (grant === name) return
      if (typeof grant !== 'object' || grant.name !== name) continue
      const { arguments: wanted } = grant
      let good = true
      call.args.forEach((value, at) => {
        if (!wanted.some(want => (want.at === 'all' || want.at === at) && suits(want, value, world))) good = false
      })
      if (good) return
    }
  }
  no()
}

type Want = Exclude<NonNullable<PolicyDocument['contracts']>[number]['functions'][number], string>['arguments'][number]

function suits(want: Want, value: xdr.ScVal, world: OracleWorld): boolean {
  if (want.any === true) return true
  if (want.void === true) return value.type === 'scvVoid'
  if (want.bools !== undefined) return value.type === 'scvBool' && want.bools.includes(value.b)
  if (want.symbols !== undefined) return value.type === 'scvSymbol' && want.symbols.includes(String(value.sym))
  if (want.strings !== undefined) return value.type === 'scvString' && want.strings.includes(String(value.str))
  if (want.bytes !== undefined) {
    return value.type === 'scvBytes' && want.bytes.includes(value.bytes.toJson() as unknown as string)
  }
  if (want.addresses !== undefined) {
    if (value.type !== 'scvAddress') return false
    const text = Address.fromScVal(value).toString()
    return want.addresses.some(one => (one === 'self' ? world.keyAddress : one) === text)
  }
  if (want.vec !== undefined) {
    if (value.type !== 'scvVec' || value.vec === null) return false
    return value.vec.length >= want.vec.minLength && value.vec.length <= want.vec.maxLength
  }
  if (want.map !== undefined) {
    if (value.type !== 'scvMap' || value.map === null) return false
    return value.map.length >= want.map.minLength && value.map.length <= want.map.maxLength
  }
  if (want.integer !== undefined) {
    const wide = ['U32', 'I32', 'U64', 'I64', 'Timepoint', 'Duration', 'U128', 'I128', 'U256', 'I256']
    if (!wide.includes(value.type.slice(3))) return false
    const number = scValToBigInt(value)
    return number >= BigInt(want.integer.min) && number <= BigInt(want.integer.max)
  }
  return false
}

/** Function to [number of arguments, where the amount is, where the receiver is]. */
const TOKEN: Record<string, [number, number, number?]> = {
  transfer: [3, 2, 1],
  transfer_from: [4, 3, 2],
  approve: [4, 2, 1],
  burn: [2, 1],
  burn_from: [3, 2],
  mint: [2, 1, 0],
  clawback: [2, 1],
}

function counted(policy: PolicyDocument, call: xdr.InvokeContractArgs, pay: Pay): void {
  const id = Address.fromScAddress(call.contractAddress).toString()
  const token = (policy.tokens ?? []).find(entry => entry.contract === id)
  const name = String(call.functionName)
  const shape = Object.hasOwn(TOKEN, name) ? TOKEN[name] : undefined
  if (token === undefined || shape === undefined) return
  const [count, amountAt, receiverAt] = shape
  const amount = call.args[amountAt]
  if (call.args.length !== count || amount?.type !== 'scvI128') return no()
  const to: Money['to'] = []
  if (receiverAt !== undefined) {
    const receiver = call.args[receiverAt]
    if (receiver?.type !== 'scvAddress') return no()
    if (receiver.address.type === 'scAddressTypeMuxedAccount') {
      const { id: muxedId, ed25519 } = receiver.address.muxedAccount
      to.push({ base: StrKey.encodeEd25519PublicKey(ed25519.toBytes()), id: muxedId })
    } else {
      to.push({ base: Address.fromScVal(receiver).toString(), id: undefined })
    }
  }
  pay(token.asset, scValToBigInt(amount), to, 0n)
}

function options(granted: NonNullable<PolicyDocument['setOptions']>, op: xdr.SetOptionsOp): void {
  const flags: Record<string, number> = { required: 1, revocable: 2, immutable: 4, clawback: 8 }
  for (const [asked, names] of [
    [op.setFlags, granted.setFlags],
    [op.clearFlags, granted.clearFlags],
  ] as const) {
    if (asked === null) continue
    for (let bit = 0; bit < 32; bit++) {
      if (Math.floor(asked / 2 ** bit) % 2 === 0) continue
      if (!(names ?? []).some(name => flags[name] === 2 ** bit)) no()
    }
  }
  for (const [asked, range] of [
    [op.masterWeight, granted.masterWeight],
    [op.lowThreshold, granted.lowThreshold],
    [op.medThreshold, granted.mediumThreshold],
    [op.highThreshold, granted.highThreshold],
  ] as const) {
    if (asked !== null && (range === undefined || asked < range.min || asked > range.max)) no()
  }
  if (op.homeDomain !== null && !(granted.homeDomains ?? []).includes(String(op.homeDomain))) no()
  if (op.inflationDest !== null) {
    if (!(granted.inflationDestinations ?? []).includes(plain(op.inflationDest).base)) no()
  }
  if (op.signer !== null) {
    const { key, weight } = op.signer
    const text = key.toJson()
    const entry = (granted.signers ?? []).find(signer => signer.key === text)
    if (entry === undefined || weight < entry.minWeight || weight > entry.maxWeight) no()
  }
}

const plain = (account: xdr.AccountId): { base: string; id: bigint | undefined } => ({
  base: StrKey.encodeEd25519PublicKey(account.ed25519.toBytes()),
  id: undefined,
})

function baseOf(account: xdr.MuxedAccount): { base: string; id: bigint | undefined } {
  if (account.type === 'keyTypeEd25519') {
    return { base: StrKey.encodeEd25519PublicKey(account.ed25519.toBytes()), id: undefined }
  }
  return { base: StrKey.encodeEd25519PublicKey(account.med25519.ed25519.toBytes()), id: account.med25519.id }
}

function nameOf(asset: xdr.Asset | xdr.ChangeTrustAsset): string {
  const { code, issuer } = Asset.fromOperation(asset as xdr.Asset)
  return issuer === undefined ? 'native' : `${code}:${issuer}`
}

/** Seven places. */
function stroops(decimal: string): bigint {
  const [whole = '0', part = ''] = decimal.split('.')
  return BigInt(whole + part.padEnd(7, '0'))
}
