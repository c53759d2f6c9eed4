/** An execution approval: a statement for programs elsewhere, canonical JSON (RFC 8785), signed as a JWS (RFC 7515). */
export interface ExecutionApprovalView {
  readonly kind: 'approval'
  /** Our name of the network the key is bound to; an approval itself is for no chain. */
  readonly network: string
  /** What is approved, such as `escrow.release`: lower case words, digits and `.-_`, 1 to 64 characters. */
  readonly action: string
  /** Who is to act on it (`aud`). */
  readonly audience: string
  /** About what (`sub`), 1 to 256 printable characters. */
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** Joins it with the request it answers. */
  readonly correlationId: string
  /** Whatever else is approved: strict JSON, as it stands in what is signed. */
  readonly details: Readonly<Record<string, unknown>>
}
