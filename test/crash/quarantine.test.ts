/** R-01 T37: the key service lies, and the process is killed at every point from there on. A key that was found out never signs again by itself. */
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXAMPLE } from '../support/rig.ts'
import { endAll, startChild } from './children.ts'
import { checkClosed, newLedger, readDisk, type Server } from './ledger.ts'
import { LIE_POINTS, type Plan, type Point, type Ready } from './points.ts'

afterEach(endAll)

/** Asks once; what came of it: a code, `signed`, or `lost` when the process died meanwhile. */
async function ask(server: Server, key: string, idempotencyKey: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${server.token}`,
    'content-type': 'application/json',
    'idempotency-key': idempotencyKey,
  }
  const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
  try {
    const response = await fetch(`${server.url}/v1/keys/${key}/sign`, { method: 'POST', headers, body })
    const answer = (await response.json()) as { code?: string; state?: string }
    return response.ok ? 'signed' : `${answer.code} ${answer.state ?? ''}`.trim()
  } catch {
    return 'lost'
  }
}

/** When the process dies, is the lie on the disk? Undefined: it depends on what else was in the batch. */
const CASES: readonly { readonly point: Point; readonly nth: number; readonly known: boolean | undefined }[] = [
  { point: 'outcome before write', nth: 4, known: undefined },
  { point: 'outcome half written', nth: 4, known: undefined },
  { point: 'outcome written', nth: 4, known: undefined },
  { point: 'outcome synced', nth: 4, known: undefined },
  ...LIE_POINTS.map(point => ({ point, nth: 1, known: true })),
]

for (const { point, nth, known } of CASES) {
  test(`R-01 T37 the fourth answer is a lie, killed at "${point}": in quarantine after the start if it is on record, and nothing of it is out`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-lie-'))
    try {
      const ledger = newLedger(directory, [])
      const run = async (plan: Plan, body: (server: Server) => Promise<void>): Promise<void> => {
        const child = startChild<Ready>(directory, plan)
        const server = await child.ready
        if (server === undefined) throw new Error(`it does not start: ${(await child.ended).stderr}`)
        await body(server)
        child.kill()
        expect((await child.ended).signal).toBe('SIGKILL')
      }
      const answers: string[] = []
      await run({ lie: { nth: 4 }, die: { point, nth } }, async server => {
        for (let n = 0; n < 3; n++) answers.push(await ask(server, 'native', `k-${n}`))
        answers.push(...(await Promise.all([3, 4, 5, 6].map(n => ask(server, 'native', `k-${n}`)))))
      })
      expect(answers.slice(0, 3)).toEqual(['signed', 'signed', 'signed'])
      expect(answers.slice(3)).not.toContain('signed')

      const onRecord = async (): Promise<number> =>
        (await readDisk(ledger, true)).filter(each => each.kind === 'event' && each.event === 'key-quarantined').length
      const found = await onRecord()
      if (known !== undefined) expect(found > 0).toBe(known)
      expect(found).toBeLessThanOrEqual(1)
      // Twice: the second start reads a log that the first one has noted.
      for (let start = 0; start < 2; start++) {
        await run({}, async server => {
          checkClosed(ledger, await readDisk(ledger, false))
          const wanted = found > 0 ? 'key/not-active quarantined' : 'signed'
          expect(await ask(server, 'native', `again-${start}`)).toBe(wanted)
          expect(await ask(server, 'native', 'k-3')).toBe(wanted)
          expect(await ask(server, 'envelope', `other-${start}`)).toBe('signed')
        })
      }
      expect(await onRecord()).toBe(found)
      const released = (await readDisk(ledger, true)).filter(
        each => each.kind === 'outcome' && each.result === 'released' && each.key === 'native',
      )
      if (found > 0) expect(released).toHaveLength(3)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }, 60_000)
}
