/** For commands: an approval is checked with files alone, and no service. */
export { type ApprovalTerms, type VerifiedApproval, verifyApproval } from '../approvals/index.ts'
