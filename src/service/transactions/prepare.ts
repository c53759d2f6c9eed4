import {
  type AskedAuthorization,
  authorizationAt,
  buildCall,
  type CallPlan,
  completeCall,
  feeBumpOf,
  readAuthorization,
  returnedJson,
} from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import type { Asked } from '../../domain/payload.ts'
import type { InvocationView } from '../../domain/stellar.ts'
import type { AccountState, Simulation, StellarNetwork } from '../../domain/stellar-network.ts'
import type { PreparedTransaction, TransactionTemplate } from '../../domain/transactions.ts'
import { explainAsked } from '../explain.ts'
import { resolveKey } from '../keys.ts'
import { parsePayload } from '../payloads.ts'
import type { CallerLike } from '../types.ts'
import { fillTemplate } from './arguments.ts'
import type { NeededKey, PreparedAnswer, TransactionParts } from './types.ts'

/** What was decided, and what people and policies make of it. */
export interface Preparation {
  readonly prepared: PreparedTransaction
  readonly held: ReadonlyMap<string, ResolvedKey>
  readonly asked: Asked
  readonly fee: PreparedAnswer['fee']
  readonly simulated: unknown
}

interface Order {
  readonly template: TransactionTemplate
  readonly arguments: Readonly<Record<string, unknown>>
  readonly network: StellarNetwork
  /** Asked for every key that will have to sign, as soon as it is known. @throws `access/denied` */
  mayUse(key: string): void
  readonly signal: AbortSignal
}

/** A ledger closes about every five seconds; sooner, and an authorization must still outlive its transaction. */
const LEDGER_SECONDS = 4
/** The least that inclusion costs, in stroops; under a fee bump the inner transaction offers no more. */
const LEAST_FEE = 100

/**
 * A call of a template, with the sequence number, resources, fees and authorizations that it needs now; nothing is signed.
 * What the node asks for is compared with the template: no authorization beyond the call itself and what the template lists,
 * no resource fee above its cap, whoever would have to sign has a key here.
 *
 * @throws `request/malformed` for an argument out of bounds; `transaction/rejected` with `simulation-failed`,
 *         `restore-needed`, `resource-fee`, `authorization` or `no-account`; `network/*`; `key/*`; what `mayUse` throws
 */
export async function prepareCall<C extends CallerLike>(
  parts: TransactionParts<C>,
  order: Order,
): Promise<Preparation> {
  const { template, network, signal } = order
  const { clock } = parts.room.deps
  const held = await keysOf(parts, template)
  const named = (key: string): ResolvedKey => keyNamed(held, key)
  for (const key of [template.source, ...(template.feeSource === undefined ? [] : [template.feeSource])])
    order.mayUse(key)
  const source = named(template.source).version.account
  const filled = fillTemplate(order.arguments, {
    template,
    signers: new Set([...template.signers.keys(), source]),
    accountOf: key => named(key).version.account,
  })
  const account = await network.account(source, signal)
  if (account === undefined) {
    throw rejected(network.name, 'no-account', `the source account ${source} does not exist on this network`)
  }
  const bumped = template.feeSource !== undefined
  const expiresAt = (Math.floor(clock.now() / 1000) + template.validSeconds) * 1000
  const plan: CallPlan = {
    source,
    sequence: nextSequence(network.name, account),
    contract: filled.contract,
    function: template.function,
    arguments: filled.arguments,
    fee: bumped ? LEAST_FEE : template.maxFee,
    maxTime: BigInt(expiresAt / 1000),
  }
  const simulation = await network.simulate(buildCall(plan), signal)
  checkLedger(network.name, simulation, parts.room.reading.ledgerOf(template.network))
  checkResources(network.name, template, simulation)
  const authorizations = simulation.authorizations.map(text => readable(network.name, () => readAuthorization(text)))
  const envelope = readable(network.name, () =>
    completeCall(plan, {
      transactionData: simulation.transactionData,
      resourceFee: simulation.minResourceFee,
      authorizations: simulation.authorizations,
      expirationLedger: simulation.latestLedger + Math.ceil(template.validSeconds / LEDGER_SECONDS) + 1,
    }),
  )
  const payload = { type: 'stellar-transaction', xdr: envelope }
  const asked = parsePayload(payload, named(template.source))
  checkTrees(network.name, template, asked, authorizations, source)
  const authorizers = authorizations.flatMap(({ address }, entry) =>
    address === null ? [] : [{ entry, key: signerOf(network.name, template, address) }],
  )
  checkDemanded(network.name, filled.demanded, authorizations, source)
  for (const { key } of authorizers) order.mayUse(key)
  const total = BigInt(template.maxFee) + simulation.minResourceFee
  return {
    prepared: {
      network: template.network,
      template: template.name,
      envelope,
      hash: asked.hash,
      authorizers,
      signers: [template.source],
      source: template.source,
      feeSource: template.feeSource ?? null,
      feeBump: bumped ? String(total) : null,
      expiresAt,
    },
    held,
    asked,
    fee: { inclusion: String(template.maxFee), resource: String(simulation.minResourceFee), total: String(total) },
    simulated:
      simulation.result === undefined ? undefined : readable(network.name, () => returnedJson(simulation.result ?? '')),
  }
}

