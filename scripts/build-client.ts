/**
 * Makes the package that programs install: `bun scripts/build-client.ts [OUTDIR]`, dist/client unless told. JavaScript and
 * declarations of `countersign/client` and `countersign/ethers`, with no dependency; the SDKs are optional peers.
 * `npm publish dist/client` would publish it, `bun pm pack` makes its tarball.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What a program may have beside it; nobody needs all of them, and the client itself needs none. */
const PEERS = { '@stellar/stellar-sdk': '>=14 <18', ethers: '^6.14.0', viem: '^2.21.0' }

export function buildClient(outdir: string): void {
  rmSync(outdir, { recursive: true, force: true })
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const config = join(ROOT, 'src/client/tsconfig.build.json')
  const ran = spawnSync(process.execPath, [tsc, '-p', config, '--outDir', outdir], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`tsc ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`)
  for (const name of readdirSync(outdir).filter(each => each.endsWith('.d.ts'))) {
    const path = join(outdir, name)
    // The compiler rewrites imports in code; in declarations it leaves them.
    writeFileSync(path, readFileSync(path, 'utf8').replace(/(from ')(\.\/[a-z-]+)\.ts(';)/g, '$1$2.js$3'))
  }
  writeFileSync(join(outdir, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`)
  copyFileSync(join(ROOT, 'docs/client.md'), join(outdir, 'README.md'))
  copyFileSync(join(ROOT, 'LICENSE'), join(outdir, 'LICENSE'))
}

function manifest() {
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>
  const { name, version, license } = own
  const at = (file: string) => ({ types: `./${file}.d.ts`, default: `./${file}.js` })
  return {
    name,
    version,
    description: 'Client of the Countersign signing service: stellar-sdk signers, viem accounts, ethers signers.',
    license,
    type: 'module',
    sideEffects: false,
    exports: { './client': at('index'), './ethers': at('ethers'), './package.json': './package.json' },
    files: ['*.js', '*.d.ts'],
    engines: { node: '>=22' },
    peerDependencies: PEERS,
    peerDependenciesMeta: Object.fromEntries(Object.keys(PEERS).map(peer => [peer, { optional: true }])),
  }
}

if (import.meta.main) {
  const outdir = resolve(process.argv[2] ?? join(ROOT, 'dist/client'))
  buildClient(outdir)
  console.log(outdir)
}
