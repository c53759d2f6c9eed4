import { equalBytes } from '../bytes/equal.ts'
import { SignerError } from '../domain/errors.ts'
import { type Binding, type DatedVersion, type EnvelopeRow, maySign, type ResolvedKey } from '../domain/key.ts'
import type { AuditIndex, Clock, Held, IdempotencyEntry, KeyRegistry, StoredResult } from '../domain/ports.ts'
import {
  bindingsWithout,
  checkAddition,
  checkNextVersion,
  checkPlace,
  checkResult,
  checkStates,
  movedVersions,
  refuseDestroyed,
  refuseSecond,
  replacedBindings,
  requireDestroyed,
  resolvedKey,
  suspended,
} from './checks.ts'
import { memoryClaims } from './memory-claims.ts'
import { memoryTransactions } from './memory-transactions.ts'
import { memoryAdmins, memoryChallenges, memoryChanges, memoryTokens, type SwapPolicy } from './memory-gateway.ts'
import { memoryProposals } from './memory-proposals.ts'
import { checkSameHead, KEPT_MS, notReserved, type RestorableIdempotency, type Store } from './store.ts'
import { enter, timesOfNew } from './times.ts'

export interface MemoryOptions {
  readonly keptMs?: number
  /** For the times of versions; without one they are 0, so that whoever relies on them learns too little. */
  readonly clock?: Pick<Clock, 'now'>
}

/** The store of tests and of the edge core: same behaviour as SQLite, gone with the process. Web APIs only. */
export function openMemoryStore({ keptMs = KEPT_MS, clock = { now: () => 0 } }: MemoryOptions = {}): Store {
  const { keys, swapPolicy } = memoryKeys(clock)
  return {
    keys,
    idempotency: memoryIdempotency(keptMs),
    auditIndex: memoryAuditIndex(),
    admins: memoryAdmins(),
    challenges: memoryChallenges(),
    tokens: memoryTokens(),
    changes: memoryChanges(swapPolicy),
    ...memoryProposals(),
    claims: memoryClaims(),
    transactions: memoryTransactions(),
    shared: false,
    orphans: 0,
    close() {},
  }
}

