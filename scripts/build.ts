/**
 * Makes the single binary: `bun run build [--target bun-linux-arm64] [--outfile dist/countersign] [--entry src/main.ts]
 * [--commit HASH] [--json]`.
 *
 * Bit for bit reproducible from the same sources, lock file and runtime, in any folder, as long as the file name is the same
 * (it is written into the binary). Nothing of the surroundings gets in: no time, no path, no environment; the commit is that
 * of the sources.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface BuildOptions {
  /** Relative to `root`. */
  readonly entry?: string
  readonly outfile: string
  /** A target of the bundler, to build for another machine. */
  readonly target?: string
  /** The commit to write into the binary, for sources that are no git checkout. */
  readonly commit?: string
  /** Folder with `src`, `node_modules` and `package.json`; this checkout unless a test says otherwise. */
  readonly root?: string
}

export interface Built {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly version: string
  readonly commit: string
}

/** What the surroundings of the binary may not change, and how it is made small and quick to start. */
const FLAGS = [
  '--compile',
  '--minify',
  '--splitting',
  '--bytecode',
  '--format=esm',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
  // Kysely's file-based migration provider computes an import; we never use it, and our own are checked by test/architecture.
  '--allow-unresolved=',
  // Asked for by a dependency that does without: it would come in by the accident of what else is installed.
  '--external=supports-color',
  // Of the driver of PostgreSQL: sockets of another platform, and a native add-on.
  '--external=pg-cloudflare',
  '--external=pg-native',
]

export function build(options: BuildOptions): Built {
  const root = options.root ?? ROOT
  const path = resolve(root, options.outfile)
  mkdirSync(dirname(path), { recursive: true })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const commit = options.commit ?? commitOf(root)
  const made = spawnSync(
    process.execPath,
    [
      'build',
      ...FLAGS,
      `--define=COUNTERSIGN_VERSION=${JSON.stringify(version)}`,
      `--define=COUNTERSIGN_COMMIT=${JSON.stringify(commit)}`,
      // Known at build time, so that the other runtimes' files are left out.
      '--define=COUNTERSIGN_RUNTIME="bun"',
      // A dependency that mentions its own folder would write the path of this machine into the binary.
      '--define=__dirname="/"',
      '--define=__filename="/countersign"',
      ...(options.target === undefined ? [] : [`--target=${options.target}`]),
      `--outfile=${path}`,
      options.entry ?? 'src/main.ts',
    ],
    { cwd: root, encoding: 'utf8', env: cleanEnvironment() },
  )
  if (made.status !== 0) throw new Error(`Cannot build ${basename(path)}:\n${made.stdout}${made.stderr}`)
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
  return { path, bytes: statSync(path).size, sha256, version, commit }
}

/** The commit of the sources, `unknown` outside git. Local changes are not marked: they show in the hash. */
function commitOf(root: string): string {
  const asked = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return asked.status === 0 ? asked.stdout.trim() : 'unknown'
}

/** A bundler that reads no variable of ours cannot be changed by one. PATH and HOME stay for the cache of foreign targets. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return { PATH, HOME, TMPDIR }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      outfile: { type: 'string', default: 'dist/countersign' },
      entry: { type: 'string' },
      commit: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const { json, ...options } = values
  const built = build(options)
  if (json) console.log(JSON.stringify(built))
  else {
    console.log(built.path)
    console.log(`version ${built.version}, commit ${built.commit}`)
    console.log(`size    ${(built.bytes / 1_000_000).toFixed(1)} MB (${built.bytes} bytes)`)
    console.log(`sha256  ${built.sha256}`)
  }
}
