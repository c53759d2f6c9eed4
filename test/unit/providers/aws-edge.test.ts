/** M-14: the AWS provider runs on workerd with AWS's own SDK, and gives what it gives here. */
import { expect, test } from 'bun:test'
import { Miniflare } from 'miniflare'
import { awsOnTheEdge } from './aws-edge-case.ts'

test('bundled for the edge without the credential chain, the same requests and the same answers as here', async () => {
  const built = await Bun.build({
    entrypoints: [new URL('aws-edge-worker.ts', import.meta.url).pathname],
    target: 'browser',
    conditions: ['workerd'],
    format: 'esm',
    minify: true,
    external: ['node:*'],
  })
  const contents = (await built.outputs[0]?.text()) ?? ''
  expect(contents.includes('from"node:') || contents.includes('AWS_WEB_IDENTITY_TOKEN_FILE')).toBe(false)
  const modules = [{ type: 'ESModule', path: 'worker.js', contents }] as const
  const worker = new Miniflare({ modules: [...modules], compatibilityDate: '2026-06-01' })
  try {
    const there = (await (await worker.dispatchFetch('http://edge/')).json()) as { seen: unknown[]; refused: string[] }
    expect(there).toEqual((await awsOnTheEdge()) as typeof there)
    expect(there.seen.length).toBe(5)
    expect(there.refused.every(text => text.includes('no files, processes or AWS STS'))).toBe(true)
  } finally {
    await worker.dispose()
  }
  console.log(`aws-kms for the edge: ${Math.round(Bun.gzipSync(contents).length / 1024)} KB gzip`)
}, 30_000)
