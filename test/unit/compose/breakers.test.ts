/** T56 M-76: a real service, a real key service that goes away and comes back. */
import { afterAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { startLocalKms } from '../../../local-kms/index.ts'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { readRecords } from '../../../src/audit/read.ts'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { registerDeps } from '../../../src/compose/keys.ts'
import { startService } from '../../../src/compose/service.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { demoPolicy } from '../../../src/policy/index.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { createNative } from '../../../src/service/register.ts'
import { EXAMPLE_FILE, scratch } from '../../support/cli.ts'
import { memoryLogger } from '../../support/rig.ts'

const files = scratch()
afterAll(files.remove)
const xdr = readFileSync(EXAMPLE_FILE, 'utf8').trim()

test('T56 the key service goes away: breaker open, told at once, on record, not ready; it comes back: signed within the reset time', async () => {
  const world = bun.world()
  const issuer = createDevIssuer({ clock: world.clock })
  let kms = await startLocalKms({})
  const { port } = new URL(kms.aws)
  const logs: Record<string, unknown>[] = []
  const service = await startService(
    {
      environment: 'development',
      dataDirectory: files.path('data'),
      instance: 'test',
      providers: {
        aws: {
          kind: 'aws-kms',
          name: 'aws',
          region: 'us-east-1',
          endpoint: kms.aws,
          accessKeyId: new Secret('test', 'id'),
          secretAccessKey: new Secret('test', 'secret'),
        },
      },
      server: { host: '127.0.0.1', port: 0 },
      limits: {
        bodyBytes: 65_536,
        concurrency: 16,
        deadlineMs: 2_000,
        tries: 2,
        breakerFailures: 3,
        breakerResetMs: 400,
      },
      tokens: { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock: world.clock },
    },
    bun,
    memoryLogger(logs),
  )
  try {
    const about = { name: 'treasury', chain: 'stellar', network: 'testnet', provider: 'aws' } as const
    await createNative(registerDeps(service.room, world, 'development'), { ...about, policy: demoPolicy().text })
    const token = await issuer.issue({ subject: 'api', scopes: ['sign:*'] })
    let n = 0
    const sign = async () => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': `${++n}`,
      }
      const body = JSON.stringify({ type: 'stellar-transaction', xdr })
      const response = await fetch(`${service.url}/v1/keys/treasury/sign`, { method: 'POST', headers, body })
      return { status: response.status, ...((await response.json()) as { code?: string; reason?: string }) }
    }
    expect((await sign()).status).toBe(200)
    await kms.close()
    const said: string[] = []
    for (let round = 0; round < 6; round++) said.push((await sign()).reason ?? '')
    expect(said.at(-1)).toStartWith('not asked: ')
    const ready = await fetch(`${service.url}/readyz`)
    expect(ready.status).toBe(503)
    // Strangers hear that something is wrong with the key services, and the log which.
    expect(((await ready.json()) as { checks: unknown[] }).checks).toContainEqual({ name: 'providers', ok: false })
    const detail = 'aws: open, 1 of its keys open'
    expect(await service.checks()).toContainEqual({ name: 'providers', ok: false, detail })

    kms = await startLocalKms({ port: Number(port) })
    await world.clock.sleep(400)
    // The key is gone with the old one: an answer all the same, and no breaker minds a refusal.
    const back = await sign()
    expect(back.code).toBe('provider/refused')
    expect(await service.checks()).toContainEqual({ name: 'providers', ok: true })
    const records = await Array.fromAsync(
      readRecords(await nodeAuditFiles(files.path('data', 'audit'), { access: 'read' })),
    )
    const events = records.flatMap(record =>
      record.kind === 'event' && record.event.startsWith('breaker-') ? [[record.event, record.detail['of']]] : [],
    )
    expect(events).toEqual([
      ['breaker-open', 'key'],
      ['breaker-open', 'provider'],
      ['breaker-closed', 'key'],
      ['breaker-closed', 'provider'],
    ])
    expect(JSON.stringify([logs.filter(({ event }) => String(event).startsWith('breaker')), events])).not.toContain(
      'arn:',
    )
  } finally {
    await service.stop(100)
    await kms.close()
  }
})
