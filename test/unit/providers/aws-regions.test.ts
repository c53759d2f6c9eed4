/** Where requests of the lean transport go: AWS's own client is the witness, in every Region it knows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../../../providers/aws-kms/client.ts'
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import { create } from '../../../providers/aws-kms/index.ts'
import { kmsEndpoint } from '../../../providers/aws-kms/regions.ts'
import { refusal } from '../../support/leaks.ts'
import { providerWorld } from '../../support/provider-world.ts'

/** One of every partition and of every first word; what stands between is up to AWS. */
const REGIONS = [
  ...['us-east-1', 'us-west-2', 'eu-central-1', 'eu-central-2', 'ap-southeast-7', 'sa-east-1', 'ca-west-1'],
  ...['me-central-1', 'af-south-1', 'il-central-1', 'mx-central-1', 'us-gov-east-1', 'us-gov-west-1'],
  ...['cn-north-1', 'cn-northwest-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-iso-west-1', 'us-isob-east-1'],
  ...['us-isob-west-1', 'eu-isoe-west-1', 'us-isof-east-1', 'us-isof-south-1'],
]

test('T51 the endpoint of a Region is the one that AWS’s client chooses: plain, FIPS, dual stack and both', () => {
  let compared = 0
  for (const region of REGIONS) {
    for (const [fips, dualstack] of [[], [true], [false, true], [true, true]] as const) {
      const config: AwsKmsConfig = { kind: 'aws-kms', region, fips: fips === true, dualstack: dualstack === true }
      const witness = openClient(config, providerWorld(), { chain: never, assume: never, identify: never })
      assert.equal(kmsEndpoint(config).href, witness.endpoint, JSON.stringify(config))
      witness.close()
      compared++
    }
  }
  assert.equal(compared, REGIONS.length * 4)
})
const never = () => Promise.reject(new Error('nobody asks for credentials here'))

test('T51 a Region of a partition that is not known gets no guessed endpoint; one can be given', async () => {
  const config = { kind: 'aws-kms' as const, region: 'zz-north-1' }
  const error = await refusal(create(config, providerWorld()), 'config/invalid')
  assert.match(JSON.stringify(error.detail), /zz-north-1.*give endpoint/)
  await (await create({ ...config, endpoint: 'https://kms.example' }, providerWorld())).close()
  await (await create({ ...config, transport: 'sdk' }, providerWorld())).close()
})
