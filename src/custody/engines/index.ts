import type { Scheme } from '../../domain/provider.ts'
import type { SeedEngine } from './engine.ts'

export type { SeedEngine } from './engine.ts'

/** What the runtime allows, told by `src/runtime` and not guessed here. */
export interface EngineCapability {
  /** False on workerd, which refuses to compile WASM that did not come with the upload. */
  readonly wasmFromBytes: boolean
}

export type Engines = (scheme: Scheme) => Promise<SeedEngine>

/** The engine with the least residue that this runtime can run. Loads only what it picks. */
export async function pickEngine(scheme: Scheme, capability: EngineCapability): Promise<SeedEngine> {
  if (scheme === 'ecdsa-secp256k1') return (await import('./secp256k1.ts')).secp256k1Engine()
  if (capability.wasmFromBytes) return (await import('./sodium.ts')).sodiumEngine()
  return (await import('./webcrypto.ts')).webCryptoEngine(globalThis.crypto.subtle)
}

/** One engine a scheme, made at first use. A failed start is forgotten, so that the next call tries again. */
export function createEngines(
  capability: EngineCapability,
  pick: (scheme: Scheme, capability: EngineCapability) => Promise<SeedEngine> = pickEngine,
): Engines {
  const started = new Map<Scheme, Promise<SeedEngine>>()
  return scheme => {
    const known = started.get(scheme)
    if (known !== undefined) return known
    const starting = pick(scheme, capability)
    started.set(scheme, starting)
    starting.catch(() => started.delete(scheme))
    return starting
  }
}
