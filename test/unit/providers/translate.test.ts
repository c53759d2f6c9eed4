import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as sdk from '@aws-sdk/client-kms'
import { CredentialError, toCredentialError } from '../../../providers/aws-kms/credential-error.ts'
import {
  bytesOf,
  type Failure,
  isKeyArn,
  schemeOf,
  SPELLING,
  textOf,
  toSignerError,
} from '../../../providers/aws-kms/translate.ts'
import { TransportError } from '../../../providers/one-fetch.ts'

const failure = (error: unknown, more: Partial<Failure> = {}): Failure => ({
  provider: 'aws-kms',
  operation: { name: 'Sign', kind: 'effect' },
  sent: true,
  answered: true,
  status: 400,
  error,
  ...more,
})
const named = (name: string, message = 'secret vendor words about 123456789012') =>
  Object.assign(new Error(message), { name })

test('every error the SDK models for our operations has a row: none falls through to "unknown"', () => {
  const modelled = Object.keys(sdk).filter(name => name.endsWith('Exception') && name !== 'KMSServiceException')
  assert.ok(modelled.length > 30)
  // Errors of operations that this program never calls: custom key stores, imports, grants, MACs, verification.
  const elsewhere =
    /^(CloudHsmCluster|CustomKeyStore(HasCMKs|NameInUse)|Xks|ExpiredImportToken|InvalidImportToken|IncorrectKeyMaterial|IncorrectTrustAnchor|InvalidAliasName|InvalidGrantId|InvalidMarker|KMSInvalidMac|KMSInvalidSignature)/
  for (const name of modelled.filter(each => !elsewhere.test(each))) {
    const error = toSignerError(failure(named(name), { operation: { name: 'Decrypt', kind: 'read' } }))
    assert.notEqual(error.code, 'provider/malformed', name)
  }
})

test('our words only: no vendor text in what a caller sees, the vendor error kept as cause', () => {
  const vendor = named('AccessDeniedException')
  const error = toSignerError(failure(vendor, { requestId: 'r-1' }))
  assert.equal(error.code, 'provider/refused')
  assert.deepEqual(error.detail, {
    provider: 'aws-kms',
    reason: 'Sign: AWS KMS denies this operation on this key to our identity',
    requestId: 'r-1',
  })
  assert.ok(!error.message.includes('123456789012'))
  assert.equal(error.cause, vendor)
})

test('a transport failure is ambiguous only for a request that makes something and may have arrived', () => {
  const rows = [
    ['not-sent', 'provider/unavailable', 'provider/unavailable'],
    ['unreachable', 'provider/unavailable', 'provider/unavailable'],
    ['aborted', 'provider/ambiguous', 'provider/unavailable'],
    ['lost', 'provider/ambiguous', 'provider/unavailable'],
    ['redirected', 'provider/malformed', 'provider/malformed'],
    ['oversized', 'provider/malformed', 'provider/malformed'],
  ] as const
  for (const [kind, effect, read] of rows) {
    assert.equal(toSignerError(failure(new TransportError(kind))).code, effect, kind)
    assert.equal(
      toSignerError(failure(new TransportError(kind), { operation: { name: 'Decrypt', kind: 'read' } })).code,
      read,
      kind,
    )
    assert.equal(
      toSignerError(failure(new TransportError(kind), { operation: { name: 'CreateKey', kind: 'effect' } })).code,
      effect,
      kind,
    )
  }
})

test('nothing sent is always safe to retry, and missing credentials are named', () => {
  const none = toCredentialError('default chain', named('CredentialsProviderError'))
  const credentials = toSignerError(failure(none, { sent: false, answered: false }))
  assert.equal(credentials.code, 'provider/unavailable')
  assert.match((credentials.detail as { reason: string }).reason, /no AWS credentials/)
  for (const error of [undefined, null, 'text', new TypeError('x'), { name: 7 }]) {
    assert.equal(toSignerError(failure(error, { sent: false, answered: false })).code, 'provider/unavailable')
  }
})

test('names that are not on the list are judged by status, and names of Object.prototype are not on it', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'NewException', '']) {
    assert.equal(toSignerError(failure(named(name))).code, 'provider/malformed', name)
    assert.equal(toSignerError(failure(named(name), { status: 500 })).code, 'provider/unavailable', name)
    assert.equal(toSignerError(failure(named(name), { status: 429 })).code, 'provider/unavailable', name)
  }
})

