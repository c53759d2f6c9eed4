import type { FlagRoom, FlagView } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import { type FlagSet, hashOfFlags, readFlagSet, type Rule, withRule } from '../routing/index.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import {
  changedMeanwhile,
  currentFlags,
  type FlagHistory,
  historyOfFlags,
  isToml,
  readHistory,
  replaceFlags,
  stateOfFlags,
} from './flag-files.ts'
import { problemsOf } from './flags.ts'
import { exists, storePath } from './places.ts'

export interface FlagRoomSettings {
  readonly environment: string
  readonly file: string
  /** Absent, or without a store in it: keys and places cannot be checked here, and the service does it. */
  readonly dataDirectory?: string | undefined
}

/** The file of flags, for operators. Takes no lock of the store, so it works beside a running service. */
export function openFlagRoom({ environment, file, dataDirectory }: FlagRoomSettings, world: World): FlagRoom {
  const { clock } = world
  const view = async (flags: FlagSet): Promise<FlagView> => ({
    file,
    hash: hashOfFlags(flags),
    rules: flags.rules,
    history: await historyOfFlags(file),
  })
  const check = async (flags: FlagSet): Promise<void> => {
    if (dataDirectory === undefined || !(await exists(storePath(dataDirectory)))) return
    const store = await openSqliteStore({ path: storePath(dataDirectory), clock, role: 'guest' })
    try {
      const [problem] = await problemsOf(flags, environment, store.keys)
      if (problem === undefined) return
      throw new SignerError('request/malformed', {
        field: 'flags',
        reason: problem,
        fix: 'see `countersign keys show NAME` for the places of a key, and `countersign keys bind` for one more',
      })
    } finally {
      store.close()
    }
  }
  const replace = async (expected: string, next: FlagSet, from?: number): Promise<FlagView> => {
    await check(next)
    await replaceFlags(file, clock, expected, next, from)
    return view(next)
  }
  const writable = (): void => {
    if (!isToml(file)) return
    throw new SignerError('request/malformed', {
      field: 'flags.file',
      reason: `${file} is TOML, which this command would write without its comments`,
      fix: 'edit it by hand, or keep the flags in a .json file',
    })
  }
  return {
    show: async () => view(await currentFlags(file)),
    set: async (rule, expected) => {
      writable()
      const before = await currentFlags(file)
      if (expected !== undefined && expected !== hashOfFlags(before)) throw changedMeanwhile(hashOfFlags(before))
      const { rules } = readFlagSet({ version: 1, rules: [rule] })
      return replace(hashOfFlags(before), withRule(before, rules[0] as Rule))
    },
    rollback: async to => {
      writable()
      const { hash } = await stateOfFlags(file) // what is there now may be what has to go, because it cannot be read
      const number = to ?? earlier(await historyOfFlags(file), hash)
      if (number === undefined) {
        throw new SignerError('request/malformed', {
          field: '--to',
          reason: 'nothing was there before',
          fix: 'use `countersign flags set --mode off`',
        })
      }
      return replace(hash, (await readHistory(file, number)).flags, number)
    },
  }
}

/** The state before the one that is there now: a second rollback goes one further back, and never forward again. */
function earlier(history: readonly FlagHistory[], now: string): number | undefined {
  const [newest] = history
  if (newest === undefined || newest.hash !== now) return newest?.number // changed by hand since
  const place = newest.from ?? newest.number
  return history.find(({ number, hash }) => number < place && hash !== now)?.number
}
