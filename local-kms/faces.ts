import { type AwsHosted, createAwsHosted } from './aws/hosted.ts'
import type { AwsSnapshot } from './aws/store.ts'
import type { FaceWorld } from './core/face.ts'
import type { MakeFace } from './core/host.ts'
import type { GcpFace, GcpSnapshot } from './gcp/face.ts'
import type { LocalKmsOptions } from './options.ts'
import type { ReadSeed, SectionSchema } from './seed.ts'
import type { VaultFace } from './vault/face.ts'

/** The faces of one instance, each with what only it can do. */
export interface MadeFaces {
  aws?: AwsHosted
  vault?: VaultFace
  gcp?: GcpFace
}

/** Faces beside AWS are loaded when they are asked for. */
export const schemaOf: SectionSchema = async face =>
  face === 'vault' ? (await import('./vault/seed.ts')).vaultSeed : (await import('./gcp/seed.ts')).gcpSeedDocument

/** Makes faces from the options, and remembers them. */
export function faceMaker(options: LocalKmsOptions, seed: ReadSeed | undefined, made: MadeFaces): MakeFace {
  return async (name, world, kept) => {
    switch (name) {
      case 'aws':
        return (made.aws = await makeAws(options, seed, world, kept as AwsSnapshot | undefined))
      case 'vault': {
        const { createVaultFace } = await import('./vault/face.ts')
        made.vault = await createVaultFace(world, { ...options.vault, seed: seed?.vault })
        // What was kept takes the place of the seed, tokens included
        if (kept !== undefined) made.vault.restore(kept)
        return made.vault
      }
      case 'gcp': {
        const { createGcpFace } = await import('./gcp/face.ts')
        const throttle = options.gcp?.throttle ?? options.throttle === true
        const given = { ...options.gcp, throttle, seed: seed?.gcp }
        return (made.gcp = await createGcpFace(world, { ...given, snapshot: kept as GcpSnapshot | undefined }))
      }
    }
  }
}

function makeAws(
  options: LocalKmsOptions,
  seed: ReadSeed | undefined,
  world: FaceWorld,
  snapshot: AwsSnapshot | undefined,
): Promise<AwsHosted> {
  return createAwsHosted(world, {
    region: options.region ?? seed?.region ?? 'us-east-1',
    accountId: options.accountId ?? seed?.accountId ?? '000000000000',
    sigv4: options.sigv4 ?? 'off',
    credentials: options.credentials ?? seed?.credentials ?? [{ accessKeyId: 'test', secretAccessKey: 'test' }],
    roles: options.roles ?? seed?.roles,
    keys: seed?.keys ?? [],
    snapshot,
    throttle: options.throttle === true ? {} : options.throttle || undefined,
    allowEmptyMessage: options.allowEmptyMessage === true,
    aliasLagMs: options.aliasLagMs ?? 0,
  })
}
