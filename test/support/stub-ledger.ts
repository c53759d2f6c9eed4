/** The ledger of the stub network: accounts, two small contracts, and the rules by which a transaction is taken or refused. */
import { Operation, StrKey, TransactionBuilder, FeeBumpTransaction, verify, xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../src/bytes/sha256.ts'
import { strkeyOf } from '../../src/chains/stellar/values.ts'

type Sdk = ReturnType<typeof TransactionBuilder.fromXDR>
type Inner = Exclude<Sdk, FeeBumpTransaction>

export interface StubAccount {
  sequence: bigint
  /** Weight of the master key. */
  master: number
  low: number
  medium: number
  high: number
  /** G…, T… and X…, besides the master key. */
  signers: { readonly key: string; readonly weight: number }[]
}

/** A vault: who may revoke, and what is still revocable. `revoke(beneficiary, amount)`; an escrow calls it `release`. */
export interface StubVault {
  readonly admin: string
  readonly revocable: Map<string, bigint>
}

export interface Applied {
  readonly kind: 'applied'
  readonly success: boolean
  readonly ledger: number
  /** Base64 XDR. */
  readonly result: string
  readonly meta: string
}

export interface Simulated {
  readonly transactionData: string
  readonly minResourceFee: bigint
  readonly auth: string[]
  readonly result: string
}

export interface Ledger {
  readonly sequence: number
  /** Adds or changes; left out: a fresh account with its master key alone. */
  account(address: string, change?: Partial<StubAccount>): StubAccount
  addresses(): string[]
  accountEntry(address: string): xdr.LedgerEntryData
  /** As Horizon shows it. */
  accountJson(address: string): object
  vault(contract: string, vault: StubVault): void
  /** A contract whose `batch_revoke(Vec<{amount, beneficiary, signer, vault}>)` calls `revoke` of each vault. */
  batch(contract: string): void
  simulate(envelope: string, foreign: boolean): Simulated | { readonly error: string }
  apply(envelope: string): Applied | { readonly kind: 'refused'; readonly result: string }
  /** The same envelope with another sequence number: another transaction. */
  otherEnvelope(envelope: string): string
}

interface Rules {
  readonly passphrase: string
  readonly now: () => number
  readonly upgradedAuth: boolean
}

/** What a call asks for: this address must have authorized this very invocation. */
interface Demand {
  readonly address: string
  readonly invocation: xdr.SorobanAuthorizedInvocation
}

const BASE_FEE = 100n
const RESOURCES = 60_000n

export function createLedger({ passphrase, now, upgradedAuth }: Rules): Ledger {
  const accounts = new Map<string, StubAccount>()
  const vaults = new Map<string, StubVault>()
  const batches = new Set<string>()
  const nonces = new Set<string>()
  let sequence = 1_000

  const networkId = sha256(new TextEncoder().encode(passphrase))
  const get = (address: string): StubAccount => {
    const found = accounts.get(address)
    if (found === undefined) throw new Refused('txNoAccount')
    return found
  }

  /** Which contract calls it makes, and whose authorization each needs. @throws Trapped */
  const plan = (op: xdr.InvokeHostFunctionOp): { demands: Demand[]; run: () => xdr.ScVal } => {
    const fn = op.hostFunction
    if (fn.type !== 'hostFunctionTypeInvokeContract') throw new Trapped()
    const { contractAddress, functionName, args } = fn.invokeContract
    const contract = strkeyOf(contractAddress)
    const name = functionName.toJson()
    const revocations =
      vaults.has(contract) && (name === 'revoke' || name === 'release') && args.length === 2
        ? [{ vault: contract, beneficiary: addressIn(args[0]), amount: i128In(args[1]) }]
        : batches.has(contract) && name === 'batch_revoke' && args.length === 1
          ? vecIn(args[0]).map(revocationIn)
          : undefined
    if (revocations === undefined) throw new Trapped()
    const demands = revocations.map(({ vault, beneficiary, amount }) => {
      const held = vaults.get(vault)
      if (held === undefined) throw new Trapped()
      const invocation = revokeOf(vault, beneficiary, amount, name === 'release' ? name : 'revoke')
      return { address: held.admin, invocation }
    })
    const run = (): xdr.ScVal => {
      const after = new Map<string, bigint>()
      for (const { vault, beneficiary, amount } of revocations) {
        const place = `${vault} ${beneficiary}`
        const left = after.get(place) ?? vaults.get(vault)?.revocable.get(beneficiary) ?? 0n
        if (amount <= 0n || amount > left) throw new Trapped()
        after.set(place, left - amount)
      }
      for (const [place, left] of after) {
        const [vault = '', beneficiary = ''] = place.split(' ')
        vaults.get(vault)?.revocable.set(beneficiary, left)
      }
      return xdr.ScVal.scvU32(revocations.length)
    }
    return { demands, run }
  }

  const dataFor = (demands: readonly Demand[]): xdr.SorobanTransactionData =>
    new xdr.SorobanTransactionData({
      ext: xdr.SorobanTransactionDataExt.v0(),
      resources: new xdr.SorobanResources({
        footprint: new xdr.LedgerFootprint({ readOnly: [], readWrite: [] }),
        instructions: 1_000_000 * (1 + demands.length),
        diskReadBytes: 2_000,
        writeBytes: 500,
      }),
      resourceFee: feeFor(demands.length),
    })

  const preimageOf = (
    credentials: xdr.SorobanAddressCredentials,
    root: xdr.SorobanAuthorizedInvocation,
    v2: boolean,
  ) => {
    const common = {
      networkId,
      nonce: credentials.nonce,
      signatureExpirationLedger: credentials.signatureExpirationLedger,
      invocation: root,
    }
    return v2
      ? xdr.HashIdPreimage.envelopeTypeSorobanAuthorizationWithAddress(
          new xdr.HashIdPreimageSorobanAuthorizationWithAddress({ ...common, address: credentials.address }),
        )
      : xdr.HashIdPreimage.envelopeTypeSorobanAuthorization(new xdr.HashIdPreimageSorobanAuthorization(common))
  }

  /** @throws Trapped unless an entry that is not used yet authorizes it. */
  const authorize = (
    { address, invocation }: Demand,
    source: string,
    entries: Set<xdr.SorobanAuthorizationEntry>,
  ): void => {
    for (const entry of entries) {
      if (hexOf(entry.rootInvocation) !== hexOf(invocation)) continue
      const { credentials } = entry
      if (credentials.type === 'sorobanCredentialsSourceAccount') {
        if (address !== source) continue
        entries.delete(entry)
        return
      }
      const v2 = credentials.type === 'sorobanCredentialsAddressV2'
      if (!v2 && credentials.type !== 'sorobanCredentialsAddress') continue
      const held = v2 ? credentials.addressV2 : credentials.address
      if (strkeyOf(held.address) !== address) continue
      const nonce = `${address} ${held.nonce}`
      if (nonces.has(nonce) || held.signatureExpirationLedger < sequence) throw new Trapped()
      const payload = sha256(preimageOf(held, entry.rootInvocation, v2).toXdr())
      const account = get(address)
      let weight = 0
      let last = ''
      for (const one of vecIn(held.signature)) {
        const { public_key: key, signature } = structIn(one)
        if (key?.type !== 'scvBytes' || signature?.type !== 'scvBytes') throw new Trapped()
        const signer = StrKey.encodeEd25519PublicKey(key.bytes.toBytes())
        if (signer <= last) throw new Trapped()
        last = signer
        if (!verify(payload, signature.bytes.toBytes(), key.bytes.toBytes())) throw new Trapped()
        weight += weightOf(account, address, signer)
      }
      if (weight < Math.max(1, account.medium)) throw new Trapped()
      nonces.add(nonce)
      entries.delete(entry)
      return
    }
    throw new Trapped()
  }

  /** Every signature must count for something, and every account that acts must reach its threshold. */
  const checkSignatures = (
    hash: Uint8Array,
    signatures: readonly xdr.DecoratedSignature[],
    needs: Map<string, Level>,
  ): void => {
    const used = new Set<number>()
    for (const [address, level] of needs) {
      const account = get(address)
      let weight = 0
      for (const { key, weight: each } of [{ key: address, weight: account.master }, ...account.signers]) {
        if (each === 0) continue
        if (key.startsWith('T')) {
          if (toHexOf(StrKey.decodePreAuthTx(key)) === toHexOf(hash)) weight += each
          continue
        }
        const at = signatures.findIndex(one => signs(key, one, hash))
        if (at < 0) continue
        used.add(at)
        weight += each
      }
      if (weight < Math.max(1, account[level])) throw new Refused('txBadAuth')
    }
    if (used.size < signatures.length) throw new Refused('txBadAuthExtra')
  }

  const take = (envelope: string): Applied => {
    const transaction = TransactionBuilder.fromXDR(envelope, passphrase)
    const bump = transaction instanceof FeeBumpTransaction ? transaction : undefined
    const inner = bump === undefined ? (transaction as Inner) : bump.innerTransaction
    const decoded = xdr.TransactionEnvelope.fromXdr(inner.toXDR(), 'base64')
    if (decoded.type !== 'envelopeTypeTx') throw new Refused('txMalformed')
    const { tx } = decoded.v1
    const source = inner.source
    const account = get(baseOf(source))
    const resourceFee = tx.ext.type === 'sorobanData' ? tx.ext.sorobanData.resourceFee : 0n
    const operations = tx.operations
    const { timeBounds } = inner
    const seconds = now() / 1000
    if (timeBounds !== undefined && timeBounds !== null) {
      if (BigInt(timeBounds.maxTime) !== 0n && Number(timeBounds.maxTime) < seconds) throw new Refused('txTooLate')
      if (Number(timeBounds.minTime) > seconds) throw new Refused('txTooEarly')
    }
    if (operations.length === 0) throw new Refused('txMissingOperation')
    const least = BASE_FEE * BigInt(operations.length) + resourceFee
    if (bump === undefined && BigInt(tx.fee) < least) throw new Refused('txInsufficientFee')
    if (bump !== undefined && BigInt(bump.fee) < least + BASE_FEE) throw new Refused('txInsufficientFee')
    if (tx.seqNum !== account.sequence + 1n) throw new Refused('txBadSeq')
    const needs = new Map<string, Level>([[baseOf(source), 'low']])
    for (const operation of inner.operations) {
      const actor = baseOf(operation.source ?? source)
      needs.set(actor, highest(needs.get(actor) ?? 'low', levelOf(operation)))
    }
    checkSignatures(inner.hash(), decoded.v1.signatures, needs)
    if (bump !== undefined) {
      checkSignatures(bump.hash(), bump.signatures, new Map([[baseOf(bump.feeSource), 'low']]))
    }
    const invoke = operations.map(({ body }) => body).find(body => body.type === 'invokeHostFunction')
    let returned: xdr.ScVal | undefined
    let success = true
    if (invoke?.type === 'invokeHostFunction') {
      try {
        const { demands, run } = plan(invoke.invokeHostFunctionOp)
        if (resourceFee < feeFor(demands.length)) throw new Refused('txSorobanInvalid')
        const entries = new Set(invoke.invokeHostFunctionOp.auth)
        for (const demand of demands) authorize(demand, baseOf(source), entries)
        returned = run()
      } catch (error) {
        if (!(error instanceof Trapped)) throw error
        success = false
      }
    }
    account.sequence = tx.seqNum
    sequence += 1
    const codes = success ? successOf(bump !== undefined) : failureOf(bump !== undefined, inner.hash())
    return { kind: 'applied', success, ledger: sequence, result: codes, meta: metaOf(returned) }
  }

  const ledger: Ledger = {
    get sequence() {
      return sequence
    },
    account(address, change = {}) {
      const before = accounts.get(address) ?? { sequence: 41n, master: 1, low: 0, medium: 0, high: 0, signers: [] }
      const after = Object.assign(before, change)
      accounts.set(address, after)
      return after
    },
    addresses: () => [...accounts.keys()],
    accountEntry: address => entryOf(address, get(address)),
    accountJson: address => {
      const { sequence: seq, master, low, medium, high, signers } = get(address)
      return {
        id: address,
        account_id: address,
        sequence: String(seq),
        thresholds: { low_threshold: low, med_threshold: medium, high_threshold: high },
        signers: [...signers, { key: address, weight: master }].map(one => ({ ...one, type: 'ed25519_public_key' })),
      }
    },
    vault: (contract, vault) => void vaults.set(contract, vault),
    batch: contract => void batches.add(contract),

    simulate(envelope, foreign) {
      try {
        const decoded = xdr.TransactionEnvelope.fromXdr(envelope, 'base64')
        if (decoded.type !== 'envelopeTypeTx') throw new Trapped()
        const { sourceAccount, operations } = decoded.v1.tx
        const body = operations[0]?.body
        if (operations.length !== 1 || body?.type !== 'invokeHostFunction') throw new Trapped()
        const source = StrKey.encodeEd25519PublicKey(
          sourceAccount.type === 'keyTypeEd25519'
            ? sourceAccount.ed25519.toBytes()
            : sourceAccount.med25519.ed25519.toBytes(),
        )
        const { demands } = plan(body.invokeHostFunctionOp)
        const stray = demands[0]
        const more = foreign && stray !== undefined ? [{ ...stray, invocation: strayOf() }] : []
        const auth = [...demands, ...more].map(({ address, invocation }) =>
          new xdr.SorobanAuthorizationEntry({
            credentials:
              address === source
                ? xdr.SorobanCredentials.sorobanCredentialsSourceAccount()
                : credentialsOf(address, upgradedAuth),
            rootInvocation: invocation,
          }).toXdr('base64'),
        )
        return {
          transactionData: dataFor(demands).toXdr('base64'),
          minResourceFee: feeFor(demands.length),
          auth,
          result: xdr.ScVal.scvU32(demands.length).toXdr('base64'),
        }
      } catch (error) {
        if (error instanceof Trapped) return { error: 'HostError: Error(WasmVm, InvalidAction)' }
        throw error
      }
    },

    apply(envelope) {
      try {
        return take(envelope)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return { kind: 'refused', result: refusalOf(error.code) }
      }
    },

    otherEnvelope(envelope) {
      const decoded = xdr.TransactionEnvelope.fromXdr(envelope, 'base64')
      const inner =
        decoded.type === 'envelopeTypeTxFeeBump'
          ? decoded.feeBump.tx.innerTx.v1
          : decoded.type === 'envelopeTypeTx'
            ? decoded.v1
            : undefined
      if (inner === undefined) throw new Error('the stub knows no such envelope')
      const { tx, signatures } = inner
      const { sourceAccount, fee, seqNum, cond, memo, operations, ext } = tx
      const other = new xdr.Transaction({ sourceAccount, fee, seqNum: seqNum + 1n, cond, memo, operations, ext })
      return xdr.TransactionEnvelope.envelopeTypeTx(new xdr.TransactionV1Envelope({ tx: other, signatures })).toXdr(
        'base64',
      )
    },
  }
  return ledger
}

class Trapped extends Error {}
class Refused extends Error {
  readonly code: RefusalCode
  constructor(code: RefusalCode) {
    super(code)
    this.code = code
  }
}

type RefusalCode =
  | 'txTooEarly'
  | 'txTooLate'
  | 'txMissingOperation'
  | 'txBadSeq'
  | 'txBadAuth'
  | 'txBadAuthExtra'
  | 'txNoAccount'
  | 'txInsufficientFee'
  | 'txSorobanInvalid'
  | 'txMalformed'

type Level = 'low' | 'medium' | 'high'
const ORDER: readonly Level[] = ['low', 'medium', 'high']
const highest = (a: Level, b: Level): Level => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b)
const LOW = [
  'allowTrust',
  'setTrustLineFlags',
  'bumpSequence',
  'claimClaimableBalance',
  'inflation',
  'extendFootprintTtl',
  'restoreFootprint',
]

