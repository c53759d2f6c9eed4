/**
 * What the functions do that policies treat by name: move or approve tokens, call on, hand over control. By selector,
 * for the contract sees nothing else: another name with the same four bytes is the same function to it.
 */
import type { AbiValue } from './abi.ts'
import { type AbiFunction, readSignature, selectorOf } from './signature.ts'

/** Standard allowances and permits end here; more than any supply there is, so more is meant as "without limit". */
export const UNLIMITED = 1n << 128n

/** Which argument is what. `token` absent: the contract that is called. */
export interface TokenFunction {
  readonly function: AbiFunction
  readonly kind: 'transfer' | 'approval'
  readonly token?: number
  /** Who receives, or may spend. */
  readonly to: number
  /** An integer; or a truth value, which approves everything. */
  readonly amount: number
}

function known(signature: string): AbiFunction {
  const read = readSignature(signature)
  if (read === undefined) throw new TypeError(`Cannot read the signature ${signature}`)
  return read
}

const bySelector = <T extends { readonly function: AbiFunction }>(rows: readonly T[]): ReadonlyMap<string, T> =>
  new Map(rows.map(row => [row.function.selector, row]))

type Row = readonly [signature: string, kind: TokenFunction['kind'], to: number, amount: number, token?: number]

/** @see ERC-20, ERC-677, ERC-721, ERC-777, ERC-1363, ERC-2612; Permit2 AllowanceTransfer */
const TOKEN_ROWS: readonly Row[] = [
  ['transfer(address,uint256)', 'transfer', 0, 1],
  ['transferFrom(address,address,uint256)', 'transfer', 1, 2],
  ['transferAndCall(address,uint256)', 'transfer', 0, 1],
  ['transferAndCall(address,uint256,bytes)', 'transfer', 0, 1],
  ['transferFromAndCall(address,address,uint256)', 'transfer', 1, 2],
  ['transferFromAndCall(address,address,uint256,bytes)', 'transfer', 1, 2],
  ['send(address,uint256,bytes)', 'transfer', 0, 1],
  ['transferFrom(address,address,uint160,address)', 'transfer', 1, 2, 3],
  ['approve(address,uint256)', 'approval', 0, 1],
  ['increaseAllowance(address,uint256)', 'approval', 0, 1],
  ['increaseApproval(address,uint256)', 'approval', 0, 1],
  ['approveAndCall(address,uint256)', 'approval', 0, 1],
  ['approveAndCall(address,uint256,bytes)', 'approval', 0, 1],
  ['approve(address,address,uint160,uint48)', 'approval', 1, 2, 0],
  ['permit(address,address,uint256,uint256,uint8,bytes32,bytes32)', 'approval', 1, 2],
  ['permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)', 'approval', 1, 4],
  ['setApprovalForAll(address,bool)', 'approval', 0, 1],
  ['authorizeOperator(address)', 'approval', 0, -1],
]

export const TOKEN_FUNCTIONS: ReadonlyMap<string, TokenFunction> = bySelector(
  TOKEN_ROWS.map(([signature, kind, to, amount, token]) => ({
    function: known(signature),
    kind,
    to,
    amount,
    ...(token === undefined ? {} : { token }),
  })),
)

export const ERC20_TRANSFER = selectorOf('transfer(address,uint256)')
export const ERC20_TRANSFER_FROM = selectorOf('transferFrom(address,address,uint256)')
export const ERC20_APPROVE: ReadonlySet<string> = new Set(
  ['approve(address,uint256)', 'increaseAllowance(address,uint256)'].map(selectorOf),
)
export const ERC20_DECREASE = known('decreaseAllowance(address,uint256)')

/** A call inside the arguments of another. `to` null: the contract itself, in the name of whoever called it. */
export interface InnerCall {
  readonly to: string | null
  readonly valueWei: bigint
  readonly data: string
  /** Operation of a Safe: 0 call, 1 delegatecall, which runs foreign code with all rights of the account. */
  readonly operation: bigint
}