/** @throws `key/unknown` */
export function keyNamed(held: Preparation['held'], key: string): ResolvedKey {
  const found = held.get(key)
  if (found === undefined) throw new SignerError('key/unknown', { key })
  return found
}

/** Every key that the template names, as it stands now. @throws `key/unknown`, `key/mismatch` */
async function keysOf<C extends CallerLike>(
  { room: { deps } }: TransactionParts<C>,
  template: TransactionTemplate,
): Promise<ReadonlyMap<string, ResolvedKey>> {
  const { source, feeSource, signers, network } = template
  const names = new Set([source, ...(feeSource === undefined ? [] : [feeSource]), ...signers.values()])
  for (const { key } of template.arguments) if (key !== undefined) names.add(key)
  const held = new Map<string, ResolvedKey>()
  for (const name of names) {
    const found = await resolveKey(deps.catalogue, name)
    if (found.key.chain !== 'stellar' || found.key.network !== network) {
      const reason = `the template ${template.name} is for the network ${network}`
      throw new SignerError('key/unsupported', { key: name, wanted: network, reason })
    }
    held.set(name, found)
  }
  for (const [address, name] of signers) {
    if (held.get(name)?.version.account === address) continue
    const reason = `the template ${template.name} names it for ${address}, which is not the account it signs for now`
    throw new SignerError('key/mismatch', { key: name, reason })
  }
  return held
}

const SEQUENCE_MAX = 2n ** 63n - 1n

function nextSequence(network: string, { sequence }: AccountState): bigint {
  if (sequence >= 0n && sequence < SEQUENCE_MAX) return sequence + 1n
  throw new SignerError('network/malformed', { network, reason: `the sequence number ${sequence} has no next one` })
}

/** About twenty minutes, for a network that was not heard of so long. */
const LEDGERS_AHEAD_MAX = 240

/** The ledger that authorizations expire with is counted from there: one that is still to come keeps them good for later. */
function checkLedger(network: string, { latestLedger }: Simulation, known: number | undefined): void {
  if (known === undefined || latestLedger <= known + LEDGERS_AHEAD_MAX) return
  const reason = `the simulation is of ledger ${latestLedger}, and the last that is known is ${known}`
  throw new SignerError('network/malformed', { network, reason })
}

function checkResources(network: string, template: TransactionTemplate, simulation: Simulation): void {
  if (simulation.restore !== undefined) {
    const reason = 'entries that the call uses are archived and have to be restored first'
    throw rejected(network, 'restore-needed', reason)
  }
  const { maxResourceFee } = template
  if (simulation.minResourceFee > BigInt(maxResourceFee)) {
    const reason = `its resources cost ${simulation.minResourceFee} stroops; the template allows ${maxResourceFee}`
    throw rejected(network, 'resource-fee', reason)
  }
}