/** @see https://developers.stellar.org/docs/learn/fundamentals/transactions/signatures-multisig#thresholds */
function levelOf(operation: ReturnType<typeof Operation.fromXDRObject>): Level {
  if (operation.type === 'accountMerge') return 'high'
  if (operation.type === 'setOptions') {
    const { masterWeight, lowThreshold, medThreshold, highThreshold, signer } = operation
    return [masterWeight, lowThreshold, medThreshold, highThreshold, signer].some(
      one => one !== undefined && one !== null,
    )
      ? 'high'
      : 'medium'
  }
  return LOW.includes(operation.type) ? 'low' : 'medium'
}

const feeFor = (calls: number): bigint => RESOURCES + 1_000n * BigInt(calls)

function signs(key: string, { hint, signature }: xdr.DecoratedSignature, hash: Uint8Array): boolean {
  const bytes = signature.toBytes()
  if (key.startsWith('X')) return toHexOf(sha256(bytes)) === toHexOf(StrKey.decodeSha256Hash(key))
  if (!key.startsWith('G') || bytes.length !== 64) return false
  const publicKey = StrKey.decodeEd25519PublicKey(key)
  return toHexOf(publicKey.slice(-4)) === toHexOf(hint.toBytes()) && verify(hash, bytes, publicKey)
}

