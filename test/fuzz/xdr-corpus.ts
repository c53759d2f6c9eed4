import { Asset, Claimant, Keypair, LiquidityPoolAsset, Operation, StrKey, xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../src/bytes/sha256.ts'

/** Valid envelopes of every kind, made with the SDK from fixed keys: the seed corpus of the fuzzer and the unit tests. */

/** A key anybody can compute, for tests. */
export const testKey = (label: string): Keypair =>
  Keypair.fromRawEd25519Seed(sha256(new TextEncoder().encode(`countersign test key ${label}`)))

export const alice = testKey('alice').publicKey()
export const bob = testKey('bob').publicKey()
export const carol = testKey('carol').publicKey()
export const contractId: string = StrKey.encodeContract(sha256(new TextEncoder().encode('contract')))
const otherContract = StrKey.encodeContract(sha256(new TextEncoder().encode('other contract')))
const balanceId = `00000000${'ab'.repeat(32)}`
const poolId = 'cd'.repeat(32)
const usd = new Asset('USD', carol)
const euro = new Asset('EUROTOKEN', carol)

export const muxed = (address: string, id: bigint): xdr.MuxedAccount =>
  xdr.MuxedAccount.keyTypeMuxedEd25519(
    new xdr.MuxedAccountMed25519({ id, ed25519: StrKey.decodeEd25519PublicKey(address) }),
  )
export const unmuxed = (address: string): xdr.MuxedAccount =>
  xdr.MuxedAccount.keyTypeEd25519(StrKey.decodeEd25519PublicKey(address))

/** Of G… or C…. */
export const scAddress = (address: string): xdr.ScAddress =>
  address.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(address)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.AccountId.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(address)))

const contractArguments = (id: string, name: string, values: xdr.ScVal[] = []): xdr.InvokeContractArgs =>
  new xdr.InvokeContractArgs({ contractAddress: scAddress(id), functionName: name, args: values })

export function invocationTree(depth: number, id: string = contractId): xdr.SorobanAuthorizedInvocation {
  return new xdr.SorobanAuthorizedInvocation({
    function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(contractArguments(id, 'transfer')),
    subInvocations: depth === 0 ? [] : [invocationTree(depth - 1, id)],
  })
}

export const sourceAuthorization = (tree: xdr.SorobanAuthorizedInvocation): xdr.SorobanAuthorizationEntry =>
  new xdr.SorobanAuthorizationEntry({
    credentials: xdr.SorobanCredentials.sorobanCredentialsSourceAccount(),
    rootInvocation: tree,
  })

const addressCredentials = (): xdr.SorobanAddressCredentials =>
  new xdr.SorobanAddressCredentials({
    address: scAddress(otherContract),
    nonce: 7n,
    signatureExpirationLedger: 1000,
    signature: xdr.ScVal.scvVoid(),
  })

export function invoke(
  name = 'transfer',
  auth: xdr.SorobanAuthorizationEntry[] = [],
  values: xdr.ScVal[] = [],
): xdr.Operation {
  const call = xdr.HostFunction.hostFunctionTypeInvokeContract(contractArguments(contractId, name, values))
  const op = new xdr.InvokeHostFunctionOp({ hostFunction: call, auth })
  return new xdr.Operation({ sourceAccount: null, body: xdr.OperationBody.invokeHostFunction(op) })
}

/** An entry whose tree deploys contracts, in both forms. */
const deploying = (): xdr.SorobanAuthorizationEntry => {
  const contractIdPreimage = xdr.ContractIdPreimage.contractIdPreimageFromAsset(xdr.Asset.assetTypeNative())
  const executable = xdr.ContractExecutable.contractExecutableStellarAsset()
  const first = new xdr.CreateContractArgs({ contractIdPreimage, executable })
  const second = new xdr.CreateContractArgsV2({ contractIdPreimage, executable, constructorArgs: [] })
  const fn = xdr.SorobanAuthorizedFunction
  const inner = new xdr.SorobanAuthorizedInvocation({
    function: fn.sorobanAuthorizedFunctionTypeCreateContractV2HostFn(second),
    subInvocations: [],
  })
  return sourceAuthorization(
    new xdr.SorobanAuthorizedInvocation({
      function: fn.sorobanAuthorizedFunctionTypeCreateContractHostFn(first),
      subInvocations: [inner, invocationTree(0)],
    }),
  )
}

const nestedValue = (depth: number): xdr.ScVal =>
  depth === 0 ? xdr.ScVal.scvU32(1) : xdr.ScVal.scvVec([nestedValue(depth - 1)])

const buy = { selling: usd, buying: Asset.native(), price: { n: 3, d: 7 } }

