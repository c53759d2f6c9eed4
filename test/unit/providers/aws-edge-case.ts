/** A key, two signatures, a wrap and an unwrap, with everything that left and came. Web APIs only. */
import { create } from '../../../providers/aws-kms/edge.ts'
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'

const KEY = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000001'
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))
// r = 1, s = n - 1: the shortest integer and a high s.
const HIGH_S = 'MCYCAQECIQD////////////////////+uq7c5q9IoDu/0l6M0DZBQA=='

const ANSWERS: Readonly<Record<string, (sent: Record<string, unknown>) => object>> = {
  GetPublicKey: () => ({
    KeyId: KEY,
    KeySpec: 'ECC_NIST_EDWARDS25519',
    KeyUsage: 'SIGN_VERIFY',
    SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
    PublicKey: `MCowBQYDK2VwAyEA${base64(new Uint8Array(33).fill(3)).slice(0, 43)}=`,
  }),
  Sign: ({ SigningAlgorithm }) => ({
    KeyId: KEY,
    SigningAlgorithm,
    Signature: SigningAlgorithm === 'ECDSA_SHA_256' ? HIGH_S : base64(new Uint8Array(64).fill(7)),
  }),
  Encrypt: () => ({
    KeyId: KEY,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    CiphertextBlob: base64(new Uint8Array(99).fill(5)),
  }),
  Decrypt: () => ({
    KeyId: KEY,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    Plaintext: base64(new Uint8Array(32).fill(9)),
  }),
}

export async function awsOnTheEdge(): Promise<unknown> {
  const seen: unknown[] = []
  const world = {
    environment: 'production' as const,
    random: { bytes: (length: number) => new Uint8Array(length) },
    clock: { now: () => 0, monotonic: () => 0, sleep: () => new Promise<void>(() => {}) },
    fetch: async (url: string, init: RequestInit): Promise<Response> => {
      const headers = new Headers(init.headers)
      const operation = (headers.get('x-amz-target') ?? '').split('.')[1] ?? ''
      const body = await new Response(init.body).text()
      // Times, ids of attempts and user agents differ; what is signed for does not.
      const scope = /Credential=[^/]+\/\d{8}(\/[^,]+)/.exec(headers.get('authorization') ?? '')?.[1]
      seen.push([init.method, url, operation, body, scope, headers.get('x-amz-security-token')])
      const answer = ANSWERS[operation]?.(JSON.parse(body) as Record<string, unknown>) ?? {
        __type: 'NotFoundException',
      }
      return new Response(JSON.stringify(answer), {
        status: '__type' in answer ? 400 : 200,
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': '00000000-request' },
      })
    },
  }
  const config: AwsKmsConfig = {
    kind: 'aws-kms',
    region: 'eu-central-1',
    fips: true,
    accessKeyId: new Secret('ASIAEDGE', 'id'),
    secretAccessKey: new Secret('secret', 'secret'),
    sessionToken: new Secret('token', 'token'),
  }
  const provider = await create(config, world)
  const call = { requestId: 'r', signal: new AbortController().signal }
  const facts = await provider.describe(KEY, call)
  const message = new Uint8Array(32).fill(1)
  const stellar = await provider.sign(KEY, { scheme: 'ed25519', message }, call)
  const evm = await provider.sign(KEY, { scheme: 'ecdsa-secp256k1', digest: digest32(message) }, call)
  const context = { pubkey: 'G', network: 'x' }
  const row = await provider.wrap(KEY, new SecretBytes(new Uint8Array(32).fill(9), 'seed'), context, call)
  const { plaintext } = await provider.unwrap(KEY, row, context, call)
  const refused = await Promise.all(
    [{ profile: 'x' }, { roleArn: 'arn:aws:iam::000000000000:role/r' }, { accessKeyId: undefined }].map(more =>
      create(
        'roleArn' in more
          ? { ...config, ...more }
          : { kind: 'aws-kms', region: 'eu-central-1', ...('profile' in more ? more : {}) },
        world,
      ).then(
        () => 'opened',
        (error: unknown) => (isSignerError(error) ? error.message : 'another error'),
      ),
    ),
  )
  return {
    seen,
    publicKey: base64(facts.publicKey),
    stellar: base64(stellar.signature),
    evm: base64(evm.signature),
    row: base64(row),
    opened: plaintext.use(bytes => base64(bytes)),
    refused,
  }
}
