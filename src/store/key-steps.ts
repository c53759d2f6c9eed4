import { SignerError } from '../domain/errors.ts'
import {
  type DatedVersion,
  type EnvelopeRow,
  type KeyVersion,
  maySign,
  replacedBy,
  type ResolvedKey,
} from '../domain/key.ts'
import type { Alone, Clock, KeyRegistry, StateMove } from '../domain/ports.ts'
import {
  bindingsWithout,
  checkAddition,
  checkNextVersion,
  checkPlace,
  checkStates,
  isVersionState,
  mismatch,
  movedVersions,
  refuseDestroyed,
  refuseSecond,
  replacedBindings,
  requireDestroyed,
  suspended,
} from './checks.ts'
import {
  activeRows,
  activeVersion,
  addBinding,
  addEnvelope,
  addKey,
  addVersion,
  bindingOwner,
  dropBinding,
  dropEnvelope,
  everyName,
  everyRow,
  findEnvelope,
  holdingAddress,
  holdingKey,
  keyRows,
  moveBinding,
  newestVersion,
  setKeyPolicy,
  setSeal,
  setVersionState,
  stateOf,
  suspendBinding,
  versionRows,
} from './key-queries.ts'
import {
  bindingRow,
  envelopeRow,
  groupVersions,
  keyRow,
  notActive,
  readDated,
  readEnvelope,
  readHeld,
  readVersion,
  versionRow,
} from './rows.ts'
import { sealOf } from './seal.ts'
import { change, type Engine, lock, REGISTRY, row, rows, type Step } from './steps.ts'
import { enter, type Held, timesBefore, timesOfNew, timesRow } from './times.ts'

/** The registry. `resolve`, `stateOf` and `envelope` are one statement each. */
export function keyRegistry(engine: Engine, clock: Pick<Clock, 'now'>): KeyRegistry {
  const setStates: KeyRegistry['setStates'] = async (key, moves) => {
    checkStates(key, moves)
    return engine.atomic('change the state of a version', () => moveAll(key, moves, clock.now()))
  }
  return {
    resolve: (name, version) => engine.once(() => resolve(name, version)),
    stateOf: (key, version) =>
      engine.once(function* () {
        const found = yield* row(stateOf, { key, version })
        if (found === undefined) return undefined
        if (!isVersionState(found['state'])) throw mismatch(key, 'the state is unknown')
        return found['state']
      }),
    envelope: bindingId =>
      engine.once(function* () {
        const found = yield* row(findEnvelope, { bindingId })
        return found === undefined ? undefined : readEnvelope(found)
      }),
    list: () =>
      engine.once(function* () {
        return groupVersions(yield* rows(everyRow, {})).map(readVersion)
      }),
    names: () =>
      engine.once(function* () {
        return (yield* rows(everyName, {})).map(({ name }) => String(name))
      }),
    versions: name =>
      engine.once(function* () {
        return groupVersions(yield* name === undefined ? rows(everyRow, {}) : rows(keyRows, { key: name })).map(
          readDated,
        )
      }),
    holding: what => engine.once(() => holding(what)),
    add: async entry => {
      checkAddition(entry)
      return engine.atomic('add a key', () => add(entry))
    },
    addVersion: entry => engine.atomic('add a version', () => addNext(entry, clock.now())),
    addBinding: entry => engine.atomic('add a binding', () => place(entry)),
    replaceBinding: (oldId, entry) => engine.atomic('replace a binding', () => replace(oldId, entry)),
    removeBinding: bindingId => engine.atomic('remove a binding', () => remove(bindingId)),
    removeEnvelopes: (key, version) => engine.atomic('remove encrypted keys', () => removeEnvelopes(key, version)),
    suspendBinding: (bindingId, reason) => engine.atomic('suspend a binding', () => suspend(bindingId, reason)),
    setState: async (key, version, state, from) => setStates(key, [{ version, state, from }]),
    setStates,
  }
}

