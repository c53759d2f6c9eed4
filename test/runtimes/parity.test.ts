/** M-14, R-36: Bun, Node, Deno and workerd give the same bytes. */
import { describe, expect, test } from 'bun:test'
import { signCases } from './cases/sign.ts'
import type { CoreReport } from './report.ts'
import { runCore, RUNTIME_NAMES } from './run.ts'

describe('M-14 R-36 one suite, four runtimes', () => {
  const reference = runCore('bun')
  // All at once. Bun a second time: nothing in it depends on time or chance.
  const runs = new Map(RUNTIME_NAMES.map(name => [name, runCore(name)]))
  for (const run of [reference, ...runs.values()]) run.catch(() => {})

  test('the suite is not empty and no case failed', async () => {
    const { results } = await reference
    expect(results.length).toBeGreaterThan(25)
    expect(results.filter(each => each.failed !== undefined)).toEqual([])
    // No two different cases give the same thing, so none is empty by mistake.
    expect(new Set(results.map(each => each.digest)).size).toBeGreaterThan(results.length * 0.8)
  }, 120_000)

  test('the path signs what it should, so that four runtimes do not merely agree on refusing everything', async () => {
    const cases = signCases({ wasmFromBytes: true })
    const everyEnvelope = cases['I1–I5 every envelope through the whole path']
    if (everyEnvelope === undefined) throw new Error('the case has another name now')
    const [seen] = (await everyEnvelope()) as [[string, string, object][]]
    const signed = seen.filter(([, , answer]) => 'value' in answer).map(([name, key]) => `${name} by ${key}`)
    for (const key of ['treasury', 'vault']) expect(signed).toContain(`payment by ${key}`)
    expect(signed).not.toContain('set options by treasury')
    expect(signed.length).toBeGreaterThanOrEqual(8)
    expect(seen.length - signed.length).toBeGreaterThanOrEqual(16)
  }, 120_000)

  test.each(RUNTIME_NAMES)(
    '%s gives the same bytes',
    async name => {
      const [expected, seen] = [await reference, (await runs.get(name)) as CoreReport]
      console.log(`# ${seen.runtime}: ${seen.results.length} cases, digest ${seen.digest}`)
      expect(seen.results).toEqual(expected.results as never)
      expect(seen.digest).toBe(expected.digest)
    },
    120_000,
  )
})
