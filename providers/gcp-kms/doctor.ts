import type { Doctor, Finding, Patient } from '../../src/domain/doctor.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { describeKey } from './describe.ts'
import { adviceOn, createFix, NEEDED, OPTIONAL, TOO_WIDE } from './doctor-advice.ts'
import {
  causeOf,
  type Chart,
  clock,
  credentialsFinding,
  keyFailure,
  permissionFindings,
  reachable,
  skipped,
  vendorText,
} from './doctor-findings.ts'
import { fullName, isVersionName, keyOf, ringName } from './names.ts'
import { openWire } from './open.ts'
import { CredentialsError, VendorError } from './translate.ts'
import { type Identity, listIn, messageIn, OPERATIONS, textIn } from './wire.ts'

const SAMPLES = 5

/**
 * Diagnoses through the transport that is configured. Rights are asked by testIamPermissions, which needs none itself;
 * it answers for the key as a whole, so a condition on a version is not seen.
 */
export async function createDoctor(given: GcpKmsConfig, world: ProviderWorld): Promise<Doctor> {
  const { config, name, wire } = await openWire(given, world)

  async function* examine(patients: readonly Patient[], call: Call): AsyncIterable<Finding> {
    const { transport = 'rest', endpoint = 'https://cloudkms.googleapis.com' } = config
    yield { check: 'configuration', outcome: 'ok', facts: { transport, endpoint } }
    const charts = patients.map(patient => chartOf(patient))
    const probe = await probed(charts.find(({ key }) => key !== undefined)?.key, call)
    yield* probe.findings
    if (!probe.usable) return yield* skipped(patients)
    const known: Chart[] = []
    for (const chart of charts) known.push({ ...chart, held: await rightsOn(chart.key, call) })
    for (const chart of known) yield await keyFinding(chart, call)
    for (const chart of known) yield* permissionFindings(chart, probe.identity)
    yield await latency(known, call)
  }

  function chartOf(patient: Patient): Chart {
    const full = fullName(patient.reference, config)
    return { patient, key: full !== undefined && isVersionName(full) ? keyOf(full) : full, held: undefined }
  }

  /** One harmless request: it shows whether there is a way to the service, what time it has there, and whether it knows us. */
  async function probed(key: string | undefined, call: Call) {
    const fallback = `${ringName(config) ?? 'projects/none/locations/global/keyRings/none'}/cryptoKeys/none`
    const sentAt = world.clock.now()
    let failure: unknown
    let serverTime: number | undefined
    try {
      const fields = { permissions: [OPTIONAL] }
      ;({ serverTime } = await wire.attempt(OPERATIONS.permissions, { name: key ?? fallback, fields }, call))
    } catch (error) {
      failure = causeOf(error)
      if (failure instanceof VendorError) serverTime = failure.facts.serverTime
    }
    const receivedAt = world.clock.now()
    const answered = failure === undefined || failure instanceof VendorError
    const findings: Finding[] = [reachable(failure, answered)]
    findings.push(clock(answered, serverTime, (sentAt + receivedAt) / 2))
    const { finding, identity } = await credentials(failure, answered, call)
    findings.push(finding)
    return { findings, identity, usable: answered && finding.outcome === 'ok' }
  }

  async function credentials(failure: unknown, answered: boolean, call: Call) {
    let identity: Identity = { kind: 'unknown' }
    let reason = failure instanceof CredentialsError ? failure : undefined
    try {
      if (reason === undefined) identity = await wire.identity(call)
    } catch (error) {
      reason = error instanceof CredentialsError ? error : new CredentialsError('unreachable', { cause: error })
    }
    return { identity, finding: credentialsFinding(failure, reason, answered, identity) }
  }

  async function rightsOn(key: string | undefined, call: Call): Promise<ReadonlySet<string> | unknown> {
    if (key === undefined) return undefined
    const permissions = [
      ...Object.values(NEEDED)
        .flat()
        .map(([permission]) => permission),
      OPTIONAL,
      ...TOO_WIDE,
    ]
    try {
      const { message } = await wire.attempt(OPERATIONS.permissions, { name: key, fields: { permissions } }, call)
      return new Set(listIn(message, 'permissions').filter(each => typeof each === 'string'))
    } catch (error) {
      return error
    }
  }

  async function keyFinding(chart: Chart, call: Call): Promise<Finding> {
    const { patient, key, held } = chart
    const about = { check: 'key', reference: patient.reference } as const
    if (key === undefined) {
      const meaning = 'the reference is no resource name of Cloud KMS'
      const fix = 'use projects/P/locations/L/keyRings/R/cryptoKeys/K, with /cryptoKeyVersions/N for signing'
      return { ...about, outcome: 'failed', meaning, fix }
    }
    const needed = patient.use === 'sign' ? 'cloudkms.cryptoKeyVersions.viewPublicKey' : OPTIONAL
    if (held instanceof Set && !held.has(needed)) {
      return { ...about, outcome: 'skipped', meaning: `what the key is cannot be read without ${needed}` }
    }
    try {
      return patient.use === 'sign' ? await signingKey(chart, call) : await wrappingKey(chart, key, call)
    } catch (error) {
      return { ...about, ...keyFailure(error, patient, key) }
    }
  }

  async function signingKey({ patient }: Chart, call: Call): Promise<Finding> {
    const facts = await describeKey(wire, name, config, patient.reference, call)
    const about = { check: 'key', reference: patient.reference } as const
    const shown = { scheme: facts.scheme, protection: facts.protection, version: facts.reference }
    if (patient.scheme !== undefined && patient.scheme !== facts.scheme) {
      const meaning = `the key signs ${facts.scheme}, the binding says ${patient.scheme}`
      return {
        ...about,
        outcome: 'failed',
        meaning,
        fix: 'bind the version that the address was made from',
        facts: shown,
      }
    }
    return { ...about, outcome: 'ok', facts: shown }
  }

  async function wrappingKey({ patient }: Chart, key: string, call: Call): Promise<Finding> {
    const { message } = await wire.attempt(OPERATIONS.key, { name: key }, call)
    const about = { check: 'key', reference: patient.reference } as const
    const purpose = textIn(message, 'purpose') ?? 'unknown'
    const primary = messageIn(message, 'primary') ?? {}
    const state = textIn(primary, 'state') ?? 'unknown'
    const facts = { purpose, state, protection: textIn(primary, 'protectionLevel') ?? 'unknown' }
    if (purpose !== 'ENCRYPT_DECRYPT') {
      const meaning = `the key has the purpose ${purpose.slice(0, 40)} and cannot hold envelopes`
      return { ...about, outcome: 'failed', meaning, fix: createFix(key, patient.use), facts }
    }
    if (state !== 'ENABLED') {
      const { meaning, fix } = adviceOn('FAILED_PRECONDITION', undefined, state, key, textIn(primary, 'name'))
      return {
        ...about,
        outcome: 'failed',
        meaning: `${meaning}: the primary version is ${state.slice(0, 40)}`,
        fix,
        facts,
      }
    }
    return { ...about, outcome: 'ok', facts }
  }

  /** Over the cheapest call that touches the key; its cost is that of the way, not of a signature. */
  async function latency(charts: readonly Chart[], call: Call): Promise<Finding> {
    const key = charts.find(chart => chart.key !== undefined)?.key
    if (key === undefined) return { check: 'latency', outcome: 'skipped', meaning: 'no key to ask about' }
    const taken: number[] = []
    try {
      for (let i = 0; i < SAMPLES; i++) {
        const before = world.clock.monotonic()
        await wire.attempt(OPERATIONS.permissions, { name: key, fields: { permissions: [OPTIONAL] } }, call)
        taken.push(world.clock.monotonic() - before)
      }
    } catch (error) {
      return {
        check: 'latency',
        outcome: 'skipped',
        ...vendorText(error),
        meaning: 'the samples could not be finished',
      }
    }
    taken.sort((a, b) => a - b)
    const p50Ms = Math.round((taken[Math.floor(SAMPLES / 2)] ?? 0) * 100) / 100
    return { check: 'latency', outcome: 'ok', facts: { p50Ms, samples: SAMPLES, call: 'TestIamPermissions' } }
  }

  return Object.freeze({ examine, close: async () => wire.close() })
}
