/** Which runtime this is, and its file, loaded only there. */
import type { Runtime, RuntimeName } from './contract.ts'

export { build } from './build.ts'
export type {
  HardeningItem,
  HardeningReport,
  Listening,
  Runtime,
  RuntimeName,
  SelfExecutable,
  ServeOptions,
} from './contract.ts'

/** Set by `scripts/build.ts`: what a build is for is known, and the other runtimes' files fall away. */
declare const COUNTERSIGN_RUNTIME: string | undefined

interface Versions {
  readonly bun?: string
  readonly deno?: string
  readonly node?: string
}

/** Bun and Deno both claim to be Node as well, so Node is asked about last; workerd shows a user agent and no version of its own. */
export function detect(
  versions: Versions | undefined = globalThis.process?.versions,
  userAgent: string | undefined = globalThis.navigator?.userAgent,
): RuntimeName {
  if (versions?.bun !== undefined) return 'bun'
  if (versions?.deno !== undefined) return 'deno'
  if (userAgent === 'Cloudflare-Workers') return 'workerd'
  return 'node'
}

/** Literal imports, so that the single binary holds what it needs; lazy, so that a runtime loads only its own. */
export async function openRuntime(name: RuntimeName = detect()): Promise<Runtime> {
  if (typeof COUNTERSIGN_RUNTIME === 'string' || name === 'bun') return import('./bun.ts')
  // An else, not a fall-through: only in this shape does the bundler see that nothing else can be reached.
  else {
    switch (name) {
      case 'node':
        return import('./node.ts')
      case 'deno':
        return import('./deno.ts')
      case 'workerd':
        return import('./workerd.ts')
      default:
        return name satisfies never
    }
  }
}
