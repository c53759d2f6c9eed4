/** Answers that are about another key, version or name, as each service would spell them. */
import * as answers from './answers.ts'
import { type CallName, type Remote, STRANGER_PUBLIC } from './remotes.ts'

type Lies = Readonly<Record<CallName, (remote: Remote) => answers.Members>>

const OTHER_ARN = 'arn:aws:kms:eu-central-1:000000000000:key/ffffffff-0000-4000-8000-000000000000'
const otherVersion = ({ keys }: Remote): string => keys.native.replace(/\/1$/, '/2')
/** RFC 5958 around RFC 8410. */
export const pkcs8 = (seed: Uint8Array): Uint8Array =>
  Uint8Array.from([...Buffer.from('302e020100300506032b657004220420', 'hex'), ...seed])

export const OF_ANOTHER_VERSION: Lies = {
  sign: remote => {
    const signature = answers.signatureMembers(remote, answers.STRANGER_SIGNATURE, 2)
    if (remote.face === 'aws') return { ...signature, KeyId: OTHER_ARN }
    return remote.face === 'vault' ? signature : { ...signature, name: otherVersion(remote) }
  },
  decrypt: ({ face }) => (face === 'aws' ? { KeyId: OTHER_ARN } : { key_version: 2 }),
  'public key': remote => {
    if (remote.face === 'aws') return { KeyId: OTHER_ARN }
    if (remote.face === 'gcp') return { name: otherVersion(remote) }
    return {
      keys: { '2': { public_key: answers.base64(STRANGER_PUBLIC) } },
      latest_version: 2,
      min_available_version: 2,
    }
  },
}

export const NAME_DIFFERS: Lies = {
  sign: ({ face, keys }) =>
    face === 'aws'
      ? { KeyId: OTHER_ARN }
      : face === 'vault'
        ? { key_version: 2 }
        : { name: `${keys.wrapping}/cryptoKeyVersions/1` },
  decrypt: ({ face }) =>
    face === 'aws'
      ? { KeyId: OTHER_ARN }
      : face === 'vault'
        ? { key_version: '1' }
        : { protectionLevel: 'PROTECTION_LEVEL_UNSPECIFIED' },
  'public key': ({ face, keys }) =>
    face === 'aws'
      ? { KeyId: OTHER_ARN }
      : face === 'vault'
        ? { name: 'another' }
        : { name: `${keys.wrapping}/cryptoKeyVersions/1` },
}