export function* resolve(name: string, version?: number): Step<ResolvedKey | undefined> {
  if (version !== undefined) return yield* resolveVersion(name, version)
  const found = yield* rows(activeRows, { name })
  if (found.length > 0) return readVersion(found)
  const newest = yield* row(newestVersion, { name })
  if (newest === undefined) return undefined
  throw notActive(name, newest)
}

function* resolveVersion(key: string, version: number): Step<ResolvedKey | undefined> {
  const found = yield* rows(versionRows, { key, version })
  if (found.length === 0) return undefined
  const resolved = readVersion(found)
  const { state } = resolved.version
  if (maySign(state)) return resolved
  throw new SignerError('key/not-active', { key, version, state })
}

function* holding(what: Parameters<KeyRegistry['holding']>[0]): Step<DatedVersion[]> {
  const found = yield* 'address' in what ? rows(holdingAddress, what) : rows(holdingKey, what)
  return groupVersions(found).map(readDated)
}

/** Under the lock of the registry: nobody adds anything in between. */
function* askAlone(alone: Alone | undefined, { publicKey }: KeyVersion): Step<void> {
  if (alone !== undefined) alone(yield* holding({ publicKey }))
}

function* add({ key, version, binding, envelope, alone }: Parameters<KeyRegistry['add']>[0]): Step<void> {
  yield* lock(REGISTRY)
  if ((yield* row(newestVersion, { name: key.name })) !== undefined) {
    throw new SignerError('key/exists', { key: key.name })
  }
  yield* refuseBindingId(binding.id)
  yield* askAlone(alone, version)
  yield* change(addKey, keyRow(key))
  yield* writeVersion({ key, version, bindings: [binding], times: timesOfNew(version.state, key.createdAt) }, envelope)
}

function* addNext(
  { version, binding, envelope, alone }: Parameters<KeyRegistry['addVersion']>[0],
  now: number,
): Step<void> {
  yield* lock(REGISTRY)
  const before = yield* readKeyVersions(version.key)
  const key = checkNextVersion(before, version)
  checkPlace(version, { binding, ...(envelope === undefined ? {} : { envelope }) })
  yield* refuseBindingId(binding.id)
  yield* askAlone(alone, version)
  yield* writeVersion({ key, version, bindings: [binding], times: timesOfNew(version.state, now) }, envelope)
}

function* writeVersion(held: DatedVersion, envelope: EnvelopeRow | undefined): Step<void> {
  const { version, bindings, times } = held
  yield* change(addVersion, { ...versionRow(version), seal: sealOf(held), ...timesRow(times) })
  for (const [at, binding] of bindings.entries()) yield* change(addBinding, bindingRow(binding, at))
  if (envelope !== undefined) yield* change(addEnvelope, envelopeRow(envelope))
}

/** What binds a version changed, and so did its seal. */
function* sealWith(before: Held, bindings: Held['bindings']): Step<void> {
  const { key, version } = before.version
  yield* change(setSeal, { key, version, seal: sealOf({ ...before, bindings }) })
}

function* place({ binding, envelope }: Parameters<KeyRegistry['addBinding']>[0]): Step<void> {
  yield* lock(REGISTRY)
  const before = yield* known(binding.key, binding.version)
  refuseDestroyed(before, 'one more place')
  checkPlace(before.version, { binding, ...(envelope === undefined ? {} : { envelope }) })
  refuseSecond(before.bindings, binding)
  yield* refuseBindingId(binding.id)
  yield* change(addBinding, bindingRow(binding, before.bindings.length))
  if (envelope !== undefined) yield* change(addEnvelope, envelopeRow(envelope))
  yield* sealWith(before, [...before.bindings, binding])
}

