/** A whole data plane in memory, of real parts, over whatever provider the cell gives it: real clock, short deadline. */
import { authorize, type Caller } from '../../src/access/authorize.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { createTokenVerifier } from '../../src/access/tokens.ts'
import { createMemoryFiles } from '../../src/audit/memory-files.ts'
import { openAuditLog } from '../../src/audit/open.ts'
import { readRecords } from '../../src/audit/read.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import { replayInto } from '../../src/compose/restore.ts'
import { contextFor, createCustody, createEngines, createResilience } from '../../src/custody/index.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import type { Binding, EnvelopeRow, KeyVersion, ResolvedKey, VersionState } from '../../src/domain/key.ts'
import type { Clock } from '../../src/domain/ports.ts'
import type { EnvelopeProvider, KeyRef, Scheme, SignInput } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { dataPlane } from '../../src/http/app.ts'
import { defaultPolicy, demoPolicy } from '../../src/policy/index.ts'
import { realClock, realRandom, realWorld } from '../../src/runtime/world.ts'
import { adopt, type RegisterDeps } from '../../src/service/register.ts'
import { createSigner } from '../../src/service/signer.ts'
import { verifyAfterSign } from '../../src/service/verify-after-sign.ts'
import { lagHead } from '../../src/store/lagging-head.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { EXAMPLE, memoryLogger } from '../support/rig.ts'
import { ENVELOPE_PUBLIC, ENVELOPE_SEED, PUBLIC, type Remote, SECP_PUBLIC } from './remotes.ts'

export const TRIES = 3
const BODY_BYTES = 65_536
const NETWORK = 'testnet'

/** The same for all worlds: starting an engine takes its time, and it keeps no key. */
const engines = createEngines({ wasmFromBytes: true })
const issuer = createDevIssuer({ clock: { now: () => Date.now() } })
const token = issuer.issue({ subject: 'tester', scopes: ['sign:*', 'read:*'], seconds: 900 })

export interface DataPlane {
  /** `POST /v1/keys/treasury/sign` with a fresh idempotency key. */
  sign(): Promise<Response>
  /** Registers the key of the service under a fresh name: public key read, challenge signed, verified, pinned. */
  adopt(): Promise<ResolvedKey>
  /** Custody and verification of a chain that this service signs for natively and takes no payload of yet. */
  signDigest(input: SignInput): Promise<Uint8Array>
  state(): Promise<VersionState | undefined>
  names(): Promise<string[]>
  records(): Promise<AuditRecord[]>
  readonly logs: readonly Record<string, unknown>[]
  close(): Promise<void>
}

