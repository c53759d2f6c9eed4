import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion } from '../../domain/key.ts'
import { recordEvent } from '../events.ts'
import type { RegisterDeps } from '../register.ts'
import { prove } from '../restore.ts'
import { movesOf, movesText, planOf, ROTATION_EVENTS, type RotationStep } from './moves.ts'
import { accountChange } from './sources.ts'

export interface StepWish {
  /** `open`: callers are to get another account than now, so the policy need not name that one as a source. */
  readonly newAccount?: boolean
}

/**
 * One step of a rotation. What was done is read from the registry, so a step that was cut off is simply asked for again, and
 * one that was done before changes nothing. The states of both versions change at one stroke: there is no moment in which
 * none signs, or two are the one that signs. On record before the states change; of two operators one wins.
 *
 * `open` has the new version prove itself once more; then it signs, and the old one signs where it is asked for by number.
 * `revert` takes that back. `cutover` retires the old one. `abandon` gives up a version that waits.
 *
 * @returns whether anything changed
 * @throws `key/unknown`; `key/rotation` when this step may not come now; what the proof says. Nothing changes then.
 */
export async function rotationStep(
  deps: RegisterDeps,
  name: string,
  step: RotationStep,
  wish: StepWish = {},
): Promise<{ readonly changed: boolean }> {
  const versions = await deps.registry.versions(name)
  if (versions.length === 0) throw new SignerError('key/unknown', { key: name })
  const plan = planOf(step, versions)
  if (plan.kind === 'refused') throw new SignerError('key/rotation', { key: name, reason: plan.reason })
  if (plan.kind === 'done') return { changed: false }
  const moves = movesOf(name, versions, plan.steps)
  if (step === 'open') await checkSuccessor(deps, versions, plan.version, wish)
  const detail = {
    key: name,
    version: plan.version,
    ...(plan.other === undefined ? {} : { other: plan.other }),
    moves: movesText(moves),
  }
  await recordEvent(deps, ROTATION_EVENTS[step], detail)
  if (await deps.registry.setStates(name, moves)) return { changed: true }
  await recordEvent(deps, 'rotation-step-lost', detail)
  throw new SignerError('key/rotation', {
    key: name,
    reason: 'its versions were changed meanwhile: look at them, then decide',
  })
}

/** It can sign, at every place that it has, and for the account that the old one signs for, unless that is to change. */
async function checkSuccessor(
  deps: RegisterDeps,
  versions: readonly DatedVersion[],
  number: number,
  { newAccount = false }: StepWish,
): Promise<void> {
  const next = versions.find(({ version }) => version.version === number)
  if (next === undefined) return
  const key = next.key.name
  const otherAccount = accountChange(versions)
  const before = versions.find(({ version }) => version.state === 'active')
  if (newAccount && next.key.chain === 'stellar' && before?.version.account === next.version.account) {
    const reason = `version ${number} signs for the account of the version before it: abandon it, and begin with a new account (--new-account)`
    throw new SignerError('key/rotation', { key, reason })
  }
  if (!newAccount && otherAccount?.covered === false) {
    const { from, to } = otherAccount
    const reason = `version ${number} signs for ${to}, and callers sign for ${from} now: say that the account changes (--new-account), or add ${from} to sources; or abandon it and begin again`
    throw new SignerError('key/rotation', { key, reason })
  }
  for (const binding of next.bindings) await prove(deps, next, binding)
}
