/**
 * workerd through miniflare: bundles a suite the way an edge build does and asks for its answer. Without an argument the
 * portable core; with the addresses of the key services as JSON, the providers.
 */
import { Miniflare } from 'miniflare'
import { bundleForEdge } from '../bundle.ts'

const [, , places] = process.argv
const { code } = await bundleForEdge(`test/runtimes/runners/${places === undefined ? 'worker' : 'worker-services'}.ts`)
const worker = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.js', contents: code }],
  compatibilityDate: '2026-06-01',
  bindings: places === undefined ? {} : { places: JSON.parse(places) },
})
console.log(await (await worker.dispatchFetch('http://edge/')).text())
await worker.dispose()