/** A node that would like more signed than the call needs gets none. */
function checkTrees(
  network: string,
  { authorizes }: TransactionTemplate,
  { view }: Asked,
  authorizations: readonly AskedAuthorization[],
  source: string,
): void {
  const operation = view.kind === 'transaction' ? view.operations[0] : undefined
  const call = operation?.type === 'invokeHostFunction' ? operation.invocation : undefined
  const isCall = (invocation: InvocationView): boolean => call !== undefined && textOf(invocation) === textOf(call)
  const isListed = (invocation: InvocationView): boolean =>
    invocation.kind === 'call' &&
    authorizes.some(
      ({ contract, functions }) => contract === invocation.contract && functions.includes(invocation.function),
    )
  for (const { invocations } of authorizations) {
    const stray = invocations.find(invocation => !isCall(invocation) && !isListed(invocation))
    if (stray === undefined) continue
    const what = stray.kind === 'call' ? `${stray.function} of ${stray.contract}` : stray.kind
    throw rejected(network, 'authorization', `it asks to authorize ${what}, which the template does not list`)
  }
  // The call runs once: what a second authorization of it leaves over, others could run it again with.
  const whole = authorizations.filter(({ invocations: [root] }) => root !== undefined && isCall(root))
  const each = whole.map(({ address }) => address ?? source)
  const twice = each.find((address, at) => each.indexOf(address) < at)
  if (twice === undefined || call?.kind !== 'call') return
  throw rejected(network, 'authorization', `it asks ${twice} twice to authorize ${call.function} of ${call.contract}`)
}

const textOf = (invocation: InvocationView): string =>
  JSON.stringify(invocation, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

function signerOf(network: string, { name, signers }: TransactionTemplate, address: string): string {
  const key = signers.get(address)
  if (key !== undefined) return key
  throw rejected(network, 'authorization', `it needs ${address}, and the template ${name} has no key for that`)
}

/** Whoever is named as signer of the call has to be asked by the contract: otherwise the caller is mistaken about it. */
function checkDemanded(
  network: string,
  demanded: ReadonlySet<string>,
  authorizations: readonly AskedAuthorization[],
  source: string,
): void {
  const asked = new Set(authorizations.map(({ address }) => address ?? source))
  for (const address of demanded) {
    if (asked.has(address)) continue
    throw rejected(network, 'authorization', `the contract does not ask for the authorization of ${address}`)
  }
}

export const rejected = (network: string, resultCode: string, reason: string): SignerError<'transaction/rejected'> =>
  new SignerError('transaction/rejected', { network, resultCode, reason })

/** What cannot be read of an answer is the fault of whoever gave it. */
function readable<T>(network: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const reason = 'the simulation holds what cannot be read'
    throw new SignerError('network/malformed', { network, reason }, { cause })
  }
}

/** For people, with what the policy of each key says now. */
export async function showPreparation<C extends CallerLike>(
  { room: { deps, reading } }: TransactionParts<C>,
  { prepared, held, asked, fee, simulated }: Preparation,
): Promise<PreparedAnswer> {
  const now = deps.clock.now()
  const judged = async (key: string, role: NeededKey['role'], of: (held: ResolvedKey) => Asked): Promise<NeededKey> => {
    const resolved = keyNamed(held, key)
    const policy = reading.policyOf(resolved)
    const { decision, rule, reason } = await explainAsked(
      reading.claims,
      policy,
      resolved,
      of(resolved),
      now,
      reading.ledgerOf(resolved.key.network),
    )
    const why = { ...(rule === undefined ? {} : { rule }), ...(reason === undefined ? {} : { reason }) }
    const { address, account } = resolved.version
    return { key, address, account, role, decision, ...why }
  }
  const keys: NeededKey[] = []
  for (const { entry, key } of prepared.authorizers) {
    const payload = { type: 'stellar-auth-entry', entry: authorizationAt(prepared.envelope, entry) }
    keys.push(await judged(key, 'authorization', resolved => parsePayload(payload, resolved)))
  }
  keys.push(await judged(prepared.source, 'source', () => asked))
  const { feeSource, feeBump } = prepared
  if (feeSource !== null && feeBump !== null) {
    const bump = (resolved: ResolvedKey): Asked => {
      const payload = {
        type: 'stellar-transaction',
        xdr: feeBumpOf(prepared.envelope, resolved.version.account, BigInt(feeBump)),
      }
      return parsePayload(payload, resolved)
    }
    keys.push(await judged(feeSource, 'fee-source', bump))
  }
  return {
    template: prepared.template ?? '',
    network: prepared.network,
    hash: prepared.hash,
    xdr: prepared.envelope,
    summary: asked.sentence,
    sentences: asked.describe().sentences,
    fee,
    keys,
    expires: new Date(prepared.expiresAt ?? 0).toISOString(),
    ...(simulated === undefined ? {} : { simulated }),
  }
}
