import { Asset, Claimant, nativeToScVal, Operation, StrKey, xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../src/bytes/sha256.ts'
import type { PolicyDocument } from '../../src/policy/index.ts'
import { alice, bob, carol, contractId, feeBump, muxed, unmuxed, v0, v1 } from '../fuzz/xdr-corpus.ts'
import type { Rng } from '../fuzz/xdr-mutator.ts'

/** Random envelopes and policies that meet often enough: both draw on the same few accounts, assets, contracts and numbers. */

export const NOW_MS = 1_790_000_000_500
export const LEDGER = 60_000_000
const NOW_S = 1_790_000_000n

export const tokenId: string = StrKey.encodeContract(sha256(new TextEncoder().encode('token')))
export const appId: string = contractId
const strangerId = StrKey.encodeContract(sha256(new TextEncoder().encode('stranger')))
const ACCOUNTS = [alice, bob, carol]
const usd = new Asset('USD', carol)
const eur = new Asset('EUR', bob)
const ASSETS = [Asset.native(), usd, eur]
const nameOf = (asset: Asset): string => (asset.isNative() ? 'native' : `${asset.code}:${asset.issuer}`)
const poolHash = 'cd'.repeat(32)
const preAuth = StrKey.encodePreAuthTx(new Uint8Array(32).fill(0xcd))

export const pick = <T>(rng: Rng, list: readonly T[]): T => {
  const chosen = list[rng.int(list.length)]
  if (chosen === undefined) throw new RangeError('Cannot pick from an empty list')
  return chosen
}
export const often = (rng: Rng, percent: number): boolean => rng.int(100) < percent
const some = <T>(rng: Rng, list: readonly T[], percent: number): T[] => list.filter(() => often(rng, percent))
const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

const account = (rng: Rng): xdr.MuxedAccount => {
  const address = pick(rng, ACCOUNTS)
  return often(rng, 12) ? muxed(address, BigInt(rng.int(3))) : unmuxed(address)
}
const stroops = (rng: Rng): bigint =>
  pick(rng, often(rng, 90) ? [1n, 10_000_000n, 50_000_000n, 100_000_000n] : [0n, -1n, 100_000_001n, 2_000_000_000n])
const decimal = (rng: Rng): string => pick(rng, ['0.0000001', '1', '5', '10'])

const addressValue = (rng: Rng): xdr.ScVal => {
  const roll = rng.int(12)
  const key = StrKey.decodeEd25519PublicKey(pick(rng, ACCOUNTS))
  if (roll === 0) {
    const id = BigInt(rng.int(3))
    return xdr.ScVal.scvAddress(
      xdr.ScAddress.scAddressTypeMuxedAccount(new xdr.MuxedEd25519Account({ id, ed25519: key })),
    )
  }
  if (roll < 3) return nativeToScVal(pick(rng, [appId, strangerId]), { type: 'address' })
  return nativeToScVal(pick(rng, ACCOUNTS), { type: 'address' })
}
const amountValue = (rng: Rng): xdr.ScVal => nativeToScVal(stroops(rng), { type: often(rng, 96) ? 'i128' : 'i64' })

function anyValue(rng: Rng): xdr.ScVal {
  switch (rng.int(13)) {
    case 0:
      return xdr.ScVal.scvVoid()
    case 1:
      return xdr.ScVal.scvBool(often(rng, 50))
    case 2:
    case 3: {
      const type = pick(rng, ['u32', 'u64', 'u128', 'u256', 'i64', 'i128', 'i256'] as const)
      return nativeToScVal(BigInt(rng.int(12) - (type.startsWith('i') ? 4 : 0)), { type })
    }
    case 4:
      return xdr.ScVal.scvSymbol(pick(rng, ['open', 'close']))
    case 5:
      return xdr.ScVal.scvString(pick(rng, ['open', 'close']))
    case 6:
      return xdr.ScVal.scvBytes(new Uint8Array(rng.int(3)).fill(7))
    case 7:
      return xdr.ScVal.scvVec(often(rng, 90) ? many(rng.int(4), () => xdr.ScVal.scvU32(1)) : null)
    case 8:
      return xdr.ScVal.scvMap(
        many(rng.int(3), () => new xdr.ScMapEntry({ key: xdr.ScVal.scvU32(1), val: xdr.ScVal.scvVoid() })),
      )
    case 9:
      return often(rng, 50) ? xdr.ScVal.scvError(xdr.ScError.sceContract(1)) : xdr.ScVal.scvLedgerKeyContractInstance()
    default:
      return addressValue(rng)
  }
}

function call(rng: Rng, good: boolean): xdr.InvokeContractArgs {
  const make = (id: string, functionName: string, args: xdr.ScVal[]): xdr.InvokeContractArgs =>
    new xdr.InvokeContractArgs({
      contractAddress: xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(id))),
      functionName,
      args,
    })
  const token = good || often(rng, 90) ? tokenId : strangerId
  const to = addressValue(rng)
  const amount = amountValue(rng)
  switch (rng.int(good ? 6 : 13)) {
    case 0:
      return make(token, 'transfer', [addressValue(rng), to, amount])
    case 1:
      return make(token, 'approve', [addressValue(rng), to, amount, xdr.ScVal.scvU32(9)])
    case 2:
    case 3:
      return make(
        appId,
        'run',
        many(rng.int(4), () => anyValue(rng)),
      )
    case 4:
      return make(
        appId,
        'stop',
        many(rng.int(2), () => anyValue(rng)),
      )
    case 5:
      return make(token, 'balance', often(rng, 90) ? [to] : [])
    case 6:
      return make(token, 'transfer_from', [addressValue(rng), addressValue(rng), to, amount])
    case 7:
      return make(token, pick(rng, ['burn', 'clawback']), [addressValue(rng), amount])
    case 8:
      return make(token, 'burn_from', [addressValue(rng), addressValue(rng), amount])
    case 9:
      return make(token, 'mint', often(rng, 80) ? [to, amount] : [to, amount, amount])
    case 10:
      return make(
        token,
        'transfer',
        many(rng.int(5), () => anyValue(rng)),
      )
    default:
      return make(strangerId, 'run', [anyValue(rng)])
  }
}