/** At least one operation of each type, by type. */
export const operations: Readonly<Record<string, readonly xdr.Operation[]>> = {
  createAccount: [Operation.createAccount({ destination: bob, startingBalance: '10' })],
  payment: [
    Operation.payment({ destination: bob, asset: Asset.native(), amount: '10' }),
    Operation.payment({ destination: bob, asset: usd, amount: '0.0000001', source: carol }),
    new xdr.Operation({
      sourceAccount: muxed(alice, 5n),
      body: xdr.OperationBody.payment(
        new xdr.PaymentOp({ destination: muxed(bob, 1n << 63n), asset: xdr.Asset.assetTypeNative(), amount: 5n }),
      ),
    }),
  ],
  pathPaymentStrictReceive: [
    Operation.pathPaymentStrictReceive({
      sendAsset: usd,
      sendMax: '10',
      destination: bob,
      destAsset: euro,
      destAmount: '9',
      path: [Asset.native()],
    }),
  ],
  manageSellOffer: [
    Operation.manageSellOffer({ selling: Asset.native(), buying: usd, amount: '5', price: { n: 1, d: 2 } }),
    Operation.manageSellOffer({ selling: usd, buying: euro, amount: '0', price: { n: 1, d: 1 }, offerId: '77' }),
  ],
  createPassiveSellOffer: [
    Operation.createPassiveSellOffer({ selling: Asset.native(), buying: euro, amount: '5', price: { n: 1, d: 2 } }),
  ],
  setOptions: [
    Operation.setOptions({ signer: { ed25519PublicKey: bob, weight: 255 }, homeDomain: 'example.com' }),
    Operation.setOptions({ masterWeight: 0, lowThreshold: 1, medThreshold: 2, highThreshold: 3, setFlags: 1 }),
    Operation.setOptions({ signer: { sha256Hash: poolId, weight: 1 }, inflationDest: carol, clearFlags: 2 }),
    Operation.setOptions({ signer: { preAuthTx: poolId, weight: 1 } }),
  ],
  changeTrust: [
    Operation.changeTrust({ asset: usd, limit: '1000' }),
    Operation.changeTrust({ asset: new LiquidityPoolAsset(Asset.native(), usd, 30), limit: '0' }),
  ],
  allowTrust: [Operation.allowTrust({ trustor: bob, assetCode: 'USD', authorize: 1 })],
  accountMerge: [Operation.accountMerge({ destination: bob })],
  inflation: [Operation.inflation({})],
  manageData: [
    Operation.manageData({ name: 'colour', value: 'blue' }),
    Operation.manageData({ name: 'colour', value: null }),
  ],
  bumpSequence: [Operation.bumpSequence({ bumpTo: '99' })],
  manageBuyOffer: [
    Operation.manageBuyOffer({ ...buy, buyAmount: '5' }),
    Operation.manageBuyOffer({ ...buy, buyAmount: '0', offerId: '3' }),
  ],
  pathPaymentStrictSend: [
    Operation.pathPaymentStrictSend({
      sendAsset: Asset.native(),
      sendAmount: '3',
      destination: bob,
      destAsset: usd,
      destMin: '1',
      path: [],
    }),
  ],
  createClaimableBalance: [
    Operation.createClaimableBalance({
      asset: usd,
      amount: '4',
      claimants: [
        new Claimant(bob, Claimant.predicateNot(Claimant.predicateBeforeRelativeTime('60'))),
        new Claimant(carol, Claimant.predicateUnconditional()),
      ],
    }),
  ],
  claimClaimableBalance: [Operation.claimClaimableBalance({ balanceId })],
  beginSponsoringFutureReserves: [Operation.beginSponsoringFutureReserves({ sponsoredId: bob })],
  endSponsoringFutureReserves: [Operation.endSponsoringFutureReserves({ source: bob })],
  revokeSponsorship: [
    Operation.revokeAccountSponsorship({ account: bob }),
    Operation.revokeTrustlineSponsorship({ account: bob, asset: usd }),
    Operation.revokeOfferSponsorship({ seller: bob, offerId: '12' }),
    Operation.revokeDataSponsorship({ account: bob, name: 'na"me' }),
    Operation.revokeClaimableBalanceSponsorship({ balanceId }),
    Operation.revokeLiquidityPoolSponsorship({ liquidityPoolId: poolId }),
    Operation.revokeSignerSponsorship({ account: bob, signer: { ed25519PublicKey: carol } }),
  ],
  clawback: [Operation.clawback({ asset: usd, from: bob, amount: '1' })],
  clawbackClaimableBalance: [Operation.clawbackClaimableBalance({ balanceId })],
  setTrustLineFlags: [Operation.setTrustLineFlags({ trustor: bob, asset: usd, flags: { authorized: false } })],
  liquidityPoolDeposit: [
    Operation.liquidityPoolDeposit({
      liquidityPoolId: poolId,
      maxAmountA: '1',
      maxAmountB: '2',
      minPrice: { n: 1, d: 2 },
      maxPrice: { n: 2, d: 1 },
    }),
  ],
  liquidityPoolWithdraw: [
    Operation.liquidityPoolWithdraw({ liquidityPoolId: poolId, amount: '1', minAmountA: '0', minAmountB: '1' }),
  ],
  invokeHostFunction: [
    invoke('transfer', [sourceAuthorization(invocationTree(2))], [nestedValue(6)]),
    invoke('swap', [
      new xdr.SorobanAuthorizationEntry({
        credentials: xdr.SorobanCredentials.sorobanCredentialsAddress(addressCredentials()),
        rootInvocation: invocationTree(0),
      }),
      new xdr.SorobanAuthorizationEntry({
        credentials: xdr.SorobanCredentials.sorobanCredentialsAddressV2(addressCredentials()),
        rootInvocation: invocationTree(1),
      }),
      new xdr.SorobanAuthorizationEntry({
        credentials: xdr.SorobanCredentials.sorobanCredentialsAddressWithDelegates(
          new xdr.SorobanAddressCredentialsWithDelegates({ addressCredentials: addressCredentials(), delegates: [] }),
        ),
        rootInvocation: invocationTree(1),
      }),
    ]),
    invoke('deploy', [deploying()]),
    Operation.uploadContractWasm({ wasm: new Uint8Array([0, 0x61, 0x73, 0x6d]) }),
    Operation.createStellarAssetContract({ asset: usd }),
  ],
  extendFootprintTtl: [Operation.extendFootprintTtl({ extendTo: 100 })],
  restoreFootprint: [Operation.restoreFootprint({})],
}