/** `parameters`: what describes the inner calls; they are judged as calls and have no bounds of their own. */
export interface CallingFunction {
  readonly function: AbiFunction
  readonly parameters: readonly number[]
  readonly inner: (values: readonly AbiValue[]) => readonly InnerCall[] | undefined
}

const call = (to: unknown, valueWei: unknown, data: unknown, operation: unknown): InnerCall | undefined =>
  (to === null || typeof to === 'string') &&
  typeof valueWei === 'bigint' &&
  typeof data === 'string' &&
  typeof operation === 'bigint'
    ? { to, valueWei, data, operation }
    : undefined

function every(calls: readonly (InnerCall | undefined)[]): readonly InnerCall[] | undefined {
  const known = calls.filter(one => one !== undefined)
  return known.length === calls.length ? known : undefined
}

const list = (value: AbiValue | undefined): readonly AbiValue[] => (Array.isArray(value) ? value : [])

type Inner = CallingFunction['inner']

const one =
  (to: number, value: number, data: number, operation?: number): Inner =>
  values =>
    every([call(values[to], values[value], values[data], operation === undefined ? 0n : values[operation])])

const onItself =
  (at: number): Inner =>
  values =>
    every(list(values[at]).map(data => call(null, 0n, data, 0n)))

/** A list of tuples; `value` absent: the inner calls carry none. */
const tuples =
  (at: number, to: number, data: number, value?: number): Inner =>
  values =>
    every(
      list(values[at])
        .map(list)
        .map(entry => call(entry[to], value === undefined ? 0n : entry[value], entry[data], 0n)),
    )

/** Lists side by side, which must be of one length. */
const columns =
  (to: number, data: number, value?: number): Inner =>
  values => {
    const [targets, texts] = [list(values[to]), list(values[data])]
    const amounts = value === undefined ? targets.map(() => 0n) : list(values[value])
    if (targets.length !== texts.length || targets.length !== amounts.length) return undefined
    return every(targets.map((target, at) => call(target, amounts[at], texts[at], 0n)))
  }

/** @see Safe 1.4.1, Multicall3, OpenZeppelin Multicall and TimelockController, Uniswap v3 periphery, ERC-4337 SimpleAccount */
const CALLING_ROWS: ReadonlyArray<readonly [signature: string, parameters: readonly number[], inner: Inner]> = [
  ['multicall(bytes[])', [0], onItself(0)],
  ['multicall(uint256,bytes[])', [1], onItself(1)],
  ['multicall(bytes32,bytes[])', [1], onItself(1)],
  [
    'execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)',
    [0, 1, 2, 3],
    one(0, 1, 2, 3),
  ],
  ['execTransactionFromModule(address,uint256,bytes,uint8)', [0, 1, 2, 3], one(0, 1, 2, 3)],
  ['execTransactionFromModuleReturnData(address,uint256,bytes,uint8)', [0, 1, 2, 3], one(0, 1, 2, 3)],
  ['execute(address,uint256,bytes)', [0, 1, 2], one(0, 1, 2)],
  ['execute(address,uint256,bytes,uint8)', [0, 1, 2, 3], one(0, 1, 2, 3)],
  ['execute(address,uint256,bytes,bytes32,bytes32)', [0, 1, 2], one(0, 1, 2)],
  ['schedule(address,uint256,bytes,bytes32,bytes32,uint256)', [0, 1, 2], one(0, 1, 2)],
  ['executeBatch(address[],bytes[])', [0, 1], columns(0, 1)],
  ['executeBatch(address[],uint256[],bytes[])', [0, 1, 2], columns(0, 2, 1)],
  ['executeBatch(address[],uint256[],bytes[],bytes32,bytes32)', [0, 1, 2], columns(0, 2, 1)],
  ['scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)', [0, 1, 2], columns(0, 2, 1)],
  ['executeBatch((address,uint256,bytes)[])', [0], tuples(0, 0, 2, 1)],
  ['aggregate((address,bytes)[])', [0], tuples(0, 0, 1)],
  ['blockAndAggregate((address,bytes)[])', [0], tuples(0, 0, 1)],
  ['tryAggregate(bool,(address,bytes)[])', [1], tuples(1, 0, 1)],
  ['tryBlockAndAggregate(bool,(address,bytes)[])', [1], tuples(1, 0, 1)],
  ['aggregate3((address,bool,bytes)[])', [0], tuples(0, 0, 2)],
  ['aggregate3Value((address,bool,uint256,bytes)[])', [0], tuples(0, 0, 3, 2)],
]

