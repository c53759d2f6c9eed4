import { withSignatures } from '../../chains/stellar/index.ts'
import { malformed, SignerError } from '../../domain/errors.ts'
import type { Proposal } from '../../domain/proposals.ts'
import type { Answered } from '../door.ts'
import { resolveKey } from '../keys.ts'
import { insideOf, leaveTogether, type Pending } from '../release.ts'
import { signersAmong } from '../standing.ts'
import { judgeTogether, type Signature, signTogether, type Wanted } from '../together.ts'
import type { CallerLike, SignAnswer } from '../types.ts'
import { attendTo, type ProposalDeps, type ProposalRequest } from './deps.ts'
import { readCollect, readImport, readNothing } from './input.ts'
import { invalid, requireNoStranger } from './open.ts'
import { keepSignature, tellOf } from './tell.ts'
import { candidatesOf, readSignatures } from './view.ts'

export interface CollectedHere {
  readonly proposal: Proposal
  readonly results: readonly { readonly key: string; readonly signature: Pending<SignAnswer> }[]
}

export type CollectedResult = Signature & { readonly key: string }

/** At the last moment. */
export async function settledEach<C extends CallerLike>(
  { clock, incident }: ProposalDeps<C>['signing'],
  results: CollectedHere['results'],
): Promise<readonly CollectedResult[]> {
  const pending = results.map(({ signature }) => signature)
  const settled = await leaveTogether({ clock, incident }, pending)
  return settled.map((each, at) => ({ key: results[at]?.key ?? '', ...each }))
}

/**
 * Has our keys sign: all that have not, or those that are named. Judged together, so either all may or none does. A key that
 * its service fails can be asked again: the others have signed.
 */
export async function collectFromKeys<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: ProposalRequest,
): Promise<Answered<CollectedHere>> {
  const { signing } = deps
  const { id } = request
  const matter = { event: 'proposal-signed', action: 'propose', read: readCollect } as const
  return attendTo(deps, request, matter, async ({ proposal, input: named }, { caller, actor, note }) => {
    const candidates = candidatesOf(proposal)
    const wanted: Wanted[] = []
    for (const [at, key] of (named ?? proposal.keys).entries()) {
      if (!proposal.keys.includes(key)) {
        throw malformed(`keys[${at}]`, `is no key of this proposal`, `name some of ${proposal.keys.join(', ')}`)
      }
      const version = await versionAmong(deps, key, candidates)
      if (version === undefined) {
        const { address } = (await resolveKey(signing.catalogue, key)).version
        const reason = `has the address ${address} now, which may sign for no account of it`
        throw malformed(`keys[${at}]`, reason, 'open a proposal for the accounts as they are')
      }
      if (await hasSigned(deps, proposal, key)) continue
      const payload = { type: 'stellar-transaction', xdr: proposal.envelope }
      const { version: number, active } = version
      // By number it is another request than the one that this version may have answered while it was the one that signs.
      const which = active ? { key } : { key, version: number }
      const idempotencyKey = `${id}/${key}/${number}${active ? '' : '/by-number'}`
      wanted.push({ field: `keys[${at}]`, ...which, payload, idempotencyKey })
    }
    if (wanted.length === 0) return { proposal, results: [] }
    requireOpen(proposal, signing.clock.now())
    const together = { deps: signing, caller, actor, asking: request }
    const signatures = await signTogether(together, await judgeTogether(together, wanted))
    let after = proposal
    for (const [place, signature] of signatures.entries()) {
      if ('refused' in signature) continue
      const { address: signer, signature: bytes } = insideOf(signature.released) // for the store, which shows and sends it while it stands
      const key = wanted[place]?.key ?? null
      const at = signing.clock.now()
      after = await keepSignature(deps, id, { signer, signature: bytes, key, by: caller.subject, at })
    }
    note({ signed: signatures.filter(each => 'released' in each).length, of: signatures.length })
    return { proposal: after, results: signatures.map((each, at) => ({ key: wanted[at]?.key ?? '', signature: each })) }
  })
}

