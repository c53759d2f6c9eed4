import { StrKey } from '@stellar/stellar-sdk/base'
import { signSep10Challenge } from '../access/sep10-client.ts'
import { passphraseOf } from '../chains/stellar/index.ts'
import type { LoginKey } from '../cli/context.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import { publicKeyOf, seedOfFile, signWithSeed } from './custody.ts'

/** The seed of somebody who logs in, which signs challenges and nothing else. Wipes `file`. */
export async function openLoginSeed(file: Uint8Array, { clock }: Pick<World, 'clock'>): Promise<LoginKey> {
  const seed = seedOfFile(file, '--seed-file')
  const publicKey = await publicKeyOf(seed).catch(error => {
    seed.wipe()
    throw error
  })
  const address = StrKey.encodeEd25519PublicKey(publicKey)
  return {
    address,
    answer: async (transaction, { network, ...expected }) => {
      const { serverAccount } = expected
      if (serverAccount !== undefined && !StrKey.isValidEd25519PublicKey(serverAccount)) {
        const reason = 'is not the address of an account'
        throw new SignerError('request/malformed', { field: '--server-account', reason, fix: 'give the G… address' })
      }
      const rules = { ...expected, networkPassphrase: passphraseOf(network) }
      const sign = (hash: Uint8Array) => signWithSeed(seed, hash, publicKey)
      try {
        return await signSep10Challenge(rules, transaction, { account: address, now: clock.now(), sign })
      } catch (error) {
        if (!isSignerError(error) || error.code !== 'login/refused') throw error
        const reason = `nothing was signed, for what the server sent is not a good challenge: ${error.detail.reason}`
        throw new SignerError('login/refused', { reason }, { cause: error })
      }
    },
    wipe: () => seed.wipe(),
  }
}