const weightOf = (account: StubAccount, address: string, signer: string): number =>
  signer === address ? account.master : (account.signers.find(({ key }) => key === signer)?.weight ?? 0)

/** The G… under an M…. */
const baseOf = (address: string): string =>
  address.startsWith('M')
    ? StrKey.encodeEd25519PublicKey(StrKey.decodeMed25519PublicKey(address).slice(0, 32))
    : address

const toHexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const hexOf = (value: { toXdr(): Uint8Array }): string => toHexOf(value.toXdr())

const scAddress = (address: string): xdr.ScAddress =>
  address.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(address)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(address)))

const i128Of = (value: bigint): xdr.ScVal =>
  xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: value >> 64n, lo: value & 0xffff_ffff_ffff_ffffn }))

const callOf = (contract: string, name: string, args: xdr.ScVal[]): xdr.SorobanAuthorizedInvocation =>
  new xdr.SorobanAuthorizedInvocation({
    function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(
      new xdr.InvokeContractArgs({ contractAddress: scAddress(contract), functionName: name, args }),
    ),
    subInvocations: [],
  })

const revokeOf = (vault: string, beneficiary: string, amount: bigint, name: string): xdr.SorobanAuthorizedInvocation =>
  callOf(vault, name, [xdr.ScVal.scvAddress(scAddress(beneficiary)), i128Of(amount)])

