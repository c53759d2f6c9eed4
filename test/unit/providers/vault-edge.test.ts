/** M-14: the Vault provider runs on workerd, and gives what it gives here. */
import { expect, test } from 'bun:test'
import { Miniflare } from 'miniflare'
import { vaultOnTheEdge } from './vault-edge-case.ts'

test('bundled for the edge without node-vault, the same requests and the same answers as here', async () => {
  const built = await Bun.build({
    entrypoints: [new URL('vault-edge-worker.ts', import.meta.url).pathname],
    target: 'browser',
    conditions: ['workerd'],
    format: 'esm',
    external: ['node:*'],
  })
  const contents = (await built.outputs[0]?.text()) ?? ''
  expect(contents.includes('tv4') || contents.includes('axios') || contents.includes('from "node:')).toBe(false)
  const modules = [{ type: 'ESModule', path: 'worker.js', contents }] as const
  const worker = new Miniflare({ modules: [...modules], compatibilityDate: '2026-06-01' })
  try {
    const there = await (await worker.dispatchFetch('http://edge/')).json()
    expect(there).toEqual(await vaultOnTheEdge())
  } finally {
    await worker.dispose()
  }
}, 30_000)