export const CALLING_FUNCTIONS: ReadonlyMap<string, CallingFunction> = bySelector(
  CALLING_ROWS.map(([signature, parameters, inner]) => ({ function: known(signature), parameters, inner })),
)

/** Typed data that somebody else sends as a call, and the fields that describe it. @see Safe 1.4.1, ERC-2771 */
export const NESTED_TYPES: ReadonlyMap<string, readonly string[]> = new Map([
  ['SafeTx', ['to', 'value', 'data', 'operation']],
  ['ForwardRequest', ['to', 'value', 'data']],
])

/** @returns `undefined`: it describes none, or not one that can be read. */
export const callOfTypedData = (message: Readonly<Record<string, unknown>>, paths: readonly string[]) =>
  call(
    message['to'] ?? undefined,
    message['value'],
    message['data'],
    paths.includes('operation') ? message['operation'] : 0n,
  )

/** Who may replace the code or the rule of a contract, and bundles in encodings of their own. `calls` refuses them. */
const SENSITIVE_SIGNATURES: readonly string[] = [
  'upgradeTo(address)',
  'upgradeToAndCall(address,bytes)',
  'upgrade(address,address)',
  'upgradeAndCall(address,address,bytes)',
  'upgradeBeaconToAndCall(address,bytes,bool)',
  'setImplementation(address)',
  'setImplementation(address,bool,bytes)',
  '_setImplementation(address)',
  'setTarget(address)',
  'setBeacon(address,bytes)',
  'setCode(bytes)',
  'changeMasterCopy(address)',
  'changeAdmin(address)',
  'changeProxyAdmin(address,address)',
  'setAdmin(address)',
  'setPendingAdmin(address)',
  'acceptAdmin()',
  'diamondCut((address,uint8,bytes4[])[],address,bytes)',
  'transferOwnership(address)',
  'transferOwnership(address,bool,bool)',
  'acceptOwnership()',
  'renounceOwnership()',
  'setOwner(address)',
  'grantRole(bytes32,address)',
  'revokeRole(bytes32,address)',
  'renounceRole(bytes32,address)',
  'beginDefaultAdminTransfer(address)',
  'acceptDefaultAdminTransfer()',
  'setup(address[],uint256,address,bytes,address,address,uint256,address)',
  'addOwnerWithThreshold(address,uint256)',
  'removeOwner(address,address,uint256)',
  'swapOwner(address,address,address)',
  'changeThreshold(uint256)',
  'enableModule(address)',
  'disableModule(address,address)',
  'setGuard(address)',
  'setModuleGuard(address)',
  'setFallbackHandler(address)',
  'approveHash(bytes32)',
  'simulateAndRevert(address,bytes)',
  'installModule(uint256,address,bytes)',
  'uninstallModule(uint256,address,bytes)',
  'multiSend(bytes)',
  'execute(bytes32,bytes)',
  'execute(bytes,bytes[])',
  'execute(bytes,bytes[],uint256)',
]

/** By selector. */
export const SENSITIVE_FUNCTIONS: ReadonlyMap<string, string> = new Map(
  SENSITIVE_SIGNATURES.map(signature => [selectorOf(signature), signature]),
)