function* replace(oldId: string, entry: Parameters<KeyRegistry['replaceBinding']>[1]): Step<void> {
  yield* lock(REGISTRY)
  const before = yield* ownerOf(oldId)
  const { binding, envelope } = entry
  refuseDestroyed(before, 'another place')
  const bindings = replacedBindings(before, oldId, entry)
  yield* refuseBindingId(binding.id)
  yield* change(moveBinding, { id: oldId, position: before.bindings.length })
  yield* change(suspendBinding, { id: oldId, suspended: replacedBy(binding.id) })
  const at = bindings.findIndex(({ id }) => id === binding.id)
  yield* change(addBinding, bindingRow(binding, at))
  if (envelope !== undefined) yield* change(addEnvelope, envelopeRow(envelope))
  yield* sealWith(before, bindings)
}

function* remove(id: string): Step<boolean> {
  yield* lock(REGISTRY)
  const before = yield* owned(id)
  if (before === undefined) return false
  const bindings = bindingsWithout(before, id)
  yield* change(dropEnvelope, { id })
  yield* change(dropBinding, { id })
  // No gap: the next binding goes to the place after the last. In order, so that each finds its place free.
  for (const [position, each] of bindings.entries()) yield* change(moveBinding, { id: each.id, position })
  yield* sealWith(before, bindings)
  return true
}

function* removeEnvelopes(key: string, version: number): Step<number> {
  yield* lock(REGISTRY)
  const before = yield* known(key, version)
  requireDestroyed(before)
  let removed = 0
  for (const { id } of before.bindings) removed += yield* change(dropEnvelope, { id })
  return removed
}

/** The version that a binding belongs to. */
function* owned(id: string): Step<Held | undefined> {
  const owner = (yield* row(bindingOwner, { id })) as { key: string; version: number } | undefined
  return owner === undefined ? undefined : yield* known(owner.key, owner.version)
}

/** @throws `key/unknown` */
function* ownerOf(id: string): Step<Held> {
  const held = yield* owned(id)
  if (held === undefined) throw new SignerError('key/unknown', { key: `binding ${id}` })
  return held
}

function* suspend(bindingId: string, reason: string | undefined): Step<boolean> {
  yield* lock(REGISTRY)
  const before = yield* ownerOf(bindingId)
  if (before.bindings.find(({ id }) => id === bindingId)?.suspended === reason) return false
  const bindings = before.bindings.map(binding => (binding.id === bindingId ? suspended(binding, reason) : binding))
  yield* change(suspendBinding, { id: bindingId, suspended: reason ?? null })
  yield* sealWith(before, bindings)
  return true
}

function* moveAll(key: string, moves: readonly StateMove[], now: number): Step<boolean> {
  yield* lock(REGISTRY)
  const held: Held[] = []
  for (const { version } of moves) held.push(yield* known(key, version))
  const active = (yield* row(activeVersion, { key }))?.['version'] as number | undefined
  const moved = movedVersions(key, held, active, moves)
  for (const [before, state] of moved ?? []) {
    const times = enter(before.times ?? timesBefore(before), state, now)
    const version = { ...before.version, state }
    const seal = sealOf({ ...before, version, times })
    yield* change(setVersionState, { key, version: version.version, state, seal, ...timesRow(times) })
  }
  return moved !== undefined
}

/** Every version of a key, the oldest first. */
export function* readKeyVersions(key: string): Step<Held[]> {
  return groupVersions(yield* rows(keyRows, { key })).map(readHeld)
}

/** Puts another policy in force. @param versions  all of the key, as read in the same transaction, under the lock of the registry */
export function* setPolicy(versions: readonly Held[], policy: string, policyHash: string): Step<void> {
  for (const [index, resolved] of versions.entries()) {
    const key = { ...resolved.key, policy, policyHash }
    const { version } = resolved.version
    if (index === 0) yield* change(setKeyPolicy, { name: key.name, policy, policy_hash: policyHash })
    yield* change(setSeal, { key: key.name, version, seal: sealOf({ ...resolved, key }) })
  }
}

function* known(key: string, version: number): Step<Held> {
  const found = yield* rows(versionRows, { key, version })
  if (found.length === 0) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
  return readHeld(found)
}

function* refuseBindingId(id: string): Step<void> {
  if ((yield* row(bindingOwner, { id })) !== undefined) throw new SignerError('key/exists', { key: `binding ${id}` })
}
