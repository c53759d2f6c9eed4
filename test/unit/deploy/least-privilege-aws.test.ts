/** M-72, R-29: what the policies in deploy/iam/aws allow is exactly what is listed here, over every tuple we can think of. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Context, isAllowed, type Policy, rendered } from '../../support/iam-aws.ts'

const ACCOUNT = '111122223333'
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`
const key = (n: number) => `arn:aws:kms:eu-central-1:${ACCOUNT}:key/${n}0000000-0000-4000-8000-000000000000`
const KEYS = { stellar: key(1), evm: key(2), wrapping: key(3), foreign: key(9), none: '*' } as const
type KeyName = keyof typeof KEYS
const [OURS, OTHER] = ['GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ', 'GOTHER'] as const

const policy = (file: string, values: Parameters<typeof rendered>[1] = {}): Policy => {
  const text = readFileSync(new URL(`../../../deploy/iam/aws/${file}.json`, import.meta.url), 'utf8')
  return JSON.parse(rendered(text, values)) as Policy
}
const native = (arns: string[], signing_algorithm: string, message_type: string) =>
  policy('signer-native', { signing_key_arns: arns, signing_algorithm, message_type })
const decrypt = { wrapping_key_arns: [KEYS.wrapping], network: 'public', addresses: [OURS] }
const boundary = policy('signer-boundary')

/** Identity policies by role. */
const ROLES: Readonly<Record<string, readonly Policy[]>> = {
  'signer-stellar': [native([KEYS.stellar], 'ED25519_SHA_512', 'RAW'), boundary],
  'signer-evm': [native([KEYS.evm], 'ECDSA_SHA_256', 'DIGEST'), boundary],
  'signer-both': [
    native([KEYS.stellar], 'ED25519_SHA_512', 'RAW'),
    native([KEYS.evm], 'ECDSA_SHA_256', 'DIGEST'),
    policy('signer-decrypt', decrypt),
    boundary,
  ],
  'signer-decrypt': [policy('signer-decrypt', decrypt), boundary],
  'signer-adopted': [policy('signer-decrypt-adopted', decrypt), boundary],
  registrar: [policy('registrar', { key_arns: [KEYS.stellar, KEYS.wrapping] })],
  administrator: [],
  api: [], // the team's own API holds no right at all
  'over-granted': [
    { Version: '2012-10-17', Statement: [{ Sid: 'All', Effect: 'Allow', Action: 'kms:*', Resource: '*' }] },
  ],
}
const keyPolicy = (users: readonly string[]) =>
  policy('key-policy', {
    account_id: ACCOUNT,
    administrator_arns: [role('administrator')],
    user_arns: users.map(role),
  })
const KEY_POLICIES: Readonly<Record<KeyName, Policy | undefined>> = {
  stellar: keyPolicy(['signer-stellar', 'signer-both', 'registrar']),
  evm: keyPolicy(['signer-evm', 'signer-both']),
  wrapping: keyPolicy(['signer-decrypt', 'signer-adopted', 'signer-both', 'registrar']),
  foreign: keyPolicy([]),
  none: undefined,
}