function memoryKeys(clock: Pick<Clock, 'now'>): { readonly keys: KeyRegistry; readonly swapPolicy: SwapPolicy } {
  /** By key name, then version number. */
  const keys = new Map<string, Map<number, DatedVersion>>()
  const envelopes = new Map<string, EnvelopeRow>()
  const bindingIds = new Set<string>()
  const activeOf = (versions: Iterable<ResolvedKey>) => [...versions].find(({ version }) => version.state === 'active')
  const swapPolicy: SwapPolicy = (name, { fromHash, toText, toHash }) => {
    const versions = keys.get(name)
    const inForce = versions?.values().next().value?.key.policyHash
    if (versions === undefined || inForce !== fromHash) return inForce
    for (const [number, { key, version, bindings, times }] of versions) {
      versions.set(number, dated(resolvedKey({ ...key, policy: toText, policyHash: toHash }, version, bindings), times))
    }
    return inForce
  }
  const ownerOf = (id: string): DatedVersion | undefined =>
    [...keys.values()].flatMap(each => [...each.values()]).find(({ bindings }) => bindings.some(each => each.id === id))
  const ownerNamed = (id: string): DatedVersion => {
    const owner = ownerOf(id)
    if (owner === undefined) throw new SignerError('key/unknown', { key: `binding ${id}` })
    return owner
  }
  const refuseId = (id: string): void => {
    if (bindingIds.has(id)) throw new SignerError('key/exists', { key: `binding ${id}` })
  }
  const keepPlace = (id: string, envelope: EnvelopeRow | undefined): void => {
    bindingIds.add(id)
    if (envelope !== undefined) envelopes.set(id, copyEnvelope(envelope))
  }
  const setBindings = ({ key, version, times }: DatedVersion, bindings: readonly Binding[]): void =>
    void keys.get(key.name)?.set(version.version, dated(resolvedKey(key, version, bindings), times))
  const handedOut = (held: DatedVersion): DatedVersion => dated(copyResolved(held), { ...held.times })
  const holding = (what: Held): DatedVersion[] => {
    const isMeant = ({ version: { address, publicKey } }: DatedVersion): boolean =>
      'publicKey' in what ? equalBytes(publicKey, what.publicKey) : address === what.address
    const names = [...keys.keys()].toSorted()
    return names.flatMap(name => [...(keys.get(name)?.values() ?? [])].filter(isMeant).map(handedOut))
  }
  const registry: KeyRegistry = {
    async resolve(name, number) {
      const versions = keys.get(name)
      if (versions === undefined) return undefined
      const found = number === undefined ? activeOf(versions.values()) : versions.get(number)
      if (found !== undefined && maySign(found.version.state)) return copyResolved(found)
      const told = number === undefined ? [...versions.values()].at(-1) : found
      if (told === undefined) return undefined
      const { version, state } = told.version
      throw new SignerError('key/not-active', { key: name, version, state })
    },
    async stateOf(key, version) {
      return keys.get(key)?.get(version)?.version.state
    },
    async envelope(bindingId) {
      const row = envelopes.get(bindingId)
      return row === undefined ? undefined : copyEnvelope(row)
    },
    async list() {
      const names = [...keys.keys()].toSorted()
      return names.flatMap(name => [...(keys.get(name)?.values() ?? [])].map(copyResolved))
    },
    async names() {
      return [...keys.keys()].toSorted()
    },
    async versions(name) {
      const names = name === undefined ? [...keys.keys()].toSorted() : [name]
      return names.flatMap(each => [...(keys.get(each)?.values() ?? [])].map(handedOut))
    },
    async holding(what) {
      return holding(what)
    },
    async add(entry) {
      checkAddition(entry)
      const { key, version, binding, envelope, alone } = entry
      if (keys.has(key.name)) throw new SignerError('key/exists', { key: key.name })
      refuseId(binding.id)
      alone?.(holding(version))
      const added = copyResolved({ key, version, bindings: [binding] })
      keys.set(key.name, new Map([[version.version, dated(added, timesOfNew(version.state, key.createdAt))]]))
      keepPlace(binding.id, envelope)
    },
    async addVersion({ version, binding, envelope, alone }) {
      const versions = keys.get(version.key)
      const key = checkNextVersion([...(versions?.values() ?? [])], version)
      checkPlace(version, { binding, ...(envelope === undefined ? {} : { envelope }) })
      refuseId(binding.id)
      alone?.(holding(version))
      const added = copyResolved({ key, version, bindings: [binding] })
      versions?.set(version.version, dated(added, timesOfNew(version.state, clock.now())))
      keepPlace(binding.id, envelope)
    },
    async addBinding({ binding, envelope }) {
      const before = keys.get(binding.key)?.get(binding.version)
      if (before === undefined) {
        throw new SignerError('key/unknown', { key: `${binding.key} version ${binding.version}` })
      }
      refuseDestroyed(before, 'one more place')
      checkPlace(before.version, { binding, ...(envelope === undefined ? {} : { envelope }) })
      refuseSecond(before.bindings, binding)
      refuseId(binding.id)
      setBindings(before, [...before.bindings, { ...binding }])
      keepPlace(binding.id, envelope)
    },
    async replaceBinding(oldId, entry) {
      const before = ownerNamed(oldId)
      const { binding, envelope } = entry
      refuseDestroyed(before, 'another place')
      const after = replacedBindings(before, oldId, entry)
      refuseId(binding.id)
      setBindings(before, after)
      keepPlace(binding.id, envelope)
    },
    async removeBinding(bindingId) {
      const before = ownerOf(bindingId)
      if (before === undefined) return false
      setBindings(before, bindingsWithout(before, bindingId))
      bindingIds.delete(bindingId)
      envelopes.delete(bindingId)
      return true
    },
    async removeEnvelopes(key, version) {
      const before = keys.get(key)?.get(version)
      if (before === undefined) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
      requireDestroyed(before)
      return before.bindings.filter(({ id }) => envelopes.delete(id)).length
    },
    async suspendBinding(bindingId, reason) {
      const before = ownerNamed(bindingId)
      const { bindings } = before
      if (bindings.find(({ id }) => id === bindingId)?.suspended === reason) return false
      const after = bindings.map(each => (each.id === bindingId ? suspended(each, reason) : each))
      setBindings(before, after)
      return true
    },
    setState: async (key, version, state, from) => registry.setStates(key, [{ version, state, from }]),
    async setStates(key, moves) {
      const versions = keys.get(key)
      checkStates(key, moves)
      const held = [...(versions?.values() ?? [])]
      const moved = movedVersions(key, held, activeOf(held)?.version.version, moves)
      for (const [before, state] of moved ?? []) {
        const after = resolvedKey(before.key, { ...before.version, state }, before.bindings)
        versions?.set(before.version.version, dated(after, enter(before.times, state, clock.now())))
      }
      return moved !== undefined
    },
  }
  return { keys: registry, swapPolicy }
}