const sorobanData = (): xdr.SorobanTransactionData =>
  new xdr.SorobanTransactionData({
    ext: xdr.SorobanTransactionDataExt.v0(),
    resources: new xdr.SorobanResources({
      footprint: new xdr.LedgerFootprint({ readOnly: [], readWrite: [] }),
      instructions: 5,
      diskReadBytes: 6,
      writeBytes: 7,
    }),
    resourceFee: 50n,
  })

export interface TransactionParts {
  readonly operations: readonly xdr.Operation[]
  readonly source?: xdr.MuxedAccount
  readonly fee?: number
  readonly sequence?: bigint
  readonly cond?: xdr.Preconditions
  readonly memo?: xdr.Memo
  readonly soroban?: boolean
}

export const transaction = (parts: TransactionParts): xdr.Transaction =>
  new xdr.Transaction({
    sourceAccount: parts.source ?? unmuxed(alice),
    fee: parts.fee ?? 100,
    seqNum: parts.sequence ?? 4_294_967_297n,
    cond: parts.cond ?? xdr.Preconditions.precondNone(),
    memo: parts.memo ?? xdr.Memo.memoNone(),
    operations: [...parts.operations],
    ext: parts.soroban === true ? xdr.TransactionExt.sorobanData(sorobanData()) : xdr.TransactionExt.v0(),
  })

type Signatures = readonly xdr.DecoratedSignature[]

export const v1 = (parts: TransactionParts, signatures: Signatures = []): xdr.TransactionEnvelope =>
  xdr.TransactionEnvelope.envelopeTypeTx(
    new xdr.TransactionV1Envelope({ tx: transaction(parts), signatures: [...signatures] }),
  )

/** The same transaction in the older spelling; preconditions other than time bounds have none there. */
export function v0(parts: TransactionParts, signatures: Signatures = []): xdr.TransactionEnvelope {
  const tx = transaction(parts)
  if (tx.sourceAccount.type !== 'keyTypeEd25519') throw new TypeError('V0 has no muxed source')
  const old = new xdr.TransactionV0({
    sourceAccountEd25519: tx.sourceAccount.ed25519,
    fee: tx.fee,
    seqNum: tx.seqNum,
    timeBounds: tx.cond.type === 'precondTime' ? tx.cond.timeBounds : null,
    memo: tx.memo,
    operations: tx.operations,
    ext: xdr.TransactionV0Ext.v0(),
  })
  return xdr.TransactionEnvelope.envelopeTypeTxV0(
    new xdr.TransactionV0Envelope({ tx: old, signatures: [...signatures] }),
  )
}

export interface FeeBumpParts {
  readonly feeSource?: xdr.MuxedAccount
  readonly fee?: bigint
  readonly innerSignatures?: Signatures
}

