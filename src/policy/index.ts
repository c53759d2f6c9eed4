export { type Check, decide, explain, type Facts, RULE_NAMES } from './decide.ts'
export { ORDINARY_OPERATIONS, SENSITIVE_OPERATIONS } from './fields.ts'
export { defaultPolicy, demoPolicy } from './presets.ts'
export { parsePolicy, type Policy, type PolicyDocument, policySchema, readPolicy } from './schema.ts'