test('schemes have their row, and nothing else has', () => {
  assert.deepEqual(SPELLING.ed25519, {
    keySpec: 'ECC_NIST_EDWARDS25519',
    algorithm: 'ED25519_SHA_512',
    messageType: 'RAW',
  })
  assert.deepEqual(SPELLING['ecdsa-secp256k1'], {
    keySpec: 'ECC_SECG_P256K1',
    algorithm: 'ECDSA_SHA_256',
    messageType: 'DIGEST',
  })
  assert.equal(schemeOf('ECC_NIST_EDWARDS25519'), 'ed25519')
  assert.equal(schemeOf('ECC_SECG_P256K1'), 'ecdsa-secp256k1')
  for (const other of ['RSA_2048', 'ECC_NIST_P256', 'ed25519', '', undefined]) assert.equal(schemeOf(other), undefined)
})

test('a key ARN is one and everything that can come to mean another key is not', () => {
  for (const arn of [
    'arn:aws:kms:eu-central-1:000000000000:key/a-b',
    'arn:aws-cn:kms:cn-north-1:000000000000:key/mrk-1',
  ])
    assert.ok(isKeyArn(arn))
  const no = [
    '',
    'key/1',
    'alias/x',
    '1234abcd-12ab-34cd-56ef-1234567890ab',
    'arn:aws:kms:r:a:alias/x',
    'arn:aws:s3:r:a:key/x',
    'arn:aws:kms:r:a:key/',
    'arn:aws:kms:r:a:b:key/x',
    `arn:aws:kms:r:a:key/${'x'.repeat(2048)}`,
  ]
  for (const text of no) assert.ok(!isKeyArn(text), text)
})

test('members are taken for what they are', () => {
  assert.equal(textOf('x'), 'x')
  assert.deepEqual(bytesOf(new Uint8Array([1])), new Uint8Array([1]))
  for (const odd of [undefined, null, 1, {}, [], ['x']])
    assert.deepEqual([textOf(odd), bytesOf(odd)], [undefined, undefined])
  assert.equal(bytesOf(new Uint8Array(0)), undefined)
})

test('R-14 whatever keeps credentials from us, nothing was signed: never ambiguous, never in the vendor’s words', () => {
  const rows: [unknown, string, RegExp][] = [
    [named('AccessDenied'), 'provider/refused', /trust policy, the external id, or no right to sts:AssumeRole/],
    [named('ExpiredToken'), 'provider/refused', /credentials that were to become the role have expired/],
    [named('ExpiredTokenException'), 'provider/refused', /web identity token has expired/],
    [named('InvalidIdentityTokenException'), 'provider/refused', /does not accept the web identity token/],
    [named('IDPRejectedClaimException'), 'provider/refused', /identity provider rejects/],
    [named('IDPCommunicationErrorException'), 'provider/unavailable', /cannot reach the identity provider/],
    [named('RegionDisabledException'), 'provider/refused', /not activated in this Region/],
    [named('InvalidClientTokenId'), 'provider/refused', /does not accept the credentials/],
    [named('SignatureDoesNotMatch', 'Signature expired: 2026'), 'provider/refused', /check the clock/],
    [named('SignatureDoesNotMatch'), 'provider/refused', /does not accept the credentials/],
    [named('Throttling'), 'provider/unavailable', /throttling/],
    [named('ThrottlingException'), 'provider/unavailable', /throttling/],
    [Object.assign(named('X'), { $metadata: { httpStatusCode: 503 } }), 'provider/unavailable', /status 503/],
    [Object.assign(named('X'), { $metadata: { httpStatusCode: 429 } }), 'provider/unavailable', /status 429/],
    [Object.assign(named('X'), { $metadata: { httpStatusCode: 418 } }), 'provider/refused', /status 418/],
    [Object.assign(named('X'), { $metadata: { httpStatusCode: 200 } }), 'provider/malformed', /not the form/],
    [Object.assign(named('Error'), { code: 'ENOENT' }), 'provider/refused', /file .* cannot be read/],
    [new TransportError('lost'), 'provider/unavailable', /no answer in time/],
    [new TransportError('aborted'), 'provider/unavailable', /no answer in time/],
    [new TransportError('unreachable'), 'provider/unavailable', /cannot be reached/],
    [new TransportError('redirected'), 'provider/malformed', /redirect/],
    [new TransportError('oversized'), 'provider/malformed', /larger/],
    [new Error('x', { cause: new TransportError('lost') }), 'provider/unavailable', /no answer in time/],
    [undefined, 'provider/unavailable', /source failed/],
    [{ name: 7 }, 'provider/unavailable', /source failed/],
  ]
  for (const [error, code, reason] of rows) {
    const wrapped = toCredentialError('role', error)
    assert.ok(wrapped instanceof CredentialError && wrapped.cause === error)
    const told = toSignerError(failure(wrapped, { sent: false, answered: false }))
    assert.equal(told.code, code, String(error))
    assert.match((told.detail as { reason: string }).reason, reason)
    assert.doesNotMatch(JSON.stringify(told.detail), /123456789012/)
  }
  const profile = toCredentialError('profile', named('CredentialsProviderError'))
  assert.match(profile.reason, /the profile gives none/)
})
