/** What was built. `scripts/build.ts` bakes these in; a run from source says so. */
declare const COUNTERSIGN_VERSION: string | undefined
declare const COUNTERSIGN_COMMIT: string | undefined

export const build = {
  version: typeof COUNTERSIGN_VERSION === 'string' ? COUNTERSIGN_VERSION : '0.0.0-source',
  /** Commit the binary was made from, `unknown` outside git. */
  commit: typeof COUNTERSIGN_COMMIT === 'string' ? COUNTERSIGN_COMMIT : 'source',
} as const