/** What a node that lies would like to have signed. */
const strayOf = (): xdr.SorobanAuthorizedInvocation =>
  callOf(StrKey.encodeContract(new Uint8Array(32).fill(0x66)), 'transfer', [i128Of(1_000_000n)])

function credentialsOf(address: string, v2: boolean): xdr.SorobanCredentials {
  const nonce = new DataView(crypto.getRandomValues(new Uint8Array(8)).buffer).getBigInt64(0)
  const credentials = new xdr.SorobanAddressCredentials({
    address: scAddress(address),
    nonce,
    signatureExpirationLedger: 0,
    signature: xdr.ScVal.scvVoid(),
  })
  return v2
    ? xdr.SorobanCredentials.sorobanCredentialsAddressV2(credentials)
    : xdr.SorobanCredentials.sorobanCredentialsAddress(credentials)
}

function addressIn(value: xdr.ScVal | undefined): string {
  if (value?.type !== 'scvAddress') throw new Trapped()
  return strkeyOf(value.address)
}
function i128In(value: xdr.ScVal | undefined): bigint {
  if (value?.type !== 'scvI128') throw new Trapped()
  return (value.i128.hi << 64n) | value.i128.lo
}
function vecIn(value: xdr.ScVal | undefined): readonly xdr.ScVal[] {
  if (value?.type !== 'scvVec' || value.vec === null) throw new Trapped()
  return value.vec
}
function structIn(value: xdr.ScVal): Record<string, xdr.ScVal> {
  if (value.type !== 'scvMap' || value.map === null) throw new Trapped()
  const names = value.map.map(({ key }) => (key.type === 'scvSymbol' ? key.sym.toJson() : ''))
  if (names.some((name, at) => at > 0 && name <= (names[at - 1] ?? ''))) throw new Trapped() // the host wants them in order
  return Object.fromEntries(value.map.map(({ val }, at) => [names[at], val]))
}
function revocationIn(value: xdr.ScVal): { vault: string; beneficiary: string; amount: bigint } {
  const { amount, beneficiary, signer, vault } = structIn(value)
  addressIn(signer)
  return { vault: addressIn(vault), beneficiary: addressIn(beneficiary), amount: i128In(amount) }
}