export async function openDataPlane(
  remote: Remote,
  custody: 'native' | 'envelope',
  provider: () => EnvelopeProvider,
  time: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<DataPlane> {
  const { clock, deadlineMs } = time
  const world = { ...realWorld(), clock }
  const files = createMemoryFiles()
  const store = openMemoryStore()
  const ports = lagHead(store)
  const onRecord = replayInto(store)
  const { log } = await openAuditLog({ files, clock, instance: 'r14', index: ports.auditIndex, onRecord })
  const logs: Record<string, unknown>[] = []
  const logger = memoryLogger(logs)
  const resilience = createResilience({
    clock,
    random: realRandom,
    deadlineMs,
    triesMax: TRIES,
    places: 8,
  })
  const { key, row } = await treasury(remote, custody, provider().name)
  await store.keys.add({ key: key.key, version: key.version, binding: key.bindings[0]!, ...(row && { envelope: row }) })

  const sign = createCustody({
    provider: async () => provider(),
    readRow: id => store.keys.envelope(id),
    engines,
    attempts: resilience.attempts,
  })
  const signer = createSigner<Caller>({
    world,
    logger,
    limits: { bodyBytes: BODY_BYTES },
    catalogue: store.keys,
    setState: store.keys.setState,
    idempotency: ports.idempotency,
    claims: store.claims,
    audit: log,
    authenticate: createTokenVerifier({
      jwks: issuer.jwks,
      issuer: issuer.issuer,
      audience: issuer.audience,
      clock,
    }),
    authorize,
    custody: sign,
    mayServe: () => {},
    recordRefusal: () => {},
  })
  const edge = dataPlane({
    ...signer,
    readiness: async () => [],
    random: realRandom,
    clock: realClock,
    logger,
    limits: { bodyBytes: BODY_BYTES, concurrency: 8 },
  })
  const deps: RegisterDeps = {
    registry: store.keys,
    audit: log,
    clock,
    random: realRandom,
    actor: { subject: 'operator', peer: 'cli' },
    provider: async () => provider(),
    admin: () => Promise.reject(new Error('no key is made here')),
    call: run =>
      resilience.attempts({
        provider: provider().name,
        key: remote.keys.native,
        requestId: 'r_adopt',
        effect: 'read',
        run,
      }),
    publicKeyOf: () => Promise.reject(new Error('no seed is wrapped here')),
    trial: (resolved, _row, input) => sign(resolved, resolved.bindings[0]!, input, 'r_trial'),
    mayServe: () => {},
    isPublished: () => false,
    policy: () => defaultPolicy(),
    checkNetwork: () => {},
  }
  let count = 0
  return {
    logs,
    sign: async () => {
      const headers = {
        authorization: `Bearer ${await token}`,
        'content-type': 'application/json',
        'idempotency-key': `r14-${++count}`,
      }
      const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
      const request = new Request('http://127.0.0.1/v1/keys/treasury/sign', { method: 'POST', headers, body })
      return edge(request, { peer: '127.0.0.1' })
    },
    adopt: () => {
      const about = {
        name: `adopted-${++count}`,
        chain: 'stellar',
        network: NETWORK,
        shared: true, // the same key is registered again and again
        provider: provider().name,
      } as const
      return adopt(deps, about, remote.keys.native)
    },
    signDigest: async input => {
      const { signature } = await sign(...evmKey(remote, provider().name), input, 'r_digest')
      await verifyAfterSign(input, SECP_PUBLIC, signature)
      return signature
    },
    state: () => store.keys.stateOf('treasury', 1),
    names: async () => (await store.keys.list()).map(each => each.key.name),
    records: () => Array.fromAsync(readRecords(files)),
    close: () => log.close(),
  }
}

function resolvedKey(
  about: { name: string; scheme: Scheme; publicKey: Uint8Array; address: string },
  binding: Pick<Binding, 'provider' | 'custody' | 'reference'>,
): ResolvedKey {
  const policy = demoPolicy()
  const { name, scheme, publicKey, address } = about
  const version: KeyVersion = { key: name, version: 1, scheme, publicKey, address, account: address, state: 'active' }
  return {
    key: {
      name,
      chain: 'stellar',
      network: NETWORK,
      policy: policy.text,
      policyHash: policy.hash,
      createdAt: Date.now(),
    },
    version,
    bindings: [{ id: 'b_1', key: name, version: 1, ...binding }],
  }
}

async function treasury(
  remote: Remote,
  custody: 'native' | 'envelope',
  provider: string,
): Promise<{ key: ResolvedKey; row: EnvelopeRow | undefined }> {
  const native = custody === 'native'
  const publicKey = native ? PUBLIC : ENVELOPE_PUBLIC
  const reference: KeyRef = native ? remote.keys.native : remote.keys.wrapping
  const about = { name: 'treasury', scheme: 'ed25519', publicKey, address: stellar.address(publicKey) } as const
  const key = resolvedKey(about, { provider, custody, reference })
  return { key, row: native ? undefined : await rowOf(remote, key) }
}

/** Wrapped once a service: the same key for all cells. */
const rows = new WeakMap<Remote, Promise<EnvelopeRow>>()

function rowOf(remote: Remote, { key, version }: ResolvedKey): Promise<EnvelopeRow> {
  const known = rows.get(remote)
  if (known !== undefined) return known
  const context = contextFor(version, key.network)
  const wrap = async (): Promise<EnvelopeRow> => {
    const provider = await remote.open(`http://${remote.target}`, 'signer')
    const seed = new SecretBytes(ENVELOPE_SEED.slice(), 'seed')
    const call = { requestId: 'setup', signal: new AbortController().signal }
    const ciphertext = await provider.wrap(remote.keys.wrapping, seed, context, call)
    await provider.close()
    return { bindingId: 'b_1', ciphertext, context }
  }
  const row = wrap()
  rows.set(remote, row)
  return row
}

function evmKey(remote: Remote, provider: string): [ResolvedKey, Binding] {
  const about = { name: 'evm', scheme: 'ecdsa-secp256k1', publicKey: SECP_PUBLIC, address: '' } as const
  const key = resolvedKey(about, { provider, custody: 'native', reference: remote.keys.secp256k1! })
  return [key, key.bindings[0]!]
}
