/** A data plane behind its real door, in memory: configuration, tokens, ledger, limits, catalogue. Nothing here can sign. */
import { createDevIssuer, type DevIssuer } from '../../src/access/dev-tokens.ts'
import { createHours } from '../../src/access/hours.ts'
import { createMemoryRates } from '../../src/access/rate.ts'
import type { Caller } from '../../src/access/authorize.ts'
import { dataGateway } from '../../src/compose/gateway.ts'
import { gatewaySettings } from '../../src/compose/gateway-settings.ts'
import { openMemoryAuditLog } from '../../src/audit/memory.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import type { TokenLedger } from '../../src/domain/admins.ts'
import type { OutcomeEntry } from '../../src/domain/audit.ts'
import type { RateStore } from '../../src/domain/claims.ts'
import type { KeyRegistry, World } from '../../src/domain/ports.ts'
import { dataPlane } from '../../src/http/app.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { createSigner, type Signer } from '../../src/service/signer.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { ed25519 } from '@noble/curves/ed25519.js'
import { load } from '../unit/config/samples.ts'
import { manualClock, type ManualClock } from './audit-world.ts'
import { NOW } from './rig.ts'

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export interface GateOptions {
  readonly flags?: Readonly<Record<string, unknown>>
  /** Names in the catalogue. */
  readonly keys?: readonly string[]
  readonly catalogue?: (real: KeyRegistry) => KeyRegistry
  readonly ledger?: (real: TokenLedger) => TokenLedger
  readonly failures?: RateStore
}

export interface GateRig {
  readonly clock: ManualClock
  readonly issuer: DevIssuer
  readonly signer: Signer
  readonly ledger: TokenLedger
  readonly refusals: OutcomeEntry[]
  http(path: string, init: RequestInit, peer?: string): Promise<Response>
}

/** Sender constraints are off: what is asked here is refused for other reasons. */
export async function openGate(options: GateOptions = {}): Promise<GateRig> {
  const clock = manualClock(NOW)
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const world: World = { clock, random, fetch: () => Promise.reject(new Error('no network in this test')) }
  const settings = gatewaySettings(await load({ flags: { 'tokens.senderConstraint': 'optional', ...options.flags } }))
  const store = openMemoryStore()
  for (const name of options.keys ?? []) await store.keys.add(keyOf(name))
  const refusals: OutcomeEntry[] = []
  const issuer = createDevIssuer({ clock })
  const tokens = { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock }
  const ledger = options.ledger?.(store.tokens) ?? store.tokens
  const office = createHours({ clock, lastRecordAt: () => undefined })
  const failures = options.failures === undefined ? {} : { failures: options.failures }
  const gate = dataGateway(settings, tokens, ['https://sign.example'], {
    ...{ world, rates: createMemoryRates(), ledger, office },
    ...failures,
  })
  const catalogue = options.catalogue?.(store.keys) ?? store.keys
  const limits = { bodyBytes: 65_536 }
  const signer = createSigner<Caller>({
    ...{ world, logger: QUIET, limits, catalogue, setState: catalogue.setState, ...gate },
    ...{ idempotency: store.idempotency, claims: store.claims },
    audit: openMemoryAuditLog({ clock, instance: 'test', keep: 16 }),
    custody: () => Promise.reject(new Error('nothing signs here')),
    mayServe: () => {},
    recordRefusal: outcome => void refusals.push(outcome),
  })
  const readiness = async () => [{ name: 'audit', ok: true }]
  const edge = dataPlane({
    ...{ ...signer, readiness, random, clock, logger: QUIET },
    limits: { ...limits, concurrency: 256 },
  })
  return {
    ...{ clock, issuer, signer, ledger, refusals },
    http: (path, init, peer = '192.0.2.1') => edge(new Request(`http://127.0.0.1${path}`, init), { peer }),
  }
}

function keyOf(name: string): Parameters<KeyRegistry['add']>[0] {
  const publicKey = ed25519.getPublicKey(sha256(new TextEncoder().encode(name)))
  const { text, hash } = demoPolicy()
  return {
    key: { name, chain: 'stellar', network: 'testnet', policy: text, policyHash: hash, createdAt: NOW },
    version: {
      ...{ key: name, version: 1, scheme: 'ed25519', publicKey, state: 'active' },
      address: stellar.address(publicKey),
      account: stellar.address(publicKey),
    },
    binding: { id: `b_${name}`, key: name, version: 1, provider: 'mock', custody: 'native', reference: name },
  }
}