function entryOf(address: string, account: StubAccount): xdr.LedgerEntryData {
  return xdr.LedgerEntryData.account(
    new xdr.AccountEntry({
      accountId: xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(address)),
      balance: 100_000_000n,
      seqNum: account.sequence,
      numSubEntries: account.signers.length,
      inflationDest: null,
      flags: 0,
      homeDomain: '',
      thresholds: new Uint8Array([account.master, account.low, account.medium, account.high]),
      signers: account.signers.map(({ key, weight }) => new xdr.Signer({ key: signerKeyOf(key), weight })),
      ext: xdr.AccountEntryExt.v0(),
    }),
  )
}

function signerKeyOf(key: string): xdr.SignerKey {
  if (key.startsWith('T')) return xdr.SignerKey.signerKeyTypePreAuthTx(StrKey.decodePreAuthTx(key))
  if (key.startsWith('X')) return xdr.SignerKey.signerKeyTypeHashX(StrKey.decodeSha256Hash(key))
  return xdr.SignerKey.signerKeyTypeEd25519(StrKey.decodeEd25519PublicKey(key))
}

const resultOf = (result: xdr.TransactionResultResult): string =>
  new xdr.TransactionResult({ feeCharged: 100n, result, ext: xdr.TransactionResultExt.v0() }).toXdr('base64')