/** @param bad how many percent of the nodes deploy something */
export function randomTree(rng: Rng, depth: number, bad = 2): xdr.SorobanAuthorizedInvocation {
  const fn = xdr.SorobanAuthorizedFunction
  const deploy = (): xdr.SorobanAuthorizedFunction =>
    fn.sorobanAuthorizedFunctionTypeCreateContractHostFn(
      new xdr.CreateContractArgs({
        contractIdPreimage: xdr.ContractIdPreimage.contractIdPreimageFromAsset(xdr.Asset.assetTypeNative()),
        executable: xdr.ContractExecutable.contractExecutableStellarAsset(),
      }),
    )
  return new xdr.SorobanAuthorizedInvocation({
    function: often(rng, bad) ? deploy() : fn.sorobanAuthorizedFunctionTypeContractFn(call(rng, often(rng, 85))),
    subInvocations: depth <= 0 ? [] : many(rng.int(3), () => randomTree(rng, depth - 1 - rng.int(2), bad)),
  })
}

function invoke(rng: Rng): xdr.Operation {
  const direct = call(rng, often(rng, 85))
  const host = xdr.HostFunction
  const entry = (rootInvocation: xdr.SorobanAuthorizedInvocation): xdr.SorobanAuthorizationEntry =>
    new xdr.SorobanAuthorizationEntry({
      credentials: xdr.SorobanCredentials.sorobanCredentialsSourceAccount(),
      rootInvocation,
    })
  const auth = often(rng, 60)
    ? [
        entry(
          new xdr.SorobanAuthorizedInvocation({
            function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(direct),
            subInvocations: many(rng.int(2), () => randomTree(rng, 0)),
          }),
        ),
      ]
    : []
  if (often(rng, 25)) auth.push(entry(randomTree(rng, 1)))
  const hostFunction = often(rng, 97)
    ? host.hostFunctionTypeInvokeContract(direct)
    : host.hostFunctionTypeUploadContractWasm(new Uint8Array(4))
  const body = xdr.OperationBody.invokeHostFunction(new xdr.InvokeHostFunctionOp({ hostFunction, auth }))
  return new xdr.Operation({ sourceAccount: null, body })
}

