/** The whole path of a signature, wired as the service wires it, over memory. */
import { authorize, type Caller } from '../../src/access/authorize.ts'
import { createMemoryFiles } from '../../src/audit/memory-files.ts'
import { openAuditLog } from '../../src/audit/open.ts'
import { verifyAuditLog } from '../../src/audit/verify.ts'
import {
  type Attempts,
  createAttempts,
  createCustody,
  createEngines,
  type EngineCapability,
} from '../../src/custody/index.ts'
import type { KeyProvider } from '../../src/domain/provider.ts'
import { createSigner } from '../../src/service/signer.ts'
import type { Store } from '../../src/store/store.ts'
import { openVerifier } from './cases/tokens.ts'
import { outcome } from './report.ts'
import { fixedClock, providerWorld, seededRandom } from './world.ts'

export interface PathParts {
  readonly capability: EngineCapability
  /** The keys are in it. */
  readonly store: Store
  readonly provider: KeyProvider
  /** Default: no deadline ever passes, which is right where no call leaves this process. */
  readonly attempts?: Attempts
}

export async function openPath({ capability, store, provider, attempts }: PathParts) {
  const world = { ...providerWorld('sign'), clock: fixedClock() }
  const files = createMemoryFiles()
  let reads = 0
  const custody = createCustody({
    provider: async () => provider,
    readRow: bindingId => {
      reads++
      return store.keys.envelope(bindingId)
    },
    engines: createEngines(capability),
    attempts: attempts ?? createAttempts({ clock: world.clock, random: world.random }),
  })
  const { log } = await openAuditLog({ files, clock: world.clock, random: seededRandom('log'), instance: 'parity' })
  const events: unknown[] = []
  const record = (event: string, fields?: Record<string, unknown>) => void events.push([event, fields?.['incident']])
  const signer = createSigner<Caller>({
    world,
    logger: { debug: record, info: record, warn: record, error: record },
    limits: { bodyBytes: 65_536 },
    catalogue: store.keys,
    setState: store.keys.setState,
    idempotency: store.idempotency,
    claims: store.claims,
    // The cases sign many transactions for one sequence number; that this is refused is shown elsewhere.
    unguarded: new Set((await store.keys.list()).map(({ key }) => key.name)),
    audit: log,
    authenticate: openVerifier(),
    authorize,
    custody,
    mayServe: () => {},
    recordRefusal: refusal => void events.push(refusal),
  })
  const sign = (key: string, body: string, authorization: string | undefined, idempotencyKey: string | undefined) =>
    outcome(() =>
      signer.sign({
        key,
        body: new TextEncoder().encode(body),
        authorization,
        idempotencyKey,
        requestId: 'r-parity',
        peer: '127.0.0.1',
      }),
    )
  /** Events, rows read, and what the audit log says of itself. */
  const close = async () => {
    await log.close()
    return [events, reads, await verifyAuditLog(files)]
  }
  return { sign, close }
}

/** The body of a request for one transaction. */
export const requestBody = (xdr: unknown): string => JSON.stringify({ type: 'stellar-transaction', xdr })
