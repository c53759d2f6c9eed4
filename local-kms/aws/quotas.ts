import type { KmsKey } from './store.ts'

/** Requests a second by operation group, for one account in one Region. */
export interface ThrottleOptions {
  /** Other rates for these groups or operations. */
  readonly rates?: Readonly<Record<string, number>> | undefined
  /** A rate for each single key on top of the groups: one hot key can be held back below the account's quota. */
  readonly perKey?: number | undefined
}

const SYMMETRIC = new Set([
  'Encrypt',
  'Decrypt',
  'ReEncrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'VerifyMac',
  'GenerateRandom',
])
const ASYMMETRIC = new Set(['Sign', 'Verify', 'Encrypt', 'Decrypt', 'ReEncrypt'])

const RATES: Record<string, number> = {
  ecc: 1000,
  rsa: 1000,
  GetPublicKey: 2000,
  DescribeKey: 2000,
  ListKeys: 500,
  ListAliases: 500,
  CreateKey: 5,
  CreateAlias: 5,
  UpdateAlias: 5,
  EnableKey: 5,
  DisableKey: 5,
  DeleteAlias: 15,
  ImportKeyMaterial: 15,
  ScheduleKeyDeletion: 15,
  GetParametersForImport: 1,
}

const symmetricRate = (region: string): number => {
  if (['us-east-1', 'us-west-2', 'eu-west-1'].includes(region)) return 100_000
  const middle = ['us-east-2', 'ap-southeast-1', 'ap-southeast-2', 'ap-northeast-1', 'eu-central-1', 'eu-west-2']
  return middle.includes(region) ? 20_000 : 10_000
}

/** The quota a call counts against. Undefined: local-kms knows none for it. */
export function quotaOf(
  operation: string,
  key: KmsKey | undefined,
  keyPairSpec: unknown,
  region: string,
  options: ThrottleOptions,
): { group: string; perSecond: number } | undefined {
  const group = groupOf(operation, key, keyPairSpec)
  const perSecond =
    options.rates?.[group] ??
    (group === 'symmetric' ? symmetricRate(region) : group.startsWith('GenerateDataKeyPair ECC') ? 100 : RATES[group])
  return perSecond === undefined ? undefined : { group, perSecond }
}

function groupOf(operation: string, key: KmsKey | undefined, keyPairSpec: unknown): string {
  if (operation.startsWith('GenerateDataKeyPair')) return `GenerateDataKeyPair ${String(keyPairSpec)}`
  if (ASYMMETRIC.has(operation) && key?.spec.startsWith('RSA_')) return 'rsa'
  if (ASYMMETRIC.has(operation) && key?.spec.startsWith('ECC_')) return 'ecc'
  if (SYMMETRIC.has(operation)) return 'symmetric'
  return operation
}