function setOptions(rng: Rng): xdr.Operation {
  const weight = (): number => pick(rng, [0, 1, 2, 255])
  const maybe = <T>(name: string, value: T): Record<string, T> => (often(rng, 30) ? { [name]: value } : {})
  return Operation.setOptions({
    ...maybe('signer', {
      ...(often(rng, 70) ? { ed25519PublicKey: pick(rng, ACCOUNTS) } : { preAuthTx: poolHash }),
      weight: weight(),
    }),
    ...maybe('masterWeight', weight()),
    ...maybe('lowThreshold', weight()),
    ...maybe('medThreshold', weight()),
    ...maybe('highThreshold', weight()),
    ...maybe('setFlags', rng.int(16)),
    ...maybe('clearFlags', rng.int(16)),
    ...maybe('homeDomain', pick(rng, ['example.com', 'example.org'])),
    ...maybe('inflationDest', pick(rng, ACCOUNTS)),
  })
}

const raw = (body: xdr.OperationBody): xdr.Operation => new xdr.Operation({ sourceAccount: null, body })
const price = (rng: Rng): xdr.Price =>
  new xdr.Price({ n: rng.int(4) - (often(rng, 2) ? 1 : 0), d: rng.int(4) - (often(rng, 2) ? 1 : 0) })

function operation(rng: Rng): xdr.Operation {
  const asset = pick(rng, ASSETS)
  const other = pick(rng, ASSETS)
  const wire = asset.toXdrObject()
  const body = xdr.OperationBody
  switch (rng.int(24)) {
    case 0:
      return raw(
        body.createAccount(
          new xdr.CreateAccountOp({
            destination: xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(pick(rng, ACCOUNTS))),
            startingBalance: stroops(rng),
          }),
        ),
      )
    case 1:
      return raw(
        body.pathPaymentStrictReceive(
          new xdr.PathPaymentStrictReceiveOp({
            sendAsset: wire,
            sendMax: stroops(rng),
            destination: account(rng),
            destAsset: other.toXdrObject(),
            destAmount: 1n,
            path: [],
          }),
        ),
      )
    case 2:
      return raw(
        body.pathPaymentStrictSend(
          new xdr.PathPaymentStrictSendOp({
            sendAsset: wire,
            sendAmount: stroops(rng),
            destination: account(rng),
            destAsset: other.toXdrObject(),
            destMin: 1n,
            path: [],
          }),
        ),
      )
    case 3: {
      const fields = { selling: wire, buying: other.toXdrObject(), amount: stroops(rng), price: price(rng) }
      return often(rng, 60)
        ? raw(body.manageSellOffer(new xdr.ManageSellOfferOp({ ...fields, offerId: 0n })))
        : raw(body.createPassiveSellOffer(new xdr.CreatePassiveSellOfferOp(fields)))
    }
    case 4:
      return raw(
        body.manageBuyOffer(
          new xdr.ManageBuyOfferOp({
            selling: wire,
            buying: other.toXdrObject(),
            buyAmount: stroops(rng),
            price: price(rng),
            offerId: 0n,
          }),
        ),
      )
    case 5:
      return Operation.changeTrust({ asset: pick(rng, [usd, eur]), limit: decimal(rng) })
    case 6:
    case 7:
      return setOptions(rng)
    case 8:
      return Operation.createClaimableBalance({
        asset,
        amount: decimal(rng),
        claimants: [pick(rng, ACCOUNTS), ...some(rng, ACCOUNTS, 20)].map(
          address => new Claimant(address, Claimant.predicateUnconditional()),
        ),
      })
    case 9:
      return raw(body.accountMerge(account(rng)))
    case 10:
      return Operation.manageData({ name: 'a', value: null })
    case 11:
      return pick(rng, [Operation.bumpSequence({ bumpTo: '9' }), Operation.inflation({})])
    case 12:
      return Operation.clawback({ asset: usd, from: bob, amount: '1' })
    case 13:
    case 14:
    case 15:
    case 16:
      return invoke(rng)
    default:
      return raw(body.payment(new xdr.PaymentOp({ destination: account(rng), asset: wire, amount: stroops(rng) })))
  }
}

