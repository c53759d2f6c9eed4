import { toBase64 } from '../../src/bytes/base64.ts'
import { signature64 } from '../../src/domain/brands.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Capabilities, EnvelopeProvider, KeyRef, SignInput } from '../../src/domain/provider.ts'
import { checkedConfig, contextProblem } from '../checks.ts'
import { malformed } from '../judgement.ts'
import type { ProviderWorld } from '../world.ts'
import { openClient, type VaultClient } from './client.ts'
import { type VaultTransitConfig, vaultTransitSchema } from './config.ts'
import { describeKey } from './describe.ts'
import { decryptBody, encryptBody, parseCiphertext, parseVersioned, rowOf, type Versioned } from './envelope.ts'
import { requirePinned, requireWrapping } from './reference.ts'
import { type JsonObject, objectOf, type OpenRequester } from './wire.ts'

/** Transit has no secp256k1: EVM keys live on Vault as envelopes only. */
const CAN: Capabilities = Object.freeze({
  native: Object.freeze(['ed25519'] as const),
  envelope: true,
  rotation: 'in-place',
  production: true,
})

/** Ours, and the same for every provider; Transit itself has no limit but the server's for a request. */
const MESSAGE_BYTES_MAX = 4096
const PLAINTEXT_BYTES_MAX = 4096

/** @throws `config/invalid` with every problem; `start/refused` when a token is to be read from a file and there are none here. */
export function openVaultClient(config: VaultTransitConfig, world: ProviderWorld, open: OpenRequester): VaultClient {
  const checked = checkedConfig(vaultTransitSchema(), config, 'see providers/vault-transit/README.md')
  const readsFile = checked.tokenFile !== undefined || checked.jwtFile !== undefined || checked.auth === 'kubernetes'
  if (readsFile && world.readFile === undefined) {
    const reason = 'the Vault login reads a token from a file, and this runtime has no files'
    throw new SignerError('start/refused', { reason, fix: 'use auth = "approle", or "jwt" with the token as a secret' })
  }
  return openClient(checked, world, open)
}

export function openVault(config: VaultTransitConfig, world: ProviderWorld, open: OpenRequester): EnvelopeProvider {
  const client = openVaultClient(config, world, open)
  const { name, mount } = client

  return Object.freeze({
    name,
    can: CAN,

    describe: (key: KeyRef, call) => describeKey(client, key, call),

    async sign(key, input, call) {
      const message = messageOf(key, input)
      const { name: keyName, version } = requirePinned(name, 'Sign', mount, key)
      // Neither `prehashed` nor `hash_algorithm`: Vault 1.19 and later refuse them for Ed25519, and none is meant.
      // The version as text: a policy can name it in `allowed_parameters` only so, for it never finds a JSON number equal.
      const body = { input: toBase64(message), key_version: String(version) }
      const { output, providerRequestId } = await client.attempt(
        { name: 'Sign', kind: 'effect' },
        { method: 'POST', path: `${mount}/sign/${keyName}`, body },
        call,
      )
      const data = objectOf(output['data'])
      const answered = versionedOf(name, 'Sign', key, data['signature'], data, providerRequestId)
      if (answered.version !== version) throw mismatch(key)
      if (answered.bytes.length !== 64) {
        const reason = `an Ed25519 signature has 64 bytes, not ${answered.bytes.length}`
        throw new SignerError('signature/malformed', { reason })
      }
      return { signature: signature64(answered.bytes), ...withId(providerRequestId) }
    },

    async wrap(wrappingKey, plaintext, context, call) {
      const keyName = requireWrapping(name, 'Encrypt', mount, wrappingKey)
      const { length } = plaintext
      const sized = length >= 1 && length <= PLAINTEXT_BYTES_MAX
      const problem =
        contextProblem(context) ?? (sized ? undefined : `a plaintext has 1 to ${PLAINTEXT_BYTES_MAX} bytes`)
      if (problem !== undefined)
        throw new SignerError('provider/refused', { provider: name, reason: `Encrypt: ${problem}` })
      const body = plaintext.use(bytes => encryptBody(bytes, context))
      try {
        const { output, providerRequestId } = await client.attempt(
          { name: 'Encrypt', kind: 'read' },
          { method: 'POST', path: `${mount}/encrypt/${keyName}`, body },
          call,
        )
        const data = objectOf(output['data'])
        return rowOf(versionedOf(name, 'Encrypt', wrappingKey, data['ciphertext'], data, providerRequestId))
      } finally {
        body.fill(0)
      }
    },

    async unwrap(wrappingKey, ciphertext, context, call) {
      const keyName = requireWrapping(name, 'Decrypt', mount, wrappingKey)
      const row = parseCiphertext(ciphertext)
      const problem = contextProblem(context) ?? (row === undefined ? 'this is no ciphertext of Transit' : undefined)
      if (row === undefined || problem !== undefined) {
        throw new SignerError('envelope/unreadable', { provider: name, reason: `Decrypt: ${problem}` })
      }
      const { output, plaintext, providerRequestId } = await client.attempt(
        { name: 'Decrypt', kind: 'read' },
        { method: 'POST', path: `${mount}/decrypt/${keyName}`, body: decryptBody(row, context) },
        call,
      )
      if (plaintext === undefined) throw malformed(name, 'Decrypt: the answer holds no plaintext', providerRequestId)
      // Vault's answer names neither key nor version. One that does name a version must mean the one that was asked for.
      const version = objectOf(output['data'])['key_version']
      if (version !== undefined && version !== row.version) {
        plaintext.wipe()
        throw mismatch(wrappingKey)
      }
      return { plaintext, ...withId(providerRequestId) }
    },

    close: async () => client.close(),
  } satisfies EnvelopeProvider)
}

/** @throws `key/unsupported` before anything leaves. */
function messageOf(key: KeyRef, input: SignInput): Uint8Array {
  const unsupported = (wanted: string, reason: string) => new SignerError('key/unsupported', { key, wanted, reason })
  if (input.scheme === 'ed25519') {
    const { length } = input.message
    if (length >= 1 && length <= MESSAGE_BYTES_MAX) return input.message
    throw unsupported(input.scheme, `a message has 1 to ${MESSAGE_BYTES_MAX} bytes here, not ${length}`)
  }
  const wanted = String((input as { scheme?: unknown }).scheme).slice(0, 40)
  throw unsupported(wanted, 'Vault Transit signs Ed25519 only; keep a secp256k1 key as an envelope')
}

/** The version of the prefix and that of `key_version` must be one. @throws `provider/malformed`, `key/mismatch` */
function versionedOf(
  provider: string,
  operation: string,
  key: KeyRef,
  text: unknown,
  data: JsonObject,
  requestId: string | undefined,
): Versioned {
  const versioned = parseVersioned(text)
  const { key_version: version } = data
  if (versioned === undefined) throw malformed(provider, `${operation}: the answer holds no vault:vN: text`, requestId)
  if (typeof version !== 'number') throw malformed(provider, `${operation}: the answer names no version`, requestId)
  if (version !== versioned.version) throw mismatch(key)
  return versioned
}

const mismatch = (key: KeyRef) =>
  new SignerError('key/mismatch', { key, reason: 'Vault answered for another version of the key' })

const withId = (providerRequestId: string | undefined) => (providerRequestId === undefined ? {} : { providerRequestId })
