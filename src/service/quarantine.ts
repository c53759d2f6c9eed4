import type { AuditActor, EventEntry } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError, WRONG_ANSWERS } from '../domain/errors.ts'
import type { VersionState } from '../domain/key.ts'
import type { KeyCatalogue, KeyRegistry, Logger } from '../domain/ports.ts'

/** As the table in `src/keys` has it: what signs, and what waits to. */
export const MAY_BE_QUARANTINED: readonly VersionState[] = ['pending', 'active', 'overlap']

/** Which call it was. */
export interface Suspect {
  readonly auditId: string
  readonly actor: AuditActor
  readonly key: string
  readonly version: number
  readonly binding: string
}

export interface Arrest {
  /** To be recorded in one batch with the outcome of the call. */
  readonly events: readonly EventEntry[]
  /**
   * Has the registry say so, then runs `then`. When the registry cannot be told, the version stays in quarantine in this
   * process, and both are tried again when somebody asks for the key. Never rejects for the registry's sake.
   */
  enforce(then: () => Promise<void>): Promise<void>
}

export interface Quarantine {
  /** The registry as the path sees it: from the first wrong answer on, the version is in quarantine here. */
  readonly catalogue: KeyCatalogue
  /** Called with what custody or verification threw, and with nothing else. */
  suspect(suspect: Suspect, failure: AnySignerError): Promise<Arrest>
}

export const INNOCENT: Arrest = { events: [], enforce: then => then() }

export function createQuarantine(
  catalogue: KeyCatalogue,
  setState: KeyRegistry['setState'],
  logger: Logger,
): Quarantine {
  /** What the registry does not say yet, and what waits for it. */
  const marks = new Map<string, { readonly key: string; readonly version: number; unwritten?: () => Promise<void> }>()
  const idOf = (key: string, version: number): string => JSON.stringify([key, version])

  const write = async (id: string, then: () => Promise<void>): Promise<void> => {
    const mark = marks.get(id)
    if (mark === undefined) return then()
    delete mark.unwritten
    try {
      await setState(mark.key, mark.version, 'quarantined', MAY_BE_QUARANTINED)
    } catch (error) {
      mark.unwritten = then
      const { key, version } = mark
      logger.error('quarantine-unwritten', { key, version, code: isSignerError(error) ? error.code : 'unexpected' })
      return
    }
    marks.delete(id)
    await then()
  }
  /** True while it must not sign, whatever the registry says. */
  const isMarked = async (key: string, version: number): Promise<boolean> => {
    const id = idOf(key, version)
    const then = marks.get(id)?.unwritten
    if (then !== undefined) {
      await write(id, then).catch(error => logger.error('quarantine-unfinished', { message: String(error) }))
      return true // those who come now have still met a registry that did not know
    }
    return marks.has(id)
  }

  return {
    catalogue: {
      resolve: async (name, number) => {
        const resolved = await catalogue.resolve(name, number)
        if (resolved === undefined || !(await isMarked(name, resolved.version.version))) return resolved
        const { version } = resolved.version
        throw new SignerError('key/not-active', { key: name, version, state: 'quarantined' })
      },
      stateOf: async (key, version) =>
        (await isMarked(key, version)) ? 'quarantined' : catalogue.stateOf(key, version),
      envelope: id => catalogue.envelope(id),
      list: () => catalogue.list(),
      versions: name => catalogue.versions(name),
      holding: what => catalogue.holding(what),
    },

    suspect: async ({ key, version, binding, auditId, actor }, { code: errorCode }) => {
      const id = idOf(key, version)
      if (!WRONG_ANSWERS.has(errorCode) || marks.has(id)) return INNOCENT
      marks.set(id, { key, version }) // before anything is awaited: calls under way meet it at their next look
      const state = await catalogue.stateOf(key, version).catch(() => undefined)
      if (state !== undefined && !MAY_BE_QUARANTINED.includes(state)) {
        marks.delete(id)
        return INNOCENT
      }
      // A start that reads this again must not take it for a version that signed then, and waits by now.
      const was = state === 'pending' ? { was: state } : {}
      const detail = { key, version, binding, errorCode, auditId, ...was }
      logger.error('key-quarantined', detail)
      return {
        events: [{ kind: 'event', auditId, event: 'key-quarantined', actor, detail }],
        enforce: then => write(id, then),
      }
    },
  }
}
