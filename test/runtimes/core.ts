/** The portable core, as somebody who runs it on the edge imports it: everything that signs, and no test. */
export { authorize } from '../../src/access/authorize.ts'
export { createTokenVerifier } from '../../src/access/tokens.ts'
export { openAuditLog } from '../../src/audit/open.ts'
export { verifyAuditLog } from '../../src/audit/verify.ts'
export { createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
export { demoPolicy, parsePolicy } from '../../src/policy/index.ts'
export { createSigner } from '../../src/service/signer.ts'
export { openMemoryStore } from '../../src/store/memory.ts'
