import { toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import { canBeReached, endOf, extraSignersOf, levelsOf, withoutSignatures } from '../../chains/stellar/index.ts'
import { isSignerError, malformed, SignerError } from '../../domain/errors.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import type { Asked } from '../../domain/payload.ts'
import { type NeededWeight, opened, type Proposal } from '../../domain/proposals.ts'
import type { StellarTransactionView } from '../../domain/stellar.ts'
import type { AccountState } from '../../domain/stellar-network.ts'
import { before } from '../deadline.ts'
import { type Answered, attend } from '../door.ts'
import { resolveKey } from '../keys.ts'
import { parsePayload } from '../payloads.ts'
import { readIdempotencyKey } from '../request.ts'
import type { CallerLike } from '../types.ts'
import type { TogetherRequest } from '../together.ts'
import { type ProposalDeps, requireAll } from './deps.ts'
import { type OpenInput, readOpen } from './input.ts'
import { keepSignature, tellOpened } from './tell.ts'
import { readSignatures } from './view.ts'

/**
 * Keeps a transaction until it has the signatures it needs. Those it brings along count once they verify. One
 * Idempotency-Key is one proposal, for good.
 */
export async function openProposal<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: TogetherRequest,
): Promise<Answered<Proposal>> {
  const { signing } = deps
  const { body } = request
  const matter = { event: 'proposal-opened', operation: 'propose', body }
  return attend(signing, request, matter, async ({ caller, peer, note }) => {
    const idempotencyKey = readIdempotencyKey(request.idempotencyKey)
    const input = readOpen(body)
    requireAll(deps, caller, 'propose', input.keys)
    const held = await heldKeys(deps, input.keys)
    const { network } = held[0].key
    const envelope = withoutSignatures(input.xdr, network)
    const payload = { type: 'stellar-transaction', xdr: envelope }
    const asked = parsePayload(payload, held[0])
    for (const each of held) signing.gateway.constrain(caller, () => signing.factsOf(each, asked, peer), 'propose')

    const id = idOf(caller.subject, idempotencyKey)
    const { hash } = asked
    note({ proposal: id, hash, network, keys: input.keys.join(' ') })
    const proposal =
      (await sameAgain(deps, id, hash, input.keys)) ??
      (await openAnew(deps, { id, hash, network, envelope, asked, input, held, proposedBy: caller.subject }))
    return withBrought(deps, proposal, input.xdr, caller.subject)
  })
}

interface Anew extends Pick<Proposal, 'id' | 'hash' | 'network' | 'envelope' | 'proposedBy'> {
  readonly asked: Asked
  readonly input: OpenInput
  readonly held: readonly ResolvedKey[]
}

async function openAnew(deps: ProposalDeps, { asked, input, held, ...about }: Anew): Promise<Proposal> {
  const { signing, store } = deps
  const { id, network, hash } = about
  const now = signing.clock.now()
  const expiresAt = expiryOf(input, viewIn(asked), deps, now)
  const needed = await neededFor(deps, viewIn(asked), network, input.needed)
  requireSigners(held, needed)
  requireNoStranger(await readSignatures(input.xdr, { network, needed }))
  const proposal = { ...about, summary: asked.sentence, keys: input.keys, needed, proposedAt: now, expiresAt }
  try {
    await store.open(proposal, deps.tells ? tellOpened(now) : undefined)
  } catch (error) {
    // The same request at the same time was first.
    const isSecond = isSignerError(error) && error.code === 'proposal/conflict'
    const first = isSecond ? await sameAgain(deps, id, hash, input.keys) : undefined
    if (first === undefined) throw error
    return first
  }
  return opened(proposal)
}

/** With the signatures that its envelope brings along; those of a retry too, for a crash may have come between. */
async function withBrought(deps: ProposalDeps, proposal: Proposal, xdr: string, by: string): Promise<Proposal> {
  const now = deps.signing.clock.now()
  if (proposal.state !== 'collecting' || proposal.expiresAt <= now) return proposal
  const read = await readSignatures(xdr, proposal)
  requireNoStranger(read)
  let after = proposal
  for (const { signer, signature } of read.found) {
    after = await keepSignature(deps, proposal.id, { signer, signature, key: null, by, at: now })
  }
  return after
}

export function requireNoStranger({ strange }: { readonly strange: number }): void {
  if (strange > 0) throw invalid(`holds ${strange} signatures that are of nobody who may sign, or twice of one`)
}

const idOf = (subject: string, idempotencyKey: string): string =>
  `p_${toHex(sha256(new TextEncoder().encode(JSON.stringify([subject, idempotencyKey])))).slice(0, 32)}`