function conditions(rng: Rng, sane: boolean): xdr.Preconditions {
  const ends = [NOW_S + 30n, NOW_S + 60n, NOW_S + 300n, ...(sane ? [] : [0n, NOW_S - 1n, NOW_S + 9_000n])]
  const bounds = new xdr.TimeBounds({ minTime: often(rng, 97) ? 0n : NOW_S + 200n, maxTime: pick(rng, ends) })
  const roll = rng.int(20)
  if (roll === 0) return xdr.Preconditions.precondNone()
  if (roll < 15) return xdr.Preconditions.precondTime(bounds)
  const odd = (): boolean => often(rng, sane ? 6 : 30)
  return xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: often(rng, 50) ? bounds : null,
      ledgerBounds: often(rng, 70)
        ? new xdr.LedgerBounds({ minLedger: 0, maxLedger: pick(rng, [0, LEDGER, LEDGER + 10, LEDGER + 500]) })
        : null,
      minSeqNum: odd() ? 1n : null,
      minSeqAge: odd() ? 1n : 0n,
      minSeqLedgerGap: odd() ? 1 : 0,
      extraSigners: odd() ? [xdr.SignerKey.signerKeyTypeEd25519(StrKey.decodeEd25519PublicKey(bob))] : [],
    }),
  )
}

const MEMOS = [
  xdr.Memo.memoNone(),
  xdr.Memo.memoText('x'),
  xdr.Memo.memoId(1n),
  xdr.Memo.memoHash(new Uint8Array(32)),
  xdr.Memo.memoReturn(new Uint8Array(32)),
]

export function randomEnvelope(rng: Rng): xdr.TransactionEnvelope {
  const sane = often(rng, 75)
  const operations = many(sane ? 1 + rng.int(2) : rng.int(4), () => {
    const made = operation(rng)
    return often(rng, 12) ? new xdr.Operation({ sourceAccount: account(rng), body: made.body }) : made
  })
  const parts = {
    operations,
    source: sane ? unmuxed(alice) : account(rng),
    fee: pick(rng, sane ? [100, 200] : [100, 1000, 1001]),
    sequence: sane ? 5n : BigInt(rng.int(4) - 1),
    cond: conditions(rng, sane),
    memo: sane ? xdr.Memo.memoNone() : pick(rng, MEMOS),
    soroban: operations.some(({ body }) => body.type === 'invokeHostFunction') && often(rng, 90),
  }
  const roll = rng.int(10)
  if (roll === 0) return feeBump(parts, { feeSource: account(rng), fee: BigInt(pick(rng, [200, 400, 1000, 1001, -1])) })
  const old = roll === 1 && parts.source.type === 'keyTypeEd25519' && parts.cond.type !== 'precondV2' && !parts.soroban
  return old ? v0(parts) : v1(parts)
}

type Functions = NonNullable<PolicyDocument['contracts']>[number]['functions']
type Grant = Exclude<Functions[number], string>['arguments'][number]

function argumentGrant(rng: Rng): Grant {
  const at = often(rng, 35) ? ('all' as const) : rng.int(4)
  const min = rng.int(12) - 4
  const kinds: readonly Omit<Grant, 'at'>[] = [
    { any: true },
    { any: true },
    { void: true },
    { bools: some(rng, [true, false], 70) },
    { integer: { min: String(min), max: String(min + rng.int(30)) } },
    { integer: { min: '0', max: pick(rng, ['10000000', '100000000']) } },
    { symbols: some(rng, ['open', 'close'], 70) },
    { strings: some(rng, ['open', 'close'], 70) },
    { bytes: some(rng, ['', '07', '0707'], 60) },
    { addresses: some(rng, ['self', bob, carol, appId, strangerId], 70) },
    { addresses: some(rng, ['self', bob, StrKey.encodeMed25519PublicKey(mux(bob, 1))], 80) },
    { vec: { minLength: rng.int(2), maxLength: 1 + rng.int(3) } },
    { map: { minLength: rng.int(2), maxLength: rng.int(3) } },
  ]
  return { at, ...pick(rng, kinds) }
}

function mux(address: string, id: number): Uint8Array {
  const bytes = new Uint8Array(40)
  bytes.set(StrKey.decodeEd25519PublicKey(address))
  bytes[39] = id
  return bytes
}

function functions(rng: Rng, names: readonly string[]): Functions {
  const chosen = some(rng, names, 75).map(name =>
    often(rng, 45) ? name : { name, arguments: many(1 + rng.int(6), () => argumentGrant(rng)) },
  )
  return chosen.length === 0 ? [...names.slice(0, 1)] : chosen
}

const ORDINARY = ['payment', 'createAccount', 'pathPaymentStrictReceive', 'pathPaymentStrictSend', 'manageSellOffer']
  .concat(['manageBuyOffer', 'createPassiveSellOffer', 'changeTrust', 'manageData', 'createClaimableBalance'])
  .concat(['invokeHostFunction', 'inflation'])
const MEASURED = ['transfer', 'approve', 'transfer_from', 'burn', 'burn_from', 'mint', 'clawback', 'balance']