const opened = (context: Record<string, string>): Context => ({
  'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT',
  ...(Object.keys(context).length === 0 ? {} : { 'kms:EncryptionContextKeys': Object.keys(context) }),
  ...Object.fromEntries(Object.entries(context).map(([name, value]) => [`kms:EncryptionContext:${name}`, value])),
})
const row = { pubkey: OURS, key: 'treasury', version: '1', network: 'public' }
const ROWS: Readonly<Record<string, Context>> = {
  'own row': opened(row),
  'own row of another key name': opened({ ...row, key: 'payouts' }),
  'row of another network': opened({ ...row, network: 'testnet' }),
  'row of another address': opened({ ...row, pubkey: OTHER }),
  'row without version': opened({ pubkey: OURS, key: 'treasury', network: 'public' }),
  'row with an entry more': opened({ ...row, extra: '1' }),
  'row of {"pubkey"}': opened({ pubkey: OURS }),
  'row of another {"pubkey"}': opened({ pubkey: OTHER }),
  'no context': opened({}),
  'another algorithm': { ...opened(row), 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' },
}
const SIGNS = Object.fromEntries(
  ['ED25519_SHA_512', 'ED25519_PH_SHA_512', 'ECDSA_SHA_256'].flatMap(algorithm =>
    ['RAW', 'DIGEST'].map(type => [
      `${algorithm} ${type}`,
      { 'kms:SigningAlgorithm': algorithm, 'kms:MessageType': type },
    ]),
  ),
)
const MAKES = Object.fromEntries(
  [
    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
    ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['RSA_2048', 'SIGN_VERIFY'],
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ].map(([spec = '', usage = '']) => [`${spec} ${usage}`, { 'kms:KeySpec': spec, 'kms:KeyUsage': usage }]),
)
const PLAIN = { '': {} as Context }
const ADMINISTRATION = [
  ...['PutKeyPolicy', 'CreateGrant', 'RetireGrant', 'ScheduleKeyDeletion', 'CancelKeyDeletion', 'DisableKey'],
  ...['EnableKey', 'GetParametersForImport', 'ImportKeyMaterial', 'DeleteImportedKeyMaterial', 'ReplicateKey'],
  ...['UpdateAlias', 'CreateAlias', 'DeleteAlias', 'TagResource', 'UpdatePrimaryRegion', 'GetKeyPolicy'],
]
const OTHER_USES = ['ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey', 'GenerateDataKeyPair', 'DeriveSharedSecret']
const ACTIONS: Readonly<Record<string, Readonly<Record<string, Context>>>> = {
  Sign: SIGNS,
  Decrypt: ROWS,
  Encrypt: ROWS,
  CreateKey: MAKES,
  ...Object.fromEntries(['GetPublicKey', 'DescribeKey', ...ADMINISTRATION, ...OTHER_USES].map(name => [name, PLAIN])),
}

const OWN_ROWS = ['own row', 'own row of another key name']
const EXACT = ['own row', 'own row of another key name', 'row of another network', 'row of another address']
const BOUND = [...EXACT, 'row without version', 'row of {"pubkey"}', 'row of another {"pubkey"}']
const some = (who: string, action: string, where: KeyName, contexts: readonly string[] = ['']) =>
  contexts.map(context => `${who} ${action} ${where} ${context}`.trimEnd())
const ADMINISTRATORS = [
  ...['DescribeKey', 'GetPublicKey', 'GetKeyPolicy', 'PutKeyPolicy', 'TagResource', 'EnableKey', 'DisableKey'],
  ...['ScheduleKeyDeletion', 'CancelKeyDeletion', 'GetParametersForImport', 'ImportKeyMaterial'],
]

/** All that is allowed. Whatever is not here must be refused. */
const GOLDEN: readonly string[] = [
  ...some('signer-stellar', 'Sign', 'stellar', ['ED25519_SHA_512 RAW']),
  ...some('signer-stellar', 'GetPublicKey', 'stellar'),
  ...some('signer-evm', 'Sign', 'evm', ['ECDSA_SHA_256 DIGEST']),
  ...some('signer-evm', 'GetPublicKey', 'evm'),
  ...some('signer-both', 'Sign', 'stellar', ['ED25519_SHA_512 RAW']),
  ...some('signer-both', 'GetPublicKey', 'stellar'),
  ...some('signer-both', 'Sign', 'evm', ['ECDSA_SHA_256 DIGEST']),
  ...some('signer-both', 'GetPublicKey', 'evm'),
  ...some('signer-both', 'Decrypt', 'wrapping', OWN_ROWS),
  ...some('signer-decrypt', 'Decrypt', 'wrapping', OWN_ROWS),
  ...some('signer-adopted', 'Decrypt', 'wrapping', ['row of {"pubkey"}']),
  ...some('registrar', 'CreateKey', 'none', [
    'ECC_NIST_EDWARDS25519 SIGN_VERIFY',
    'ECC_SECG_P256K1 SIGN_VERIFY',
    'SYMMETRIC_DEFAULT ENCRYPT_DECRYPT',
  ]),
  ...(['stellar', 'wrapping'] as const).flatMap(where => [
    ...some('registrar', 'GetPublicKey', where),
    ...some('registrar', 'DescribeKey', where),
    ...some('registrar', 'Sign', where, ['ED25519_SHA_512 RAW']), // of a wrapping key the service refuses it anyway
    ...some('registrar', 'Encrypt', where, BOUND),
    ...some('registrar', 'Decrypt', where, BOUND),
  ]),
  ...(['stellar', 'evm', 'wrapping', 'foreign'] as const).flatMap(where =>
    ADMINISTRATORS.flatMap(action => some('administrator', action, where)),
  ),
  // The worst identity policy there is, and the key's own policy still keeps it away; only new keys can be made.
  ...some('over-granted', 'CreateKey', 'none', Object.keys(MAKES)),
  ...[...ADMINISTRATION, ...OTHER_USES, 'GetPublicKey', 'DescribeKey'].flatMap(action =>
    some('over-granted', action, 'none'),
  ),
  ...(['Sign', 'Decrypt', 'Encrypt'] as const).flatMap(action =>
    some('over-granted', action, 'none', Object.keys(ACTIONS[action] ?? {})),
  ),
]

test('M-72 R-29 the AWS policies allow the golden set and nothing else', () => {
  const allowed: string[] = []
  let tuples = 0
  for (const [who, identity] of Object.entries(ROLES))
    for (const [action, contexts] of Object.entries(ACTIONS))
      for (const [name, context] of Object.entries(contexts))
        for (const [where, resource] of Object.entries(KEYS) as [KeyName, string][]) {
          tuples++
          const request = { principal: role(who), action: `kms:${action}`, resource, context }
          if (isAllowed(request, identity, KEY_POLICIES[where], `arn:aws:iam::${ACCOUNT}:root`))
            allowed.push(...some(who, action, where, [name]))
        }
  console.log(`# AWS: ${tuples} tuples of role × action × key × context, ${allowed.length} allowed`)
  assert.ok(tuples >= 600)
  assert.deepEqual(allowed.toSorted(), GOLDEN.toSorted())
})

test('M-72 nobody both administers a key and signs with it, and the API holds nothing', () => {
  const of = (who: string) => GOLDEN.filter(line => line.startsWith(`${who} `))
  assert.deepEqual(of('api'), [])
  assert.ok(of('administrator').every(line => !/ (Sign|Decrypt|Encrypt) /.test(line)))
  for (const who of Object.keys(ROLES).filter(name => name.startsWith('signer')))
    assert.ok(of(who).every(line => / (Sign|Decrypt|GetPublicKey) /.test(line)))
})
