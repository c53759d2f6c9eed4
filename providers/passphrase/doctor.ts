import type { Doctor, Finding } from '../../src/domain/doctor.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Call, KeyRef } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import type { ProviderWorld } from '../world.ts'
import type { PassphraseConfig } from './config.ts'
import { create, type Machine, machineOf } from './index.ts'

const SAMPLES = 3
const CONTEXT = { purpose: 'countersign doctor' }

/** Looks at what there is to look at: that a key's passphrase is configured, and what opening one row takes here. */
export async function createDoctor(
  config: PassphraseConfig,
  world: ProviderWorld,
  machine: Machine = machineOf(),
): Promise<Doctor> {
  const provider = await create(config, world, machine)
  const known = Object.keys(config.passphrases).map(label => `passphrase/${label}`)

  async function* examine(patients: Parameters<Doctor['examine']>[0], call: Call): AsyncIterable<Finding> {
    yield { check: 'configuration', outcome: 'ok', facts: { passphrases: known.length } }
    for (const { reference, use } of patients) yield key(known, reference, use)
    yield await latency(call)
  }

  async function latency(call: Call): Promise<Finding> {
    const took: number[] = []
    try {
      const wrappingKey = known[0] ?? ''
      const row = await provider.wrap(wrappingKey, new SecretBytes(new Uint8Array(32).fill(1), 'sample'), CONTEXT, call)
      for (let sample = 0; sample < SAMPLES; sample++) {
        const from = world.clock.monotonic()
        ;(await provider.unwrap(wrappingKey, row, CONTEXT, call)).plaintext.wipe()
        took.push(world.clock.monotonic() - from)
      }
    } catch (error) {
      const meaning =
        isSignerError(error) && 'reason' in error.detail ? error.detail.reason : 'a row could not be opened'
      return {
        check: 'latency',
        outcome: 'failed',
        meaning,
        fix: 'give the process more time or memory, or a cheaper kdf',
      }
    }
    const p50Ms = Math.round(took.toSorted((a, b) => a - b)[1] ?? 0)
    return { check: 'latency', outcome: 'ok', facts: { p50Ms, samples: SAMPLES } }
  }

  return Object.freeze({ examine, close: () => provider.close() })
}

function key(known: readonly KeyRef[], reference: KeyRef, use: 'sign' | 'unwrap' | 'wrap'): Finding {
  if (!known.includes(reference)) {
    return {
      check: 'key',
      outcome: 'failed',
      reference,
      meaning: 'the configuration names no such passphrase',
      fix: `add it below providers.<name>.passphrases, or use ${known.join(' or ')}`,
    }
  }
  if (use !== 'sign') return { check: 'key', outcome: 'ok', reference, facts: { protection: 'software' } }
  return {
    check: 'key',
    outcome: 'failed',
    reference,
    meaning: 'a passphrase wraps keys and signs nothing',
    fix: 'use envelope custody',
  }
}
