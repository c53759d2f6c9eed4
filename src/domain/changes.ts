/** A change of a policy on its way: proposed, approved by people, activated. */

export interface PolicyChange {
  readonly id: string
  readonly key: string
  /** Hash of the policy it replaces; when another is in force by then, the change is void. */
  readonly fromHash: string
  readonly toHash: string
  /** Canonical JSON text. */
  readonly toText: string
  /** The golden tests it was proposed with, canonical JSON text of a list: they pass again before it comes in force. */
  readonly testsText: string
  /** `tightening`: nothing is allowed afterwards that was not allowed before. Everything else is a loosening. */
  readonly direction: 'tightening' | 'loosening'
  readonly proposedBy: string
  /** Milliseconds since the epoch. */
  readonly proposedAt: number
  readonly expiresAt: number
  readonly state: 'proposed' | 'activated' | 'withdrawn'
  readonly approvals: readonly Approval[]
}

/** A signature by an approver over the exact change: `changeText` in `src/access/approval.ts`. */
export interface Approval {
  readonly address: string
  /** Base64 (Ed25519) or 0x hex (EIP-191). */
  readonly signature: string
  readonly at: number
}

export interface ChangeStore {
  /** @throws `change/conflict` when the id is taken */
  propose(change: Omit<PolicyChange, 'state' | 'approvals'>): Promise<void>
  find(id: string): Promise<PolicyChange | undefined>
  list(key: string | undefined, limit: number): Promise<readonly PolicyChange[]>
  /** One approval an address. @throws `change/unknown`, `change/conflict` unless it is still proposed */
  approve(id: string, approval: Approval): Promise<PolicyChange>
  /**
   * One atomic step: the key gets the new policy if it still has the old one, and the change is done.
   * @throws `change/unknown`; `change/conflict` when the policy in force is another, or the change is not proposed any more
   */
  activate(id: string, at: number): Promise<PolicyChange>
  withdraw(id: string): Promise<PolicyChange>
}