function refusalOf(code: RefusalCode): string {
  return resultOf(xdr.TransactionResultResult[code]())
}

const innerPair = (hash: Uint8Array, result: xdr.InnerTransactionResultResult): xdr.InnerTransactionResultPair =>
  new xdr.InnerTransactionResultPair({
    transactionHash: hash,
    result: new xdr.InnerTransactionResult({ feeCharged: 100n, result, ext: xdr.InnerTransactionResultExt.v0() }),
  })

function successOf(bumped: boolean): string {
  const R = xdr.TransactionResultResult
  const none: xdr.OperationResult[] = []
  return resultOf(
    bumped
      ? R.txFeeBumpInnerSuccess(innerPair(new Uint8Array(32), xdr.InnerTransactionResultResult.txSuccess(none)))
      : R.txSuccess(none),
  )
}

function failureOf(bumped: boolean, hash: Uint8Array): string {
  const trapped = [
    xdr.OperationResult.opInner(
      xdr.OperationResultTr.invokeHostFunction(xdr.InvokeHostFunctionResult.invokeHostFunctionTrapped()),
    ),
  ]
  const R = xdr.TransactionResultResult
  return resultOf(
    bumped
      ? R.txFeeBumpInnerFailed(innerPair(hash, xdr.InnerTransactionResultResult.txFailed(trapped)))
      : R.txFailed(trapped),
  )
}

function metaOf(returned: xdr.ScVal | undefined): string {
  const soroban =
    returned === undefined
      ? null
      : new xdr.SorobanTransactionMetaV2({ ext: xdr.SorobanTransactionMetaExt.v0(), returnValue: returned })
  return xdr.TransactionMeta.v4(
    new xdr.TransactionMetaV4({
      ext: xdr.ExtensionPoint.v0(),
      txChangesBefore: [],
      operations: [],
      txChangesAfter: [],
      sorobanMeta: soroban,
      events: [],
      diagnosticEvents: [],
    }),
  ).toXdr('base64')
}
