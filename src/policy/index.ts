export { type Check, decide, explain, RULE_NAMES } from './decide.ts'
export { diff, directionOf } from './diff.ts'
export { type NamedAllowance, type NamedPlaces, PERMIT2, placesNamedBy } from './evm/index.ts'
export type { Difference } from './differences.ts'
export { ORDINARY_OPERATIONS, SENSITIVE_OPERATIONS } from './fields.ts'
export {
  type GoldenTest,
  parsePolicyFile,
  type Payload,
  type PolicyFile,
  runTests,
  type TestKey,
  type TestResult,
} from './golden.ts'
export { type Checked, checkPolicy, lint, type Warning } from './lint.ts'
export { outgoingOf } from './outgoing.ts'
export {
  defaultPolicy,
  demoEvmPolicy,
  demoPolicy,
  escrowPreset,
  payoutsPreset,
  sorobanOperatorPreset,
  vestingRevocationPreset,
} from './presets.ts'
export type { Facts, PolicyView } from './question.ts'
export { parsePolicy, type Policy, type PolicyDocument, policySchema, readPolicy } from './schema.ts'
