import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { DEMO_KMS_KEY_ID, DEMO_KMS_SEED } from '../../src/compose/demo.ts'
import type { SeedDocument } from '../../local-kms/index.ts'
import type { Face } from '../matrix/cells.ts'

/** Where the faces of a local-kms that runs elsewhere are. */
export interface Emulator {
  readonly aws: string
  readonly vault: string
  readonly vaultToken: string
  readonly gcpRest: string
  readonly gcpGrpc: string
}

const GOOGLE = 'projects/demo/locations/global/keyRings/demo/cryptoKeys/'
const WRAPPING_ID = DEMO_KMS_SEED.keys?.[1]?.keyId ?? ''
export const ETHEREUM_ID = '00000000-0000-4000-8000-00000000be11'

/** What each service calls the signing and the wrapping key. */
export const REFERENCES: Readonly<Record<Face, { readonly native: string; readonly wrapping: string }>> = {
  aws: { native: DEMO_KMS_KEY_ID, wrapping: `arn:aws:kms:us-east-1:000000000000:key/${WRAPPING_ID}` },
  vault: { native: 'transit/demo-vault@1', wrapping: 'transit/demo-wrapping' },
  gcp: { native: `${GOOGLE}demo-gcp/cryptoKeyVersions/1`, wrapping: `${GOOGLE}demo-wrapping` },
}

/** The keys of `dev`, and one for Ethereum, which a library signs with. */
export const BENCH_SEED: SeedDocument = {
  ...DEMO_KMS_SEED,
  keys: [
    ...(DEMO_KMS_SEED.keys ?? []),
    {
      keyId: ETHEREUM_ID,
      spec: 'ECC_SECG_P256K1',
      material: { hex: toHex(sha256(new TextEncoder().encode('countersign bench ethereum key'))) },
    },
  ],
}

export interface EmulatorControl {
  /** Of one face, from now on. What a new connection costs is left out: connections are warm. */
  latency(profile: string, face: Face): Promise<void>
  /** Calls answered so far by one face. */
  calls(face: Face): Promise<number>
}

export function controlOf(emulator: Emulator): EmulatorControl {
  const admin = `${emulator.aws}/_local-kms`
  const answer = async (response: Response): Promise<unknown> => {
    const text = await response.text()
    if (!response.ok) throw new Error(`local-kms: ${text}`)
    return JSON.parse(text)
  }
  return {
    async latency(profile, face) {
      const body = JSON.stringify({ profile, cold: false })
      await answer(await fetch(`${admin}/latency?face=${face}`, { method: 'POST', body }))
    },
    async calls(face) {
      const counts = (await answer(await fetch(`${admin}/calls?face=${face}`))) as Record<string, number>
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
  }
}
