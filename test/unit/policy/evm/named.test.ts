/** Where an account may have left something, as its policy tells. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getAddress } from 'viem'
import {
  type NamedPlaces,
  parsePolicy,
  PERMIT2,
  placesNamedBy,
  type PolicyDocument,
} from '../../../../src/policy/index.ts'

const at = (digit: string): string => getAddress(`0x${digit.repeat(40)}`)
const [A, B, C, D, E] = ['a', 'b', 'c', 'd', 'e'].map(at) as [string, string, string, string, string]
const NOTHING: NamedPlaces = { tokens: [], allowances: [], permits: [], operators: [], contracts: [], open: [] }
const named = (policy: Omit<PolicyDocument, 'version'>) => placesNamedBy(parsePolicy({ version: 1, ...policy }).rules)
const pair = (token: string, spender: string) => ({ token, spender })
const domain = (verifyingContract: string) => ({ name: 'x', version: null, chainId: '1', verifyingContract })

const CASES: readonly (readonly [
  what: string,
  policy: Omit<PolicyDocument, 'version'>,
  found: Partial<NamedPlaces>,
])[] = [
  ['nothing', {}, {}],
  ['payments', { evm: { payments: { destinations: 'any' }, maxWei: '1' } }, {}],
  [
    'tokens, each with its spenders, of which the account itself is none',
    {
      evm: {
        tokens: [
          { token: A, maxPerTransaction: '1', spenders: ['self', C, PERMIT2] },
          { token: B, maxPerTransaction: '0' },
        ],
      },
    },
    { tokens: [A, B], allowances: [pair(A, C), pair(A, PERMIT2)] },
  ],
  [
    'calls that move tokens and approve',
    {
      evm: {
        calls: [
          { to: [A, B], function: 'transfer(address,uint256)', arguments: ['any', 'any'] },
          {
            to: [A],
            function: 'approve(address,uint256)',
            arguments: [{ addresses: [C, 'self'] }, { between: ['0', '1'] }],
          },
          { to: [B], function: 'increaseAllowance(address,uint256)', arguments: ['any', { between: ['0', '1'] }] },
        ],
      },
    },
    { tokens: [A, B], allowances: [pair(A, C)], contracts: [A, B], open: [B] },
  ],
  [
    'operators, by a truth value or without one',
    {
      evm: {
        calls: [
          { to: [A], function: 'setApprovalForAll(address,bool)', arguments: [{ addresses: [C] }, { is: false }] },
          { to: [B], function: 'setApprovalForAll(address,bool)', arguments: ['any', { is: false }] },
          {
            to: [D],
            function: 'authorizeOperator(address)',
            arguments: [{ addresses: [C] }],
            unlimitedApprovals: true,
          },
        ],
      },
    },
    { operators: [pair(A, C), pair(D, C)], contracts: [A, B, D], open: [B] },
  ],
  [
    'calls of Permit2, which is no contract with roles',
    {
      evm: {
        calls: [
          {
            to: [PERMIT2],
            function: 'approve(address,address,uint160,uint48)',
            arguments: [{ addresses: [A, B] }, { addresses: [C] }, { between: ['0', '9'] }, 'any'],
          },
          {
            to: [PERMIT2],
            function: 'transferFrom(address,address,uint160,address)',
            arguments: ['any', 'any', 'any', { addresses: [E] }],
          },
        ],
      },
    },
    { tokens: [A, B, E], permits: [pair(A, C), pair(B, C)] },
  ],
  [
    'permits: of the token itself, by Permit2 one or many, and transfers by signature, which leave nothing behind',
    {
      typedData: [
        { domain: domain(A), primaryType: 'Permit', fields: { spender: { addresses: [C] } } },
        { domain: domain(B), primaryType: 'Permit', fields: { spender: 'any' } },
        {
          domain: domain(PERMIT2),
          primaryType: 'PermitSingle',
          fields: { 'details.token': { addresses: [A] }, spender: { addresses: [C] } },
        },
        {
          domain: domain(PERMIT2),
          primaryType: 'PermitBatch',
          fields: { details: { entries: [1, 2] }, 'details[].token': { addresses: [D] }, spender: 'any' },
        },
        {
          domain: domain(PERMIT2),
          primaryType: 'PermitTransferFrom',
          fields: { 'permitted.token': { addresses: [E] }, spender: { addresses: [C] } },
        },
        {
          domain: domain(C),
          primaryType: 'PermitSingle',
          fields: { 'details.token': { addresses: [B] }, spender: { addresses: [C] } },
        },
      ],
    },
    {
      tokens: [A, B, D, E],
      allowances: [pair(A, C), pair(A, PERMIT2), pair(D, PERMIT2), pair(E, PERMIT2)],
      permits: [pair(A, C)],
      open: [B, D],
    },
  ],
  [
    'tokens that leave by signature alone (ERC-3009)',
    {
      typedData: ['TransferWithAuthorization', 'ReceiveWithAuthorization'].map((primaryType, at) => ({
        domain: domain(at === 0 ? A : B),
        primaryType,
        fields: { to: 'any' as const },
      })),
    },
    { tokens: [A, B] },
  ],
  [
    'a Safe whose transactions it signs, and other contracts that take its word',
    {
      typedData: [
        {
          domain: { name: null, version: null, chainId: '1', verifyingContract: A },
          primaryType: 'SafeTx',
          fields: { to: 'nested', value: 'nested', data: 'nested', operation: 'nested' },
        },
        { domain: domain(B), primaryType: 'Order', fields: {} },
      ],
    },
    { contracts: [A, B] },
  ],
  [
    'Permit2 for any token, which leaves open what there may be',
    {
      evm: {
        calls: [
          {
            to: [PERMIT2],
            function: 'approve(address,address,uint160,uint48)',
            arguments: ['any', { addresses: [C] }, { between: ['0', '9'] }, 'any'],
          },
        ],
      },
    },
    { open: [PERMIT2] },
  ],
  [
    'permits of Permit2 for any token',
    {
      typedData: [
        { domain: domain(PERMIT2), primaryType: 'PermitSingle', fields: { 'details.token': 'any', spender: 'any' } },
      ],
    },
    { open: [PERMIT2] },
  ],
  [
    'sensitive calls',
    { evm: { sensitiveCalls: [{ to: [A], function: 'transferOwnership(address)', arguments: ['any'] }] } },
    { contracts: [A] },
  ],
]

for (const [what, policy, found] of CASES) {
  test(`M-64 a policy names ${what}`, () => assert.deepEqual(named(policy), { ...NOTHING, ...found }))
}