export function randomDocument(rng: Rng): PolicyDocument {
  const cap = (): string => String(pick(rng, [0, 1, 5, 10, 20, 100, 1000]))
  const weights = () => ({ min: rng.int(2), max: pick(rng, [0, 1, 255]) })
  const receivers = [...ACCOUNTS, appId]
  const declared = often(rng, 75)
  const parts: Partial<PolicyDocument> = {
    network: often(rng, 97) ? 'testnet' : 'public',
    operations: some(rng, ORDINARY, 88),
    sensitiveOperations: some(rng, ['accountMerge', 'bumpSequence', 'setOptions', 'clawback'], 30),
    trustLines: some(rng, [`USD:${carol}`, `EUR:${bob}`], 60),
    setOptions: {
      signers: some(rng, [alice, bob, carol, preAuth], 60).map(key => ({ key, minWeight: rng.int(2), maxWeight: 255 })),
      ...(often(rng, 60) ? { masterWeight: weights(), lowThreshold: weights() } : {}),
      ...(often(rng, 60) ? { mediumThreshold: weights(), highThreshold: weights() } : {}),
      setFlags: some(rng, ['required', 'revocable', 'immutable', 'clawback'] as const, 70),
      clearFlags: some(rng, ['required', 'revocable', 'immutable', 'clawback'] as const, 70),
      homeDomains: some(rng, ['example.com', 'example.org'], 70),
      inflationDestinations: some(rng, ACCOUNTS, 70),
    },
    fee: { maxStroops: pick(rng, ['200', '1000', '1000000']) },
    feeBump: often(rng, 75),
    timeBounds: often(rng, 40) ? 'any' : { maxLifetimeSeconds: pick(rng, [60, 600, 3600]) },
    ledgerBounds: { maxLedgersAhead: pick(rng, [10, 100]) },
    preconditions: some(rng, ['minSequence', 'minSequenceAge', 'minSequenceLedgerGap', 'extraSigners'] as const, 40),
    sources: often(rng, 50) ? 'any' : some(rng, ACCOUNTS, 50),
    memo: some(rng, ['text', 'id', 'hash', 'return'] as const, 60),
    payments: {
      destinations: often(rng, 40)
        ? 'any'
        : some(rng, receivers, 75).map(address =>
            often(rng, 50)
              ? address
              : {
                  account: address,
                  memo: often(rng, 30) ? ('required' as const) : ('optional' as const),
                  ...(often(rng, 50)
                    ? { muxedIds: often(rng, 30) ? ('any' as const) : some(rng, ['0', '1', '2'], 70) }
                    : {}),
                },
          ),
      ...(often(rng, 30) ? { muxed: 'any' as const } : {}),
      assets: some(rng, [...ASSETS.map(nameOf), 'any', tokenId], 75).map(asset => ({
        asset,
        maxPerOperation: cap(),
        maxPerTransaction: cap(),
      })),
    },
    contracts: [
      { contract: appId, functions: functions(rng, ['run', 'stop']) },
      ...(declared ? [] : [{ contract: tokenId, functions: functions(rng, MEASURED) }]),
    ],
    ...(declared
      ? {
          tokens: [
            {
              contract: tokenId,
              asset: pick(rng, [nameOf(usd), 'native', tokenId]),
              functions: functions(rng, MEASURED),
            },
          ],
        }
      : {}),
    windows: distinct(
      many(rng.int(4), () => {
        const asset = pick(rng, [...ASSETS.map(nameOf), 'any', 'any', tokenId, 'fee'])
        const destination = often(rng, 50) || asset === 'fee' ? undefined : pick(rng, ['each', bob, carol, appId])
        const rest = { asset, seconds: pick(rng, [60, 3600, 86_400]), max: cap() }
        return destination === undefined ? rest : { ...rest, destination }
      }),
    ),
  }
  const kept = Object.entries(parts).filter(([name]) => name === 'tokens' || name === 'contracts' || often(rng, 95))
  return { version: 1, ...Object.fromEntries(kept) }
}

type Windows = NonNullable<PolicyDocument['windows']>

const distinct = (windows: Windows): Windows => {
  const name = ({ asset, destination, seconds }: Windows[number]): string => `${asset} ${destination} ${seconds}`
  return windows.filter((window, at) => windows.findIndex(other => name(other) === name(window)) === at)
}
