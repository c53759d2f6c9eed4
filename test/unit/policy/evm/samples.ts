import { encodeFunctionData, getAddress, parseAbi } from 'viem'
import type { EvmTransactionView, TypedDataView } from '../../../../src/domain/evm.ts'
import {
  type EvmFacts,
  type EvmRulesDocument,
  type EvmView,
  evmRulesSchema,
  judgeEvm,
} from '../../../../src/policy/evm/index.ts'

/** Views and policies for the tests of EVM policies. Calls are encoded by viem, which `src/policy` does not know. */

export const CHAIN = 11155111n
export const NOW_MS = 1_790_000_000_500
export const NOW_S = 1_790_000_000n

export const address = (digit: string): string => getAddress(`0x${digit.repeat(40).slice(0, 40)}`)
export const own = address('a1')
export const alice = address('b2')
export const bob = address('c3')
export const stranger = address('d4')
export const usdc = address('11')
export const vault = address('22')
export const safe = address('33')
export const router = address('44')
export const account = address('55')
export const code = address('66')

export const facts: EvmFacts = { now: NOW_MS, keyAddress: own, keyNetwork: 'sepolia', keyChainId: CHAIN }

export const abi = parseAbi([
  'function transfer(address,uint256)',
  'function transferFrom(address,address,uint256)',
  'function approve(address,uint256)',
  'function increaseAllowance(address,uint256)',
  'function decreaseAllowance(address,uint256)',
  'function setApprovalForAll(address,bool)',
  'function permit(address,address,uint256,uint256,uint8,bytes32,bytes32)',
  'function deposit(uint256,address)',
  'function swap((address,uint256,bool)[],bytes,string,int24,bytes4[2])',
  'function multicall(bytes[])',
  'function execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)',
  'function execute(address,uint256,bytes)',
  'function executeBatch(address[],uint256[],bytes[])',
  'function aggregate3((address,bool,bytes)[])',
  'function upgradeTo(address)',
  'function upgradeToAndCall(address,bytes)',
  'function setImplementation(address)',
  'function multiSend(bytes)',
])

export const encode = (functionName: string, args: readonly unknown[]): string =>
  encodeFunctionData<readonly unknown[]>({ abi, functionName, args })

/** As Safe's contract takes it; refunds off. */
export const exec = (to: string, value: bigint, data: string, operation = 0): string =>
  encode('execTransaction', [to, value, data, operation, 0n, 0n, 0n, address('0'), address('0'), '0x'])

export const transaction = (changes: Partial<EvmTransactionView> = {}): EvmTransactionView => ({
  kind: 'evm-transaction',
  network: 'sepolia',
  chainId: CHAIN,
  type: 2,
  from: own,
  to: alice,
  valueWei: 0n,
  nonce: 7n,
  gasLimit: 100_000n,
  maxFeePerGasWei: 10_000_000_000n,
  maxPriorityFeePerGasWei: 1_000_000_000n,
  maxFeePerBlobGasWei: 0n,
  blobs: 0,
  data: '0x',
  accessList: 0,
  authorizations: [],
  ...changes,
})

const ZERO = { between: ['0', '0'] as [string, string] }

/** A hot wallet that pays, moves one token, deposits into a vault, and speaks through a Safe and an account contract. */
export const wallet: EvmRulesDocument = {
  evm: {
    fee: { maxWei: '2000000000000000' },
    maxWei: '1000000000000000000',
    payments: { destinations: [alice, 'self'] },
    calls: [
      {
        to: [vault],
        function: 'deposit(uint256,address)',
        arguments: [{ between: ['1', '500'] }, { addresses: ['self'] }],
      },
      {
        to: [router],
        function: 'swap((address,uint256,bool)[],bytes,string,int24,bytes4[2])',
        arguments: [
          { items: [1, 2], each: { fields: [{ addresses: [usdc, vault] }, { between: ['0', '1000'] }, { is: true }] } },
          { bytes: ['0x', '0xdeadbeef'] },
          { texts: ['memo', ''] },
          { between: ['-100', '100'] },
          { items: [2, 2], each: { bytes: ['0x00000000', '0x12345678'] } },
        ],
        maxWei: '5',
      },
      { to: [vault, account], function: 'multicall(bytes[])', arguments: ['nested'] },
      {
        to: [safe],
        function: 'execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)',
        arguments: [
          'nested',
          'nested',
          'nested',
          'nested',
          ZERO,
          ZERO,
          ZERO,
          { addresses: [address('0')] },
          { addresses: [address('0')] },
          'any',
        ],
      },
      {
        to: [account],
        function: 'execute(address,uint256,bytes)',
        arguments: ['nested', 'nested', 'nested'],
        maxWei: '10',
      },
      {
        to: [account],
        function: 'executeBatch(address[],uint256[],bytes[])',
        arguments: ['nested', 'nested', 'nested'],
      },
      { to: [account], function: 'aggregate3((address,bool,bytes)[])', arguments: ['nested'] },
    ],
    tokens: [
      { token: usdc, maxPerTransaction: '1000', recipients: [alice, bob], senders: ['self'], spenders: [router] },
    ],
  },
}

export const parse = (document: unknown) => evmRulesSchema.parse(document)

/** The first refusal, as policies find it: denials before doubts. Undefined: nobody has anything against it. */
export function refusal(document: unknown, view: EvmView, world: EvmFacts = facts) {
  const judgements = judgeEvm(parse(document), view, world)
  const found =
    judgements.find(({ finding }) => finding?.kind === 'deny') ??
    judgements.find(({ finding }) => finding?.kind === 'undecided')
  return found?.finding === undefined ? undefined : { rule: found.rule, ...found.finding }
}

export const outcome = (document: unknown, view: EvmView, world: EvmFacts = facts): string => {
  const found = refusal(document, view, world)
  return found === undefined ? 'allow' : `${found.kind} ${found.rule}`
}

export const allows = (rules: ReturnType<typeof parse>, view: EvmView, world: EvmFacts = facts): boolean =>
  judgeEvm(rules, view, world).every(({ finding }) => finding === undefined)

/** Permit of ERC-2612 over the token. */
export const permit = (changes: Record<string, unknown> = {}, domain: TypedDataView['domain'] = {}): TypedDataView => ({
  kind: 'typed-data',
  network: 'sepolia',
  domain: { name: 'USD Coin', version: '2', chainId: CHAIN, verifyingContract: usdc, ...domain },
  primaryType: 'Permit',
  message: { owner: own, spender: router, value: 500n, nonce: 0n, deadline: NOW_S + 600n, ...changes },
})

export const permits: EvmRulesDocument = {
  typedData: [
    {
      domain: { name: 'USD Coin', version: '2', chainId: String(CHAIN), verifyingContract: usdc },
      primaryType: 'Permit',
      fields: {
        owner: { addresses: ['self'] },
        spender: { addresses: [router] },
        value: 'any',
        nonce: 'any',
        deadline: 'any',
      },
      permit: { maxAmount: '1000', maxLifetimeSeconds: 3600 },
    },
  ],
}