const dated = (resolved: ResolvedKey, times: DatedVersion['times']): DatedVersion =>
  Object.freeze({ ...resolved, times: Object.freeze(times) })

/** Bytes cannot be frozen, so nobody is handed ours. */
const copyResolved = ({ key, version, bindings }: ResolvedKey): ResolvedKey =>
  resolvedKey(
    { ...key },
    { ...version, publicKey: version.publicKey.slice() },
    bindings.map(binding => ({ ...binding })),
  )

const copyEnvelope = ({ bindingId, ciphertext, context }: EnvelopeRow): EnvelopeRow =>
  Object.freeze({ bindingId, ciphertext: ciphertext.slice(), context: Object.freeze({ ...context }) })

interface Kept {
  readonly fingerprint: string
  readonly at: number
  readonly state: 'in-flight' | 'done' | 'released'
  readonly result?: StoredResult
}

function memoryIdempotency(keptMs: number): RestorableIdempotency {
  const entries = new Map<string, Kept>()
  const idOf = ({ scope, key }: IdempotencyEntry) => JSON.stringify([scope, key])
  const mine = (entry: IdempotencyEntry) => {
    const kept = entries.get(idOf(entry))
    return kept?.state === 'in-flight' && kept.fingerprint === entry.fingerprint && kept.at === entry.at
  }
  const keep = (entry: IdempotencyEntry, state: Kept['state'], result?: StoredResult) => {
    const { fingerprint, at } = entry
    entries.set(idOf(entry), {
      fingerprint,
      at,
      state,
      ...(result === undefined ? {} : { result: checkResult({ ...result }) }),
    })
  }
  return {
    async reserve(entry) {
      const kept = entries.get(idOf(entry))
      if (kept === undefined || mayTake(kept, entry, keptMs)) {
        keep(entry, 'in-flight')
        return { kind: 'reserved' }
      }
      if (kept.fingerprint !== entry.fingerprint) return { kind: 'mismatch' }
      return kept.result === undefined ? { kind: 'in-flight' } : { kind: 'replay', result: kept.result }
    },
    async complete(entry, result) {
      if (!mine(entry)) throw notReserved()
      keep(entry, 'done', result)
    },
    async release(entry) {
      if (mine(entry)) keep(entry, 'released')
    },
    async restore(entry, result) {
      const kept = entries.get(idOf(entry))
      if (result !== undefined) keep(entry, 'done', result)
      else if (kept?.state !== 'done' || kept.at <= entry.at - keptMs) keep(entry, 'released')
    },
    async purge(before) {
      const old = [...entries].filter(([, kept]) => kept.at < before && kept.state !== 'in-flight')
      for (const [id] of old) entries.delete(id)
      return old.length
    },
  }
}

const mayTake = (kept: Kept, entry: IdempotencyEntry, keptMs: number): boolean =>
  kept.state !== 'in-flight' &&
  (kept.at <= entry.at - keptMs || (kept.state === 'released' && kept.fingerprint === entry.fingerprint))

function memoryAuditIndex(): AuditIndex {
  let known: { seq: number; hash: string } | undefined
  return {
    async head() {
      return known
    },
    async setHead({ seq, hash }) {
      if (known === undefined || seq > known.seq) known = { seq, hash }
      else checkSameHead(known, { seq, hash })
    },
  }
}
