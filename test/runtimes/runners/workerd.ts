/** workerd through miniflare: bundles the suite the way an edge build does and asks for its answer. */
import { Miniflare } from 'miniflare'

const entry = new URL('worker.ts', import.meta.url).pathname
const { outputs } = await Bun.build({
  entrypoints: [entry],
  target: 'browser',
  conditions: ['workerd'],
  format: 'esm',
  external: ['node:*', 'libsodium'], // workerd compiles no WASM from bytes, so that engine is never asked for
})
const contents = (await outputs[0]?.text()) ?? ''
const modules = [{ type: 'ESModule', path: 'worker.js', contents }] as const
const worker = new Miniflare({ modules: [...modules], compatibilityDate: '2026-06-01' })
console.log(await (await worker.dispatchFetch('http://edge/')).text())
await worker.dispose()
