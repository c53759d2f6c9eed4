export { type Flag, type Mode, readFlag, targetsOf } from './flag.ts'
export {
  type FlagContext,
  type FlagSet,
  flagFor,
  hashOfFlags,
  NO_FLAGS,
  readFlagSet,
  type Rule,
  withRule,
} from './flag-set.ts'
export { oneAfterAnother } from './fail-over.ts'
export { createRemoteFlags } from './remote.ts'
export { createRouter, firstBinding, type Route, type Router, type RouteRequest, unusable } from './router.ts'
export { createShadow, type Shadow, type ShadowCounts, type ShadowJob } from './shadow.ts'
export type { Evaluated, FlagChange, FlagJournal, FlagSource, FlagTrouble, WhenStale } from './source.ts'
export { createWatchedFlags, type WatchedDocument } from './watched.ts'
