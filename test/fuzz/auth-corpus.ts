import {
  buildAuthorizationEntryPreimage,
  buildWithDelegatesEntry,
  Networks,
  StrKey,
  xdr,
} from '@stellar/stellar-sdk/base'
import { sha256 } from '../../src/bytes/sha256.ts'
import { alice, bob, carol, contractId, scAddress } from './xdr-corpus.ts'

/** Valid authorization entries, preimages and contract values of every kind: the seeds of the fuzzer. */

const { ScVal } = xdr
const entryOf = (key: xdr.ScVal, val: xdr.ScVal): xdr.ScMapEntry => new xdr.ScMapEntry({ key, val })
const hash = sha256(new TextEncoder().encode('value'))

export const values = (): readonly xdr.ScVal[] => {
  const plain = [
    ScVal.scvBool(true),
    ScVal.scvVoid(),
    ScVal.scvU32(4_294_967_295),
    ScVal.scvI32(-1),
    ScVal.scvU64(2n ** 64n - 1n),
    ScVal.scvI64(-(2n ** 63n)),
    ScVal.scvTimepoint(1_790_000_000n),
    ScVal.scvDuration(60n),
    ScVal.scvU128(new xdr.Uint128Parts({ hi: 1n, lo: 2n })),
    ScVal.scvI128(new xdr.Int128Parts({ hi: -1n, lo: 2n })),
    ScVal.scvU256(new xdr.Uint256Parts({ hiHi: 1n, hiLo: 2n, loHi: 3n, loLo: 4n })),
    ScVal.scvI256(new xdr.Int256Parts({ hiHi: -1n, hiLo: 2n, loHi: 3n, loLo: 4n })),
    ScVal.scvBytes(hash),
    ScVal.scvString('a "quoted"\ntext'),
    ScVal.scvSymbol('transfer'),
    ScVal.scvAddress(scAddress(alice)),
    ScVal.scvAddress(scAddress(contractId)),
    ScVal.scvAddress(
      xdr.ScAddress.scAddressTypeMuxedAccount(
        new xdr.MuxedEd25519Account({ id: 7n, ed25519: StrKey.decodeEd25519PublicKey(bob) }),
      ),
    ),
    ScVal.scvVec(null),
    ScVal.scvMap(null),
    ScVal.scvLedgerKeyContractInstance(),
    ScVal.scvLedgerKeyNonce(new xdr.ScNonceKey({ nonce: 5n })),
  ]
  const map = ScVal.scvMap([
    entryOf(ScVal.scvSymbol('amount'), ScVal.scvU32(5)),
    entryOf(ScVal.scvU32(1), ScVal.scvVoid()),
  ])
  let deep: xdr.ScVal = ScVal.scvU32(1)
  for (let level = 0; level < 8; level++)
    deep = ScVal.scvVec([deep, ScVal.scvMap([entryOf(ScVal.scvU32(level), deep)])].slice(0, 1 + (level % 2)))
  return [...plain, map, ScVal.scvVec(plain.slice(0, 6)), deep]
}

const calling = (
  args: xdr.ScVal[],
  children: xdr.SorobanAuthorizedInvocation[] = [],
): xdr.SorobanAuthorizedInvocation =>
  new xdr.SorobanAuthorizedInvocation({
    function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(
      new xdr.InvokeContractArgs({ contractAddress: scAddress(contractId), functionName: 'transfer', args }),
    ),
    subInvocations: children,
  })

function deploying(): xdr.SorobanAuthorizedInvocation {
  const contractIdPreimage = xdr.ContractIdPreimage.contractIdPreimageFromAddress(
    new xdr.ContractIdPreimageFromAddress({ address: scAddress(alice), salt: hash }),
  )
  const executable = xdr.ContractExecutable.contractExecutableWasm(hash)
  const fn = xdr.SorobanAuthorizedFunction
  const args = new xdr.CreateContractArgsV2({ contractIdPreimage, executable, constructorArgs: [ScVal.scvU32(1)] })
  return new xdr.SorobanAuthorizedInvocation({
    function: fn.sorobanAuthorizedFunctionTypeCreateContractV2HostFn(args),
    subInvocations: [],
  })
}

const transferArguments = (): xdr.ScVal[] => [
  ScVal.scvAddress(scAddress(alice)),
  ScVal.scvAddress(scAddress(bob)),
  ScVal.scvI128(new xdr.Int128Parts({ hi: 0n, lo: 5n })),
]

const credentialsOf = (address: string, signature: xdr.ScVal): xdr.SorobanAddressCredentials =>
  new xdr.SorobanAddressCredentials({
    address: scAddress(address),
    nonce: -8_000_000_001n,
    signatureExpirationLedger: 1000,
    signature,
  })

/** As accounts have them, of nobody. */
const accountSignature = (address: string): xdr.ScVal =>
  ScVal.scvMap([
    entryOf(ScVal.scvSymbol('public_key'), ScVal.scvBytes(StrKey.decodeEd25519PublicKey(address))),
    entryOf(ScVal.scvSymbol('signature'), ScVal.scvBytes(new Uint8Array(64))),
  ])

/** All of them for `alice`, on its own or as a delegate. */
export function entries(): readonly xdr.SorobanAuthorizationEntry[] {
  const trees = [calling(transferArguments()), calling([], [calling([ScVal.scvI32(-5)]), calling([], [deploying()])])]
  const { SorobanCredentials } = xdr
  return trees.flatMap(rootInvocation => {
    const made = (credentials: xdr.SorobanCredentials) =>
      new xdr.SorobanAuthorizationEntry({ credentials, rootInvocation })
    const v2 = made(SorobanCredentials.sorobanCredentialsAddressV2(credentialsOf(contractId, ScVal.scvVoid())))
    return [
      made(SorobanCredentials.sorobanCredentialsAddress(credentialsOf(alice, ScVal.scvVoid()))),
      made(SorobanCredentials.sorobanCredentialsAddressV2(credentialsOf(alice, ScVal.scvVec([])))),
      made(SorobanCredentials.sorobanCredentialsAddressV2(credentialsOf(alice, ScVal.scvVec([accountSignature(bob)])))),
      buildWithDelegatesEntry({
        entry: v2,
        validUntilLedgerSeq: 1000,
        delegates: [
          { address: alice },
          { address: contractId, nestedDelegates: [{ address: alice }, { address: carol }] },
          { address: bob, signature: ScVal.scvVec([accountSignature(bob)]) },
        ],
      }),
    ]
  })
}

/** Both forms, for the test network. */
export const preimages = (): readonly xdr.HashIdPreimage[] =>
  entries().map(entry => buildAuthorizationEntryPreimage(entry, 1000, Networks.TESTNET))

/** A legacy preimage whose one argument is to follow: everything before and everything after it. */
export function aroundArgument(): readonly [before: Uint8Array, after: Uint8Array] {
  const rootInvocation = calling([ScVal.scvVoid()])
  const credentials = xdr.SorobanCredentials.sorobanCredentialsAddress(credentialsOf(alice, ScVal.scvVoid()))
  const entry = new xdr.SorobanAuthorizationEntry({ credentials, rootInvocation })
  const bytes = buildAuthorizationEntryPreimage(entry, 1000, Networks.TESTNET).toXdr()
  return [bytes.slice(0, -8), bytes.slice(-4)]
}