async function sameAgain(
  { store }: ProposalDeps,
  id: string,
  hash: string,
  keys: readonly string[],
): Promise<Proposal | undefined> {
  const known = await store.find(id)
  if (known === undefined) return undefined
  if (known.hash === hash && known.keys.join(' ') === keys.join(' ')) return known
  throw new SignerError('idempotency/mismatch', { reason: 'used before for another proposal' })
}

/** @throws `request/malformed` unless they are Stellar keys of one network and different signers */
async function heldKeys(
  { signing }: ProposalDeps,
  names: readonly string[],
): Promise<readonly [ResolvedKey, ...ResolvedKey[]]> {
  const held: ResolvedKey[] = []
  for (const [at, name] of names.entries()) {
    const each = await resolveKey(signing.catalogue, name)
    const [first = each] = held
    const field = `keys[${at}]`
    if (each.key.chain !== 'stellar') throw malformed(field, 'is no Stellar key', 'name Stellar keys')
    if (each.key.network !== first.key.network) {
      const reason = `is a key of ${each.key.network}, and ${names[0]} one of ${first.key.network}`
      throw malformed(field, reason, 'name keys of one network')
    }
    const twin = held.find(({ version }) => version.address === each.version.address)
    if (twin !== undefined) throw malformed(field, `has the address of ${twin.key.name}`, 'name each signer once')
    held.push(each)
  }
  return held as unknown as readonly [ResolvedKey, ...ResolvedKey[]]
}

/** What a Stellar transaction is parsed to. */
const viewIn = ({ view }: Asked): StellarTransactionView => view as StellarTransactionView

function expiryOf(input: OpenInput, view: StellarTransactionView, { times }: ProposalDeps, now: number): number {
  const { expiresInSeconds } = input
  const wanted = now + (expiresInSeconds === undefined ? times.expiryMs : expiresInSeconds * 1000)
  const expiresAt = Math.min(wanted, endOf(view) ?? wanted)
  if (expiresAt <= now) throw invalid('can never run: its maxTime is over')
  return expiresAt
}

/** As given, held against the transaction, or as the accounts say. */
async function neededFor(
  deps: ProposalDeps,
  view: StellarTransactionView,
  network: string,
  given: readonly NeededWeight[] | undefined,
): Promise<readonly NeededWeight[]> {
  const levels = levelsOf(view)
  const extra = extraSignersOf(view).map(key => ({ account: key, threshold: 1, signers: [{ key, weight: 1 }] }))
  if (given === undefined) {
    const node = deps.network(network)
    if (node === undefined) {
      throw malformed('needed', `is missing, and no node of ${network} is configured to ask`, 'say who must sign')
    }
    const { clock } = deps.signing
    const states = await before(clock, deps.times.askMs, signal =>
      Promise.all(levels.map(({ account }) => node.account(account, signal))),
    )
    const read = levels.map(({ account, level }, at) => needOf(account, level, states[at]))
    const poor = read.find(each => !canBeReached(each))
    if (poor !== undefined) throw invalid(`needs ${poor.threshold} of ${poor.account}, more than its signers have`)
    return [...read, ...extra]
  }
  given.forEach((each, at) => {
    if (!levels.some(({ account }) => account === each.account)) {
      throw malformed(`needed[${at}].account`, 'is no account that this transaction needs', 'leave it out')
    }
    if (!canBeReached(each)) {
      throw malformed(`needed[${at}].threshold`, 'is more than all its signers have together', 'correct the weights')
    }
  })
  const left = levels.find(({ account }) => !given.some(each => each.account === account))
  if (left !== undefined) throw malformed('needed', `lacks ${left.account}`, 'say who signs for each source account')
  return [...given, ...extra]
}

/** A network asks for one signature even at a threshold of 0; an account that is not there yet signs with its own key. */
function needOf(account: string, level: 'low' | 'medium' | 'high', state: AccountState | undefined): NeededWeight {
  if (state === undefined) return { account, threshold: 1, signers: [{ key: account, weight: 1 }] }
  const signers = state.signers.filter(({ weight }) => weight > 0).map(({ key, weight }) => ({ key, weight }))
  return { account, threshold: Math.max(1, state.thresholds[level]), signers }
}

function requireSigners(held: readonly ResolvedKey[], needed: readonly NeededWeight[]): void {
  held.forEach(({ version }, at) => {
    if (needed.some(({ signers }) => signers.some(({ key }) => key === version.address))) return
    const reason = `has the address ${version.address}, which may sign for no account of this transaction`
    throw malformed(`keys[${at}]`, reason, 'leave it out')
  })
}

export const invalid = (reason: string, field = 'xdr') => new SignerError('payload/invalid', { field, reason })
