import { toBase64 } from '../../src/bytes/base64.ts'
import { spkiFromPem } from '../../src/bytes/pem.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Call, ImportKey, KeyFacts } from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import { abandon, requireImportable, requireImported, wrapForImport } from '../key-import.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultClient } from './client.ts'
import { describeKey, readKey } from './describe.ts'
import { isFresh, KEPT } from './kept.ts'
import { pinned } from './reference.ts'
import { deleteKey } from './states.ts'
import { objectOf } from './wire.ts'

const SERVICE = 'Vault Transit'
/** Vault has one import key a mount, and it is of this length. */
const WRAPPING_BITS = 4096

export interface ImportParts {
  readonly client: VaultClient
  readonly world: ProviderWorld
  exists(name: string, call: Call): Promise<boolean>
}

/**
 * GET wrapping_key, POST keys/NAME/import. The import is one request, so that a key is there whole or not at all; a failure
 * from then on deletes it. Transit has no secp256k1.
 * @see Vault documentation, "Bring your own key"; OpenBao `builtin/logical/transit/path_import.go`
 */
export async function importKey(
  { client, world, exists }: ImportParts,
  what: ImportKey,
  name: string,
  call: Call,
): Promise<KeyFacts> {
  requireImportable(what, SERVICE, { schemes: ['ed25519'], wraps: ['rsa-aes'] })
  const { mount } = client
  if (await exists(name, call)) throw new SignerError('key/exists', { key: `${mount}/${name}` })
  const ciphertext = await wrapped(client, what, world, call)
  const left = `${mount}/${name}`
  try {
    // Rotation stays possible because nothing else can stop the newest version.
    const body = { type: 'ed25519', hash_function: 'SHA256', ciphertext, allow_rotation: true, ...KEPT }
    await client.attempt(
      { name: 'ImportKey', kind: 'effect' },
      { method: 'POST', path: `${mount}/keys/${name}/import`, body },
      call,
    )
    await requireKept(client, name, call)
    const facts = await describeKey(client, pinned(mount, name, 1), call)
    requireImported(what, SERVICE, facts)
    return facts
  } catch (cause) {
    return abandon(world, { left, requestId: call.requestId, cause }, async own => {
      if (await exists(name, own)) await deleteKey(client, name, own)
    })
  }
}

async function wrapped(client: VaultClient, what: ImportKey, world: ProviderWorld, call: Call): Promise<string> {
  const { output, providerRequestId } = await client.attempt(
    { name: 'ReadWrappingKey', kind: 'read' },
    { method: 'GET', path: `${client.mount}/wrapping_key` },
    call,
  )
  const pem = objectOf(output['data'])['public_key']
  const spki = (typeof pem === 'string' ? spkiFromPem(pem) : undefined) ?? new Uint8Array()
  const material = await wrapForImport(what, { spki, bits: WRAPPING_BITS }, world.random)
  if (material !== undefined) return toBase64(material)
  const reason = `ReadWrappingKey: the answer holds no RSA key of ${WRAPPING_BITS} bits`
  throw malformed(client.name, reason, providerRequestId)
}

/** @throws `key/mismatch`: a key that can be read out again is not what was asked for. */
async function requireKept(client: VaultClient, name: string, call: Call): Promise<void> {
  const { data } = await readKey(client, name, call)
  if (isFresh(data, name)) return
  const key = pinned(client.mount, name, 1)
  throw new SignerError('key/mismatch', { key, reason: 'Vault keeps the imported key otherwise than it was asked to' })
}
