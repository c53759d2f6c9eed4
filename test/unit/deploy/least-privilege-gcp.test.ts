/** M-72, R-29: what the bindings in deploy/iam/gcp allow, over member × permission × resource, before and after their time. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { rendered } from '../../support/iam-aws.ts'

interface Binding {
  readonly role: string
  readonly resource: string
  readonly member: string
  readonly condition?: { readonly title: string; readonly expression: string }
}

const RING = 'projects/p/locations/europe-west3/keyRings/treasury'
const RESOURCES = {
  signing: `${RING}/cryptoKeys/stellar`,
  wrapping: `${RING}/cryptoKeys/wrapping`,
  neighbour: `${RING}/cryptoKeys/neighbour`,
  foreign: 'projects/p/locations/europe-west3/keyRings/other/cryptoKeys/stellar',
  'key ring': RING,
  project: 'projects/p',
} as const
const values = {
  project: 'p',
  signing_key: RESOURCES.signing,
  wrapping_key: RESOURCES.wrapping,
  key_ring: RING,
  signer: 'serviceAccount:signer@p.iam.gserviceaccount.com',
  registrar: 'user:registrar@example.com',
  until: '2026-12-01T12:00:00Z',
}
const read = (file: string): unknown =>
  JSON.parse(rendered(readFileSync(new URL(`../../../deploy/iam/gcp/${file}.json`, import.meta.url), 'utf8'), values))
const BINDINGS = read('bindings') as Readonly<Record<string, readonly Binding[]>>
const OWN_ROLES = read('roles') as Readonly<Record<string, { readonly permissions: readonly string[] }>>

/** What the predefined roles hold of this service: https://cloud.google.com/iam/docs/roles-permissions/cloudkms */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  'roles/cloudkms.signer': ['cloudkms.cryptoKeyVersions.useToSign'],
  'roles/cloudkms.publicKeyViewer': ['cloudkms.cryptoKeyVersions.viewPublicKey'],
  'roles/cloudkms.cryptoKeyDecrypter': ['cloudkms.cryptoKeyVersions.useToDecrypt'],
  ...Object.fromEntries(
    Object.entries(OWN_ROLES).map(([name, { permissions }]) => [`projects/p/roles/${name}`, permissions]),
  ),
}
const PERMISSIONS = [
  ...['useToSign', 'viewPublicKey', 'useToDecrypt', 'useToEncrypt', 'useToVerify', 'create', 'get', 'list'].map(
    each => `cryptoKeyVersions.${each}`,
  ),
  ...['destroy', 'restore', 'update', 'useToDecryptViaDelegation'].map(each => `cryptoKeyVersions.${each}`),
  ...['create', 'get', 'list', 'update', 'getIamPolicy', 'setIamPolicy'].map(each => `cryptoKeys.${each}`),
  ...['create', 'setIamPolicy'].map(each => `keyRings.${each}`),
  ...['create', 'useToImport'].map(each => `importJobs.${each}`),
].map(each => `cloudkms.${each}`)

/** A binding holds for its resource and all below it; the one kind of condition we use is read here and no other. */
function isAllowed(member: string, permission: string, resource: string, now: string, bindings: readonly Binding[]) {
  return bindings.some(({ role, resource: bound, member: who, condition }) => {
    const permissions = ROLES[role]
    if (permissions === undefined) throw new Error(`Nothing is known of the role ${role}`)
    if (who !== member || !permissions.includes(permission)) return false
    if (resource !== bound && !resource.startsWith(`${bound}/`)) return false
    if (condition === undefined) return true
    const until = /^request\.time < timestamp\('([0-9TZ:-]+)'\)$/.exec(condition.expression)?.[1]
    if (until === undefined) throw new Error(`The evaluator does not know the condition ${condition.expression}`)
    return now < until
  })
}

const KEYS = ['signing', 'wrapping', 'neighbour'] as const
const REGISTRATION = [
  ...['useToSign', 'viewPublicKey', 'useToDecrypt', 'useToEncrypt', 'create', 'get', 'list'].map(
    each => `cryptoKeyVersions.${each}`,
  ),
  'cryptoKeys.create',
  'cryptoKeys.get',
]
const GOLDEN: readonly string[] = [
  ...['before', 'after'].flatMap(when => [
    `signer-native cryptoKeyVersions.useToSign signing ${when}`,
    `signer-native cryptoKeyVersions.viewPublicKey signing ${when}`,
    `signer-decrypt cryptoKeyVersions.useToDecrypt wrapping ${when}`,
  ]),
  // Whoever registers holds its rights in the whole ring, and only for a time.
  ...[...KEYS, 'key ring'].flatMap(where => REGISTRATION.map(each => `registrar ${each} ${where} before`)),
]

test('M-72 R-29 the Google Cloud bindings allow the golden set and nothing else', () => {
  const allowed: string[] = []
  let tuples = 0
  for (const [mode, bindings] of Object.entries(BINDINGS))
    for (const member of [values.signer, values.registrar, 'user:nobody@example.com'])
      for (const permission of PERMISSIONS)
        for (const [where, resource] of Object.entries(RESOURCES))
          for (const [when, now] of [
            ['before', '2026-12-01T11:59:59Z'],
            ['after', '2026-12-01T12:00:00Z'],
          ] as const) {
            tuples++
            if (isAllowed(member, permission, resource, now, bindings))
              allowed.push(`${mode} ${permission.slice('cloudkms.'.length)} ${where} ${when}`)
          }
  console.log(
    `# Google Cloud: ${tuples} tuples of mode × member × permission × resource × time, ${allowed.length} allowed`,
  )
  assert.ok(tuples >= 600)
  assert.deepEqual(allowed.toSorted(), GOLDEN.toSorted())
})

test('M-72 no role in use can change a policy, destroy a key, or hand a key on', () => {
  const used = new Set(Object.values(BINDINGS).flatMap(bindings => bindings.flatMap(({ role }) => ROLES[role] ?? [])))
  for (const permission of used) assert.doesNotMatch(permission, /setIamPolicy|destroy|ViaDelegation|update|importJobs/)
})
