/** A rig whose key service is out for some keys. */
import { SignerError } from '../../src/domain/errors.ts'
import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { openRig, type Rig, type RigOptions } from './rig.ts'

export interface OutageRig {
  readonly rig: Rig
  /** Names of the keys for which it is out. */
  readonly down: Set<string>
}

export async function openRigWithOutages(options: RigOptions): Promise<OutageRig> {
  const down = new Set<string>()
  const names = new Map<string, string>()
  const provider = (real: EnvelopeProvider): EnvelopeProvider => ({
    ...real,
    sign: async (reference, input, call) => {
      if (!down.has(names.get(reference) ?? '')) return real.sign(reference, input, call)
      throw new SignerError('provider/unavailable', { provider: 'mock', reason: 'is down' })
    },
  })
  const rig = await openRig({ ...options, provider })
  for (const [name, { bindings }] of rig.keys) names.set(bindings[0]?.reference ?? '', name)
  return { rig, down }
}