/**
 * The version of a key that the accounts knew as their signer when it was proposed: the one that signs, or in the overlap of a
 * rotation the one before it, which still may.
 */
async function versionAmong<C extends CallerLike>(
  { signing: { catalogue } }: ProposalDeps<C>,
  key: string,
  candidates: readonly string[],
): Promise<{ readonly version: number; readonly address: string; readonly active: boolean } | undefined> {
  const { version } = await resolveKey(catalogue, key)
  if (candidates.includes(version.address)) return { ...version, active: true }
  const before = (await catalogue.versions(key)).find(each => each.version.state === 'overlap')?.version
  return before !== undefined && candidates.includes(before.address) ? { ...before, active: false } : undefined
}

/**
 * One key is one signer, whichever of its versions has signed: asked again after a rotation it does not make two of one. Where
 * a signature does not stand any more, the next version takes its place.
 */
async function hasSigned<C extends CallerLike>(
  { signing }: ProposalDeps<C>,
  { signatures }: Proposal,
  key: string,
): Promise<boolean> {
  const signers = signatures.map(({ signer }) => signer)
  return (await signersAmong(signing, [key], signers)).some(({ stands }) => stands)
}

/** Before any key is touched; the store asks once more. */
function requireOpen({ id, state, expiresAt }: Proposal, now: number): void {
  if (state !== 'collecting') throw new SignerError('proposal/conflict', { id, reason: `it is ${state}` })
  if (expiresAt <= now) throw new SignerError('proposal/conflict', { id, reason: 'it has expired' })
}

/**
 * Takes signatures of others, as the same transaction with more of them or one by one. Each is verified against the hash
 * and the signers of the accounts; one that is not good, and nothing is taken.
 */
export async function importSignatures<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: ProposalRequest,
): Promise<Answered<Proposal>> {
  const { clock } = deps.signing
  const matter = { event: 'proposal-imported', action: 'propose', read: readImport } as const
  return attendTo(deps, request, matter, async ({ proposal, input }, { caller, note }) => {
    const found = 'xdr' in input ? await fromEnvelope(input.xdr, proposal) : await oneByOne(input.signatures, proposal)
    let after = proposal
    for (const { signer, signature } of found) {
      const collected = { signer, signature, key: null, by: caller.subject, at: clock.now() }
      after = await keepSignature(deps, request.id, collected)
    }
    note({ signers: found.map(({ signer }) => signer).join(' ') })
    return after
  })
}

async function fromEnvelope(xdr: string, proposal: Proposal) {
  const { hash, found, strange } = await readSignatures(xdr, proposal)
  if (hash !== proposal.hash) throw invalid(`is another transaction (${hash}) than the proposed one (${proposal.hash})`)
  requireNoStranger({ strange })
  if (found.length === 0) throw invalid('holds no signature')
  return found
}

async function oneByOne(given: readonly { readonly signer: string; readonly signature: string }[], proposal: Proposal) {
  const candidates = candidatesOf(proposal)
  for (const [at, { signer }] of given.entries()) {
    if (!candidates.includes(signer)) throw invalid('may sign for no account of it', `signatures[${at}].signer`)
  }
  const { found } = await readSignatures(withSignatures(proposal.envelope, given, proposal.network), proposal)
  for (const [at, { signer }] of given.entries()) {
    if (found.some(each => each.signer === signer)) continue
    throw invalid(`does not verify under ${signer}`, `signatures[${at}].signature`)
  }
  return found
}

export async function cancelProposal<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: ProposalRequest,
): Promise<Answered<Proposal>> {
  const { signing, store } = deps
  const matter = { event: 'proposal-cancelled', action: 'propose', read: readNothing } as const
  return attendTo(deps, request, matter, async ({ proposal }, { caller }) => {
    const tell = deps.tells ? tellOf('proposal.cancelled', signing.clock.now()) : undefined
    return store.cancel(proposal.id, `cancelled by ${caller.subject}`, tell)
  })
}
