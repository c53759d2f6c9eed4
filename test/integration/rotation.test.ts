/** Three rotations at 100 requests a second at each key service, native and by decrypt: none fails, none is signed by a wrong version. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openAdmin } from '../../providers/admin.ts'
import { openProvider, type ProviderConfig } from '../../providers/index.ts'
import type { LocalKms } from '../../local-kms/index.ts'
import { canEnvelope, type EnvelopeProvider } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import * as bun from '../../src/runtime/bun.ts'
import { startKeyServices } from '../support/installation.ts'
import { PLACE } from '../support/key-services.ts'
import { openRig } from '../support/rig.ts'
import { rotateUnderLoad, rotationDeps } from '../support/rotations.ts'

/** As many answers between two steps: in the long form a second and a half of them. */
const BETWEEN = process.env['COUNTERSIGN_TEST_LONG'] === '1' ? 150 : 6
const PER_SECOND = 100
let kms: LocalKms
let configs: Readonly<Record<string, ProviderConfig>>

beforeAll(async () => {
  kms = await startKeyServices()
  const credentials = { accessKeyId: new Secret('test', 'id'), secretAccessKey: new Secret('test', 'key') }
  configs = {
    aws: { kind: 'aws-kms', region: 'us-east-1', endpoint: kms.aws, ...credentials },
    gcp: { kind: 'gcp-kms', endpoint: kms.gcpRest, ...PLACE },
    vault: { kind: 'vault-transit', address: kms.vault, token: new Secret(kms.vaultToken, 'token') },
  } as never
})
afterAll(() => kms.close())

for (const name of ['aws', 'gcp', 'vault']) {
  test(`M-61 M-64 ${name}: three rotations at ${PER_SECOND} requests a second, from a development key to keys of the service`, async () => {
    const world = { ...bun.world(), environment: 'staging' as const }
    const config = configs[name] as ProviderConfig
    const [remote, admin] = [await openProvider(config, world), await openAdmin(config, world)]
    if (!canEnvelope(remote)) throw new Error('it does not wrap')
    const rig = await openRig({ provider: mock => either(mock, remote) })
    const deps = rotationDeps(rig, real => real, admin)
    const [took, began]: [number[], number] = [[], performance.now()]
    const envelope = { custody: 'envelope' } as const
    const signed = await rotateUnderLoad(
      rig,
      [{ deps }, { deps, next: envelope }, { deps, next: { custody: 'native' } }],
      { perSecond: PER_SECOND, requests: BETWEEN, took },
    )
    const seconds = (performance.now() - began) / 1000
    const [slowest, rate] = [Math.max(...took), signed.length / seconds]
    process.stderr.write(
      `# ${name}: 3 rotations in ${seconds.toFixed(1)} s, ${signed.length} signed at ${rate.toFixed(1)} a second, 0 failed, 0 by a wrong version, slowest ${slowest.toFixed(0)} ms\n`,
    )
    expect(signed.length).toBeGreaterThanOrEqual(10 * BETWEEN)
    expect(rate).toBeGreaterThan(PER_SECOND / 2)
    expect(rate).toBeLessThan(PER_SECOND * 1.5)
    const by = new Map(signed.map(({ keyVersion, custody }) => [keyVersion, custody]))
    expect([...by].toSorted(([a], [b]) => a - b)).toEqual([
      [1, 'native'],
      [2, 'native'],
      [3, 'envelope'],
      [4, 'native'],
    ])
    await remote.close()
  }, 120_000)
}

/** The first version is a key of the mock; whatever comes after it is one of the service. */
function either(mock: EnvelopeProvider, remote: EnvelopeProvider): EnvelopeProvider {
  const of = (reference: string): EnvelopeProvider => (reference.startsWith('mock') ? mock : remote)
  return {
    ...remote,
    describe: (key, call) => of(key).describe(key, call),
    sign: (key, input, call) => of(key).sign(key, input, call),
    wrap: (key, ...rest) => of(key).wrap(key, ...rest),
    unwrap: (key, ...rest) => of(key).unwrap(key, ...rest),
  }
}
