import { type ConfigProblem, SignerError } from '../../src/domain/errors.ts'
import type { Capabilities, KeyProvider, KeyRef } from '../../src/domain/provider.ts'
import { checkedConfig, configInvalid } from '../checks.ts'
import { refuseProduction } from '../may-serve.ts'
import { requireInput, requireLive } from '../software/guards.ts'
import { openSoftwareKey, type SoftwareKey } from '../software/key.ts'
import type { ProviderWorld } from '../world.ts'
import { type RawEnvConfig, rawEnvSchema } from './config.ts'
import { readSecret } from './secrets.ts'

const CAN: Capabilities = Object.freeze({
  native: Object.freeze(['ed25519', 'ecdsa-secp256k1'] as const),
  envelope: false,
  rotation: 'none',
  production: false,
})

const FORM_FIX = 'use an S… secret of a Stellar account (Ed25519), or 0x and 64 hex digits (secp256k1)'

/**
 * Raw private keys out of environment variables or files, the custom this program exists to end. Development only.
 * References are the names in the configuration. Every secret is read at once: a wrong one stops the start.
 * @throws `start/refused` anywhere but in development, with the way out; `config/invalid` naming each unreadable secret.
 */
export async function create(config: RawEnvConfig, world: ProviderWorld): Promise<KeyProvider> {
  refuseRawKeys(world.environment)
  const checked = checkedConfig(rawEnvSchema(), config, 'see providers/raw-env/README.md')
  const name = checked.name ?? checked.kind
  const keys = await openKeys(checked)
  let closed = false

  function find(key: KeyRef): SoftwareKey {
    const found = keys.get(key)
    if (found === undefined)
      throw new SignerError('provider/refused', { provider: name, reason: 'no such key in the configuration' })
    return found
  }

  return Object.freeze({
    name,
    can: CAN,
    async describe(key, call) {
      requireLive(name, call, closed)
      const { scheme, publicKey } = find(key)
      return { reference: key, scheme, publicKey: publicKey.slice(), protection: 'software' }
    },
    async sign(key, input, call) {
      requireLive(name, call, closed)
      const found = find(key)
      requireInput(key, found.scheme, input)
      return { signature: await found.sign(input) }
    },
    async close() {
      closed = true
      for (const key of keys.values()) key.close()
      keys.clear()
    },
  } satisfies KeyProvider)
}

/** @throws `start/refused` (M-09) */
export function refuseRawKeys(environment: string): void {
  refuseProduction(
    environment,
    'A raw key from the environment',
    'move the key into a key service: `countersign keys import NAME --provider aws-kms` keeps it encrypted under a wrapping key and opens it for one call at a time; better, `countersign keys create NAME --provider aws-kms`, whose key never leaves the service, and add it as a signer of the account. Then unset the variable',
    ['development'],
  )
}

async function openKeys(config: RawEnvConfig): Promise<Map<KeyRef, SoftwareKey>> {
  const keys = new Map<KeyRef, SoftwareKey>()
  const problems: ConfigProblem[] = []
  for (const [reference, secret] of Object.entries(config.keys)) {
    const read = readSecret(secret)
    const opened = read === undefined ? undefined : await openSoftwareKey(read.scheme, read.bytes)
    if (opened === undefined)
      problems.push({ path: `keys.${reference}`, problem: 'is not a private key in a form we know', fix: FORM_FIX })
    else keys.set(reference, opened)
  }
  if (problems.length === 0) return keys
  for (const key of keys.values()) key.close()
  throw configInvalid(problems)
}
