import { SignerError } from '../domain/errors.ts'
import { type CollectedSignature, type NeededWeight, type Proposal, PROPOSAL_STATES } from '../domain/proposals.ts'

/** Rules about proposals that every store keeps, whatever it is made of. Web APIs only. */

/** The protocol's limit on signatures of one envelope. */
export const SIGNATURES_MAX = 20

export const conflict = (id: string, reason: string) => new SignerError('proposal/conflict', { id, reason })
export const unknownProposal = (id: string) => new SignerError('proposal/unknown', { id })

export const waitsAlready = (id: string) => conflict(id, 'the same transaction waits already')
export const idTaken = (id: string) => conflict(id, 'its id is taken')

/** Nobody can add to it any more, and nobody has it. */
export const isOver = ({ state, expiresAt }: Proposal, now: number): boolean =>
  state === 'collecting' && expiresAt <= now

function requireCollecting(of: Proposal, now: number): void {
  if (of.state !== 'collecting') throw conflict(of.id, stateText(of))
  if (isOver(of, now)) throw conflict(of.id, 'it has expired')
}

const stateText = ({ state, outcome }: Proposal): string => {
  if (state === 'executing') return 'it is executing'
  return outcome === null ? `it is ${state}` : `it is ${state}: ${outcome}`
}

/** @returns false when the very same signature is there already */
export function checkCollect(of: Proposal, { signer, signature }: CollectedSignature, now: number): boolean {
  const held = of.signatures.find(each => each.signer === signer)
  if (held?.signature === signature) return false
  requireCollecting(of, now)
  if (held !== undefined) throw conflict(of.id, `${signer} has signed it already`)
  if (of.signatures.length >= SIGNATURES_MAX) {
    throw conflict(of.id, `it holds ${of.signatures.length} signatures; there is no room for another`)
  }
  return true
}

export const mayTake = (of: Proposal, now: number): boolean =>
  of.state === 'executing' ? (of.leaseUntil ?? now) <= now : of.state === 'collecting' && of.expiresAt > now

export function checkSettle(of: Proposal, leaseUntil: number): void {
  if (of.state !== 'executing') throw conflict(of.id, stateText(of))
  if (of.leaseUntil !== leaseUntil) throw conflict(of.id, 'another process has taken it meanwhile')
}

export function checkCancel(of: Proposal): void {
  if (of.state !== 'collecting') throw conflict(of.id, stateText(of))
}

const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** Frozen all the way down. @throws `store/unavailable` for a row that is not whole */
export function checkProposal(proposal: Proposal): Proposal {
  const { id, keys, needed, signatures, state, leaseUntil, proposedAt, expiresAt } = proposal
  const whole =
    [id, proposal.network, proposal.hash, proposal.envelope, proposal.proposedBy].every(isText) &&
    PROPOSAL_STATES.includes(state) &&
    (leaseUntil !== null) === (state === 'executing') &&
    isTime(proposedAt) &&
    isTime(expiresAt) &&
    Array.isArray(keys) &&
    keys.every(isText) &&
    Array.isArray(needed) &&
    needed.every(
      ({ account, threshold, signers }: NeededWeight) =>
        isText(account) &&
        isTime(threshold) &&
        Array.isArray(signers) &&
        (signers as NeededWeight['signers']).every(({ key, weight }) => isText(key) && isTime(weight)),
    )
  if (!whole) throw new SignerError('store/unavailable', { reason: `the record of proposal ${id} is not whole` })
  return Object.freeze({
    ...proposal,
    keys: Object.freeze([...keys]),
    needed: Object.freeze(
      proposal.needed.map(({ account, threshold, signers }) =>
        Object.freeze({
          account,
          threshold,
          signers: Object.freeze(signers.map(({ key, weight }) => Object.freeze({ key, weight }))),
        }),
      ),
    ),
    signatures: Object.freeze(signatures.map(each => Object.freeze({ ...each })).toSorted(byAge)),
  })
}

const byAge = (a: CollectedSignature, b: CollectedSignature): number => a.at - b.at || (a.signer < b.signer ? -1 : 1)

/** Newest first. */
export const byNewest = (a: Proposal, b: Proposal): number => b.proposedAt - a.proposedAt || (a.id < b.id ? -1 : 1)
