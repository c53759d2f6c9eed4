/** A login, a signature, a wrap and an unwrap, with everything that left and came. Web APIs only. */
import { create } from '../../../providers/vault-transit/edge.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))
const CIPHERTEXT = `vault:v1:${base64(new Uint8Array(60).fill(5))}`
const ANSWERS: Readonly<Record<string, object>> = {
  'auth/approle/login': { auth: { client_token: 't-1', lease_duration: 3_600, renewable: true } },
  'transit/sign/treasury': { data: { signature: `vault:v1:${base64(new Uint8Array(64).fill(7))}`, key_version: 1 } },
  'transit/encrypt/w': { data: { ciphertext: CIPHERTEXT, key_version: 1 } },
  'transit/decrypt/w': { data: { plaintext: base64(new Uint8Array(32).fill(9)) } },
}

export async function vaultOnTheEdge(): Promise<unknown> {
  const seen: unknown[] = []
  const world = {
    environment: 'production' as const,
    random: { bytes: (length: number) => new Uint8Array(length) },
    clock: {
      now: () => 0,
      monotonic: () => 0,
      sleep: (_ms: number, signal?: AbortSignal) =>
        new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    },
    fetch: async (url: string, init: RequestInit): Promise<Response> => {
      const body = init.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : (init.body ?? null)
      seen.push([init.method, url, init.headers, body])
      const answer = ANSWERS[url.slice(url.indexOf('/v1/') + 4)]
      const headers = { 'content-type': 'application/json' }
      return answer === undefined
        ? new Response('{"errors":[]}', { status: 404, headers })
        : new Response(JSON.stringify({ request_id: 'abcdefgh-1', ...answer }), { headers })
    },
  }
  const secretId = new Secret('s', 'secret id')
  const config = {
    kind: 'vault-transit',
    address: 'https://vault.example',
    namespace: 'team',
    auth: 'approle',
    roleId: 'r',
    secretId,
  } as const
  const provider = await create(config, world)
  const call = { requestId: 'r', signal: new AbortController().signal }
  const { signature } = await provider.sign(
    'transit/treasury@1',
    { scheme: 'ed25519', message: new Uint8Array(32).fill(1) },
    call,
  )
  const row = await provider.wrap(
    'transit/w',
    new SecretBytes(new Uint8Array(32).fill(9), 'seed'),
    { pubkey: 'G', network: 'x' },
    call,
  )
  const { plaintext } = await provider.unwrap('transit/w', row, { network: 'x', pubkey: 'G' }, call)
  const unknown = await provider
    .describe('nobody', call)
    .catch((error: unknown) => (isSignerError(error) ? error.message : 'another error'))
  return {
    seen,
    signature: base64(signature),
    row: base64(row),
    opened: plaintext.use(bytes => base64(bytes)),
    unknown,
  }
}
