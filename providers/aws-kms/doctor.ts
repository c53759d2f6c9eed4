import { GetPublicKeyCommand } from '@aws-sdk/client-kms'
import type { Doctor, Finding, Patient } from '../../src/domain/doctor.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Call } from '../../src/domain/provider.ts'
import { checkedConfig } from '../checks.ts'
import type { ProviderWorld } from '../world.ts'
import { type KmsClient, openClient } from './client.ts'
import { type AwsKmsConfig, awsKmsSchema } from './config.ts'
import { contextsToAsk, type KeyReading, mayDecrypt, readKey, reasonOf } from './doctor-keys.ts'
import { examinePermissions } from './doctor-permissions.ts'
import { identify, reach } from './doctor-reach.ts'
import { vendorErrorOf } from './doctor-words.ts'
import { platformSources } from './platform.ts'

const SAMPLES = 5

/**
 * Reads, and asks for dry runs: no signature and no ciphertext is made.
 * @throws `config/invalid`
 */
export async function createDoctor(config: AwsKmsConfig, world: ProviderWorld): Promise<Doctor> {
  const checked = checkedConfig(awsKmsSchema(), config, 'see providers/aws-kms/README.md')
  const client = openClient(checked, world, platformSources)
  return Object.freeze({
    examine: (patients, call) => examine(client, checked, world, patients, call),
    close: async () => client.close(),
  } satisfies Doctor)
}

async function* examine(
  client: KmsClient,
  config: AwsKmsConfig,
  world: ProviderWorld,
  patients: readonly Patient[],
  call: Call,
): AsyncIterable<Finding> {
  const reached = await reach(client, world, call)
  yield* reached.findings
  if (!reached.answered) return yield* skipped('credentials', 'the endpoint cannot be reached')

  const identified = await identify(client, config, world, call)
  yield identified.finding
  if (!identified.usable) return yield* skipped('key', 'there are no credentials to ask with')

  const readings: KeyReading[] = []
  for (const patient of patients) {
    const reading = await readKey(client, config.name ?? config.kind, patient, call)
    readings.push(reading)
    yield reading.finding
  }
  for (const reading of readings) yield* examinePermissions(client, reading, patients, identified.arn, call)
  yield await sample(client, world, readings, call)
}

function* skipped(from: 'credentials' | 'key', meaning: string): Iterable<Finding> {
  const checks = ['credentials', 'key', 'permission', 'latency'] as const
  for (const check of checks.slice(checks.indexOf(from))) yield { check, outcome: 'skipped', meaning }
}

/** On a connection that is open by now; what a cold one costs is not in it. */
async function sample(
  client: KmsClient,
  world: ProviderWorld,
  readings: readonly KeyReading[],
  call: Call,
): Promise<Finding> {
  const reading = readings.find(({ patient }) => patient.use === 'sign') ?? readings[0]
  if (reading === undefined) return { check: 'latency', outcome: 'skipped', meaning: 'there is no key to ask about' }
  const { patient, reference } = reading
  const operation = patient.use === 'sign' ? 'GetPublicKey' : 'Decrypt (dry run)'
  const times: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const from = world.clock.monotonic()
    try {
      if (patient.use === 'sign') await askPublicKey(client, reference, call)
      else await mayDecrypt(client, reference, contextsToAsk(patient)[0], call)
    } catch (error) {
      if (!isSignerError(error)) throw error
      // A refusal takes its time as well, so long as the service itself gave it.
      if (error.code !== 'provider/refused') {
        return { check: 'latency', outcome: 'skipped', ...vendorErrorOf(error), meaning: reasonOf(error) }
      }
    }
    times.push(world.clock.monotonic() - from)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const ms = (value = 0): number => Math.round(value * 100) / 100
  const facts = { operation, samples: SAMPLES, p50Ms: ms(sorted[SAMPLES >> 1]), maxMs: ms(sorted.at(-1)) }
  return { check: 'latency', outcome: 'ok', reference: patient.reference, facts }
}

const askPublicKey = (client: KmsClient, KeyId: string, call: Call): Promise<unknown> =>
  client.attempt({ name: 'GetPublicKey', kind: 'read' }, call, (kms, options) =>
    kms.send(new GetPublicKeyCommand({ KeyId }), options),
  )
