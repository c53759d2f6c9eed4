import type { CostName } from '../../../providers/passphrase/cost.ts'
import { create } from '../../../providers/passphrase/index.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'
import { type Cases, outcome } from '../report.ts'
import { call, providerWorld } from '../world.ts'

const KEY = 'passphrase/channels'
const CONTEXT = { pubkey: 'G…', key: 'channel-1', network: 'testnet' }

/** Native on one runtime and plain JavaScript on the next: the rows must be the same, and open everywhere. */
const wrapAndUnwrap = (kdf: CostName) => async () => {
  const passphrases = { channels: new Secret('parity: Kanäle von geringem Wert', 'channels') }
  const provider = await create({ kind: 'passphrase', passphrases, kdf }, providerWorld(kdf))
  const row = await provider.wrap(KEY, new SecretBytes(new Uint8Array(32).fill(5), 'parity'), CONTEXT, call())
  const unwrap = (under: Record<string, string>) =>
    outcome(async () => (await provider.unwrap(KEY, row, under, call())).plaintext.use(open => open.slice()))
  return [row, await unwrap(CONTEXT), await unwrap({ ...CONTEXT, network: 'public' })]
}

export const passphraseCases: Cases = {
  'M-08 a row of argon2id': wrapAndUnwrap('argon2id'),
  'M-08 a row of scrypt': wrapAndUnwrap('scrypt'),
}
