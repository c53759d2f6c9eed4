import { ORDINARY_OPERATIONS } from './fields.ts'
import { type Policy, type PolicyDocument, parsePolicy } from './schema.ts'

const STRICT: PolicyDocument = { version: 1 }

/**
 * What `dev` gives its keys: everyday operations on the test network, from any account to any account, up to 10,000 of
 * an asset in one operation and 100,000 in one transaction, fees up to 10 XLM, fee bumps, any memo, with or without
 * time bounds (stellar-cli writes none). Nothing that changes control of an account, no contracts.
 */
const DEMO: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ORDINARY_OPERATIONS.filter(type => type !== 'invokeHostFunction'),
  fee: { maxStroops: '100000000' },
  feeBump: true,
  timeBounds: 'any',
  sources: 'any',
  memo: ['text', 'id', 'hash', 'return'],
  payments: {
    destinations: 'any',
    muxed: 'any',
    assets: [{ asset: 'any', maxPerOperation: '10000', maxPerTransaction: '100000' }],
  },
}

/** The policy of a new key: it denies everything until its operator says otherwise. */
export const defaultPolicy = (): Policy => parsePolicy(STRICT)

/** For development keys only. */
export const demoPolicy = (): Policy => parsePolicy(DEMO)