export function feeBump(
  parts: TransactionParts,
  { feeSource = unmuxed(carol), fee = 400n, innerSignatures = [] }: FeeBumpParts = {},
  signatures: Signatures = [],
): xdr.TransactionEnvelope {
  const inner = new xdr.TransactionV1Envelope({ tx: transaction(parts), signatures: [...innerSignatures] })
  const innerTx = xdr.FeeBumpTransactionInnerTx.envelopeTypeTx(inner)
  const tx = new xdr.FeeBumpTransaction({ feeSource, fee, innerTx, ext: xdr.FeeBumpTransactionExt.v0() })
  return xdr.TransactionEnvelope.envelopeTypeTxFeeBump(
    new xdr.FeeBumpTransactionEnvelope({ tx, signatures: [...signatures] }),
  )
}

export const fakeSignature = (label: string): xdr.DecoratedSignature => {
  const bytes = sha256(new TextEncoder().encode(label))
  const signature = new Uint8Array(64)
  signature.set(bytes)
  return new xdr.DecoratedSignature({ hint: bytes.slice(0, 4), signature })
}

export const timeBounds = (minTime: bigint, maxTime: bigint): xdr.Preconditions =>
  xdr.Preconditions.precondTime(new xdr.TimeBounds({ minTime, maxTime }))

const conditions = (): xdr.Preconditions =>
  xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: new xdr.TimeBounds({ minTime: 1n, maxTime: 2_000_000_000n }),
      ledgerBounds: new xdr.LedgerBounds({ minLedger: 1, maxLedger: 0 }),
      minSeqNum: 3n,
      minSeqAge: 4n,
      minSeqLedgerGap: 5,
      extraSigners: [
        xdr.SignerKey.signerKeyTypeEd25519SignedPayload(
          new xdr.SignerKeyEd25519SignedPayload({
            ed25519: StrKey.decodeEd25519PublicKey(bob),
            payload: new Uint8Array([1, 2, 3, 4, 5]),
          }),
        ),
      ],
    }),
  )

const hash = sha256(new TextEncoder().encode('memo'))
const memos: readonly xdr.Memo[] = [
  xdr.Memo.memoText('hello'),
  xdr.Memo.memoText(new Uint8Array([0xff, 0x00, 0x0a, 0x22, 0x5c])),
  xdr.Memo.memoId((1n << 64n) - 1n),
  xdr.Memo.memoHash(hash),
  xdr.Memo.memoReturn(hash),
]

/** Envelopes with a name each. */
export function namedCorpus(): ReadonlyArray<readonly [name: string, envelope: xdr.TransactionEnvelope]> {
  const pay = operations['payment'] ?? []
  const list: Array<[string, xdr.TransactionEnvelope]> = []
  for (const [type, examples] of Object.entries(operations)) {
    const soroban = ['invokeHostFunction', 'extendFootprintTtl', 'restoreFootprint'].includes(type)
    examples.forEach((operation, at) => list.push([`v1 ${type} ${at}`, v1({ operations: [operation], soroban })]))
  }
  memos.forEach((memo, at) => list.push([`v1 memo ${at}`, v1({ operations: pay, memo })]))
  list.push(
    ['v0 payment', v0({ operations: pay })],
    ['v0 time bounds signed', v0({ operations: pay, cond: timeBounds(0n, 9n) }, [fakeSignature('a')])],
    ['v1 time bounds', v1({ operations: pay, cond: timeBounds(5n, 0n) })],
    ['v1 conditions', v1({ operations: pay, cond: conditions() })],
    ['v1 muxed source', v1({ operations: pay, source: muxed(alice, 42n) })],
    ['v1 signed', v1({ operations: pay }, [fakeSignature('a'), fakeSignature('b')])],
    ['v1 empty', v1({ operations: [] })],
    [
      'v1 hundred',
      v1({
        operations: Array.from({ length: 100 }, () => pay)
          .flat()
          .slice(0, 100),
      }),
    ],
    ['v1 challenge', v1({ operations: operations['manageData'] ?? [], sequence: 0n })],
    ['fee-bump', feeBump({ operations: pay })],
    ['fee-bump signed', feeBump({ operations: pay }, { innerSignatures: [fakeSignature('i')] }, [fakeSignature('o')])],
    ['fee-bump muxed', feeBump({ operations: pay, source: muxed(bob, 1n) }, { feeSource: muxed(carol, 2n), fee: -1n })],
    ['fee-bump soroban', feeBump({ operations: operations['invokeHostFunction']?.slice(0, 1) ?? [], soroban: true })],
  )
  return list
}

/** The corpus as callers send it. */
export const corpus = (): readonly string[] => namedCorpus().map(([, envelope]) => envelope.toXdr('base64'))
