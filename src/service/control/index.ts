export { addAdmin, changeAdmin, listAdmins, showAdmin } from './admins.ts'
export { queryAudit } from './audit.ts'
export { askBreakGlass, openBreakGlass, unrevoke, withBreakGlass } from './break-glass.ts'
export {
  activateChange,
  approveChange,
  listChanges,
  proposeChange,
  showChange,
  withdrawChange,
} from './changes.ts'
export {
  type Answered,
  type Asking,
  type Done,
  type Granted,
  type Operation,
  perform,
  performOpen,
  recordStray,
} from './guard.ts'
export { destroy, endQuarantine, keyInShort, listKeys, revoke, showKey, showPolicy, versionNow } from './keys.ts'
export { challenge, openSessionFor } from './login.ts'
export { checkPolicy, diffPolicy, explainPolicy } from './policies.ts'
export type { ControlParts, Visit } from './ports.ts'
export { rotate, showRotation } from './rotation.ts'
export { showStatus } from './status.ts'
export { issuedBefore, issueToken, listTokens, revokeToken } from './tokens.ts'
