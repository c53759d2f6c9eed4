import type { AwsKmsConfig } from './config.ts'
import { configInvalid } from '../checks.ts'

interface Partition {
  /** First words of its Region names, which say the partition. */
  readonly regions: RegExp
  readonly suffix: string
  readonly dualstackSuffix: string
}

/** AWS's partitions and the names of their endpoints; `aws-regions.test.ts` holds them against AWS's own rules. */
const PARTITIONS: readonly Partition[] = [
  {
    regions: /^(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+$/,
    suffix: 'amazonaws.com',
    dualstackSuffix: 'api.aws',
  },
  { regions: /^us-gov-[a-z]+-[0-9]+$/, suffix: 'amazonaws.com', dualstackSuffix: 'api.aws' },
  { regions: /^cn-[a-z]+-[0-9]+$/, suffix: 'amazonaws.com.cn', dualstackSuffix: 'api.amazonwebservices.com.cn' },
  { regions: /^eusc-de-[a-z]+-[0-9]+$/, suffix: 'amazonaws.eu', dualstackSuffix: 'api.amazonwebservices.eu' },
  { regions: /^us-iso-[a-z]+-[0-9]+$/, suffix: 'c2s.ic.gov', dualstackSuffix: 'api.aws.ic.gov' },
  { regions: /^us-isob-[a-z]+-[0-9]+$/, suffix: 'sc2s.sgov.gov', dualstackSuffix: 'api.aws.scloud' },
  { regions: /^eu-isoe-[a-z]+-[0-9]+$/, suffix: 'cloud.adc-e.uk', dualstackSuffix: 'api.cloud-aws.adc-e.uk' },
  { regions: /^us-isof-[a-z]+-[0-9]+$/, suffix: 'csp.hci.ic.gov', dualstackSuffix: 'api.aws.hci.ic.gov' },
]

/**
 * Where KMS is, by AWS's rules for the Region. AWS's client takes a Region whose partition it does not know for one of the
 * commercial partition; here it is refused, since signed requests would go to a guessed name.
 * @throws `config/invalid`
 */
export function kmsEndpoint({ endpoint, region, fips, dualstack }: AwsKmsConfig): URL {
  if (endpoint !== undefined) return new URL(endpoint)
  const partition = PARTITIONS.find(({ regions }) => regions.test(region))
  if (partition === undefined) {
    const problem = `the endpoints of the Region ${region} are not known here`
    throw configInvalid([
      { path: 'region', problem, fix: 'give endpoint, or transport = "sdk", which goes by the rules of AWS\'s client' },
    ])
  }
  const host = fips === true ? 'kms-fips' : 'kms'
  return new URL(`https://${host}.${region}.${dualstack === true ? partition.dualstackSuffix : partition.suffix}/`)
}
