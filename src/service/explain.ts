import type { SpendClaim } from '../domain/claims.ts'
import type { Decision } from '../domain/audit.ts'
import type { ResolvedKey } from '../domain/key.ts'
import type { ClaimStore } from '../domain/claims.ts'
import { type Check, decide, explain, type Facts, type Policy } from '../policy/index.ts'
import type { Asked } from '../domain/payload.ts'
import { pinnedChain } from './networks.ts'

/** A dry run: what the path of a signature would decide, and why. Nothing is claimed, nothing is signed. */
export interface Explanation {
  readonly decision: Decision['kind']
  readonly policyHash: string
  /** The rule that decided, unless it allows. */
  readonly rule?: string
  readonly reason?: string
  readonly summary: string
  /** A plain sentence for each operation, call or part. */
  readonly sentences: readonly string[]
  /** SEP-51 JSON, or what stands for it on another chain. */
  readonly payload: unknown
  /** Hex; what a signature would cover. */
  readonly hash: string
  readonly checks: readonly Check[]
  /** Room in the spend windows it would take from, as it is now. Whole numbers of the smallest unit. */
  readonly windows: readonly {
    readonly counter: string
    readonly seconds: number
    readonly amount: string
    readonly used: string
    readonly limit: string
  }[]
}

export async function explainAsked(
  claims: Pick<ClaimStore, 'used'>,
  policy: Policy,
  held: ResolvedKey,
  asked: Asked,
  now: number,
  ledger?: number,
): Promise<Explanation> {
  const facts = factsFor(held, now, ledger)
  const decision = decide(policy, asked.view, facts)
  const spends = decision.kind === 'allow' ? (decision.spends ?? []) : []
  const used = await claims.used(spends, now)
  const full = spends.find((claim, at) => (used[at] ?? 0n) + claim.amount > claim.limit)
  const human = asked.describe()
  const found = full === undefined ? decision : exceeded(policy.hash, full)
  return {
    decision: found.kind,
    policyHash: policy.hash,
    ...(found.kind === 'allow' ? {} : { rule: found.rule, reason: found.reason }),
    summary: asked.sentence,
    sentences: human.sentences,
    payload: human.json,
    hash: asked.hash,
    checks: explain(policy, asked.view, facts),
    windows: spends.map((claim, at) => ({
      counter: claim.counter,
      seconds: claim.windowMs / 1000,
      amount: String(claim.amount),
      used: String(used[at] ?? 0n),
      limit: String(claim.limit),
    })),
  }
}

export const factsFor = (
  { key, version }: Pick<ResolvedKey, 'key' | 'version'>,
  now: number,
  ledger?: number,
): Facts => ({
  now,
  keyAddress: version.address,
  keyAccount: version.account,
  keyName: key.name,
  keyNetwork: key.network,
  ...pinnedChain({ key }),
  ...(ledger === undefined ? {} : { ledger }),
})

const exceeded = (policyHash: string, { rule, limit, windowMs }: SpendClaim) =>
  ({
    kind: 'deny',
    policyHash,
    rule,
    reason: `there is no room for it in the window: ${limit} in ${windowMs / 1000} seconds is the limit`,
  }) as const
