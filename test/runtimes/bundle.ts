/** Bundles the way an edge build does, and tells what is inside. For the process that runs the tests, on Bun. */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Bundle {
  readonly code: string
  readonly bytes: number
  readonly gzipBytes: number
  /** Names of the packages any file of which is inside. */
  readonly packages: readonly string[]
  /** Modules of the runtime that the code names, to import them at once or later. */
  readonly builtins: readonly string[]
}

/** @param entry a path below the root of the project. */
export async function bundleForEdge(entry: string, minify = false): Promise<Bundle> {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [new URL(`../../${entry}`, import.meta.url).pathname],
    target: 'browser',
    conditions: ['workerd'],
    format: 'esm',
    minify,
    metafile: true,
    external: ['node:*', 'libsodium'], // workerd compiles no WASM from bytes, so that engine is never asked for
  })
  const code = (await outputs[0]?.text()) ?? ''
  const files = Object.keys(metafile?.inputs ?? {}).map(file => relative(ROOT, file))
  return {
    code,
    bytes: code.length,
    gzipBytes: Bun.gzipSync(code, { level: 9 }).length,
    packages: [...new Set(files.flatMap(packageOf))].toSorted(),
    builtins: [...new Set(code.match(/(?<=["'])node:[a-z_/]+(?=["'])/g))].toSorted(),
  }
}

/** The innermost package a file lies in; none for our own files. */
function packageOf(file: string): string[] {
  const inside = file.split('node_modules/').slice(1).at(-1)?.split('/')
  if (inside === undefined) return []
  return [inside.slice(0, inside[0]?.startsWith('@') ? 2 : 1).join('/')]
}
