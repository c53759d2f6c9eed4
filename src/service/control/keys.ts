import { toBase64 } from '../../bytes/base64.ts'
import { SignerError } from '../../domain/errors.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import { placesOf, viewOf } from '../keys.ts'
import type { Done, Granted } from './guard.ts'
import type { ControlParts } from './ports.ts'

/** All versions of a key, the oldest first, and the one that stands for it: the active one, or else the newest. */
export interface Held {
  readonly versions: readonly ResolvedKey[]
  readonly current: ResolvedKey
}

/** Only behind an authorization: it tells whether the key exists. @throws `key/unknown` */
export async function holdKey({ keys }: Pick<ControlParts, 'keys'>, name: string): Promise<Held> {
  const versions = await keys.versions(name)
  const current = currentOf(versions)
  if (current === undefined) throw new SignerError('key/unknown', { key: name })
  return { versions, current }
}

const currentOf = (versions: readonly ResolvedKey[]): ResolvedKey | undefined =>
  versions.find(({ version }) => version.state === 'active') ?? versions.at(-1)

export async function listKeys({ keys }: ControlParts): Promise<Done> {
  const names = new Map<string, ResolvedKey[]>()
  for (const each of await keys.list()) names.set(each.key.name, [...(names.get(each.key.name) ?? []), each])
  const current = [...names.values()].flatMap(versions => currentOf(versions) ?? [])
  return { answer: { keys: current.map(viewOf) }, facts: { keys: current.length } }
}

export async function showKey(parts: ControlParts, name: string): Promise<Done> {
  const { versions, current } = await holdKey(parts, name)
  return {
    answer: {
      ...viewOf(current),
      policy: policyOf(current),
      createdAt: new Date(current.key.createdAt).toISOString(),
      versions: versions.map(each => ({
        version: each.version.version,
        state: each.version.state,
        scheme: each.version.scheme,
        address: each.version.address,
        account: each.version.account,
        publicKey: toBase64(each.version.publicKey),
        bindings: placesOf(each),
      })),
    },
  }
}

export const keyInShort = async (parts: ControlParts, name: string): Promise<Done> => ({
  answer: viewOf((await holdKey(parts, name)).current),
})

export async function showPolicy(parts: ControlParts, name: string): Promise<Done> {
  const { current } = await holdKey(parts, name)
  return { answer: { key: name, policyHash: current.key.policyHash, policy: policyOf(current) } }
}

/** @throws as `restoreKey` */
export async function endQuarantine(
  parts: ControlParts,
  { actor }: Granted,
  { key, version }: { readonly key: string; readonly version?: number | undefined },
): Promise<Done> {
  const restored = await parts.restore(key, { version }, actor)
  const facts = { version: restored.version.version, to: restored.version.state }
  return { answer: viewOf(restored), facts }
}

/** One person, at once; nobody's consent. @throws as `revokeKey` */
export async function revoke(
  parts: ControlParts,
  { actor }: Granted,
  { key, ...wish }: { readonly key: string; readonly version?: number | undefined; readonly reason: string },
): Promise<Done> {
  const { revoked, now, places } = await parts.revoke(key, wish, actor)
  const facts = { revoked: revoked.join(' '), now: now.join(' ') }
  return { answer: { key, revoked, now, ...(places === undefined ? {} : { places }) }, facts }
}

/** What key services keep of a key that is given up, in days, unless told. */
const DESTROY_DAYS = 30

interface DestroyAsked {
  /** `treasury/3` */
  readonly object: string
  readonly confirm: string
  readonly days?: number | undefined
  readonly reason: string
  readonly signerRemains?: boolean | undefined
}

/** The end of a private key. @throws as `destroyVersion` */
export async function destroy(
  parts: ControlParts,
  { actor }: Granted,
  { object, days = DESTROY_DAYS, ...wish }: DestroyAsked,
): Promise<Done> {
  const [name = '', version] = object.split('/')
  const report = await parts.destroy(name, { ...wish, days, version: Number(version) }, actor)
  const { changed, done } = report
  return { answer: report, facts: { version: report.version, changed, done } }
}

/** How a version is by now. @throws `key/unknown` */
export async function versionNow(
  { keys }: ControlParts,
  { key, version }: { readonly key: string; readonly version: number },
): Promise<Done> {
  const held = (await keys.versions(key)).find(each => each.version.version === version)
  if (held === undefined) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
  return { answer: { key, version, state: held.version.state } }
}

/** @throws `key/mismatch`: a row that is no policy any more was changed behind our back */
function policyOf({ key: { name, policy } }: ResolvedKey): unknown {
  try {
    return JSON.parse(policy)
  } catch (cause) {
    throw new SignerError('key/mismatch', { key: name, reason: 'its policy on record cannot be read' }, { cause })
  }
}
