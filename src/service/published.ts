/** What the data plane tells everybody about keys that approve: programs elsewhere check approvals with it. */
import { entryOf, jwksOf, type KeyEntry, type MetadataKey, signMetadata } from '../approvals/index.ts'
import type { DatedVersion, Key } from '../domain/key.ts'
import type { Clock, KeyCatalogue } from '../domain/ports.ts'
import { readPolicy } from '../policy/index.ts'

export interface PublishedDeps {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly catalogue: Pick<KeyCatalogue, 'versions'>
  /** Signs the document. */
  readonly key: MetadataKey
  /** `iss` of the document. */
  readonly issuer: string
  /** How long the document is good. */
  readonly lifeSeconds: number
}

export interface Published {
  /** JSON of the key set (RFC 7517). */
  jwks(): Promise<string>
  /** The signed document, a JWS in compact form. */
  metadata(): Promise<string>
}

/** Anybody may ask as often as they like: the registry is read and a document signed once in this time. */
const KEPT_MS = 1_000

/**
 * A key is published when its policy grants approvals, with all its versions; of other keys there is no trace.
 * @throws `store/unavailable`, `key/mismatch`
 */
export function createPublished({ clock, catalogue, key, issuer, lifeSeconds }: PublishedDeps): Published {
  const approves = approving()
  const entries = async (): Promise<readonly KeyEntry[]> =>
    (await catalogue.versions()).filter(each => approves(each.key)).map((each: DatedVersion) => entryOf(each))
  return {
    jwks: kept(clock, async () => JSON.stringify(jwksOf(await entries()))),
    metadata: kept(clock, async () => {
      const iat = Math.floor(clock.now() / 1000)
      return signMetadata(key, { iss: issuer, iat, exp: iat + lifeSeconds, keys: await entries() })
    }),
  }
}

/** Parsed once for each hash: a policy never changes under its hash. One that cannot be read grants nothing. */
function approving(): (key: Key) => boolean {
  const known = new Map<string, boolean>()
  return ({ policy, policyHash }) => {
    const before = known.get(policyHash)
    if (before !== undefined) return before
    const grants = grantsApprovals(policy)
    known.set(policyHash, grants)
    return grants
  }
}

function grantsApprovals(text: string): boolean {
  try {
    const { approvals = [] } = readPolicy(text).rules
    return approvals.length > 0
  } catch {
    return false
  }
}

/** One answer for all who ask at the same time or shortly after; a failure is not kept. */
function kept<T>(clock: Pick<Clock, 'monotonic'>, make: () => Promise<T>): () => Promise<T> {
  let last: { readonly value: Promise<T>; readonly at: number } | undefined
  return () => {
    const now = clock.monotonic()
    if (last !== undefined && now - last.at < KEPT_MS) return last.value
    const made = { value: make(), at: now }
    last = made
    made.value.catch(() => {
      if (last === made) last = undefined
    })
    return made.value
  }
}
