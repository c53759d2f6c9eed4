/** People with keys, and the stores of a login in memory. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { StrKey } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../src/bytes/base64.ts'
import { addressOfPublicKey } from '../../src/bytes/evm-address.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { eip191Digest, sep53Digest } from '../../src/access/address-proof.ts'
import type { Admin, AdminStore, ChallengeStore, Role } from '../../src/domain/admins.ts'
import type { Random } from '../../src/domain/ports.ts'

export interface Person {
  readonly address: string
  /** Over bytes as they are: a hash of a transaction. Stellar only. */
  signHash(hash: Uint8Array): Uint8Array
  /** As a wallet does: SEP-53 or EIP-191. */
  signText(text: string): string
}

const encoder = new TextEncoder()

/** @param fill  1 to 255; each its own key. */
export function stellarPerson(fill: number): Person & { readonly publicKey: Uint8Array } {
  const seed = new Uint8Array(32).fill(fill)
  const publicKey = ed25519.getPublicKey(seed)
  const signHash = (hash: Uint8Array) => ed25519.sign(hash, seed)
  return {
    publicKey,
    address: StrKey.encodeEd25519PublicKey(publicKey),
    signHash,
    signText: text => toBase64(signHash(sep53Digest(encoder.encode(text)))),
  }
}

export function evmPerson(fill: number): Person & { readonly secret: Uint8Array } {
  const secret = new Uint8Array(32).fill(fill)
  return {
    secret,
    address: addressOfPublicKey(secp256k1.getPublicKey(secret, false)),
    signHash: () => {
      throw new Error('an EVM account signs no Stellar transaction')
    },
    signText(text) {
      const recovered = secp256k1.sign(eip191Digest(encoder.encode(text)), secret, {
        prehash: false,
        lowS: true,
        format: 'recovered',
      })
      return `0x${toHex(recovered.slice(1))}${toHex(Uint8Array.of(27 + (recovered[0] ?? 0)))}`
    },
  }
}

export const admin = (address: string, roles: readonly Role[], rest: Partial<Admin> = {}): Admin => ({
  address,
  name: 'somebody',
  roles,
  active: true,
  createdAt: 0,
  changedAt: 0,
  ...rest,
})

/** Looks up what `list` holds at the time; `asked` are the addresses that were looked for. */
export function adminsIn(list: Admin[]): Pick<AdminStore, 'find'> & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async find(address) {
      asked.push(address)
      return list.find(one => one.address === address)
    },
  }
}

export function challengesInMemory(): ChallengeStore & { readonly open: Map<string, number> } {
  const open = new Map<string, number>()
  return {
    open,
    async issue(id, expiresAt) {
      open.set(id, expiresAt)
    },
    async use(id, now) {
      const expiresAt = open.get(id)
      return open.delete(id) && expiresAt !== undefined && now < expiresAt
    },
  }
}

/** Never the same bytes twice, and the same ones in every run. */
export function countingRandom(): Random {
  let count = 0
  return {
    bytes(length) {
      count++
      return Uint8Array.from({ length }, (_, at) => (count * 31 + at * 7) % 256)
    },
  }
}
