import { ed25519ToSpki } from './spki.ts'

/** Ed25519 verification as the runtime does it: fast, and lax about points. `verify.ts` adds what is missing. */
export type Ed25519Verify = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean | Promise<boolean>

/** The part of `node:crypto` that is used here. */
interface NodeCrypto {
  createPublicKey(key: { key: Uint8Array; format: 'der'; type: 'spki' }): object
  verify(algorithm: null, message: Uint8Array, key: object, signature: Uint8Array): boolean
}

interface Surroundings {
  readonly process?: { readonly getBuiltinModule?: (id: string) => unknown }
  readonly crypto: { readonly subtle: Crypto['subtle'] }
}

/**
 * `node:crypto` where the runtime has it (Bun, Node, Deno): synchronous, and 2.5 to 4 times as fast as WebCrypto, which
 * serves everywhere else. Asked for by name at run time, since an import would keep the module from loading on the edge.
 */
export function nativeEd25519(surroundings: Surroundings = globalThis): Ed25519Verify {
  const node = surroundings.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined
  return node === undefined ? byWebCrypto(surroundings.crypto.subtle) : byNodeCrypto(node)
}

const byNodeCrypto =
  (node: NodeCrypto): Ed25519Verify =>
  (publicKey, message, signature) => {
    const key = node.createPublicKey({ key: ed25519ToSpki(publicKey), format: 'der', type: 'spki' })
    return node.verify(null, message, key, signature)
  }

const byWebCrypto =
  (subtle: Crypto['subtle']): Ed25519Verify =>
  async (publicKey, message, signature) => {
    const key = await subtle.importKey('raw', owned(publicKey), 'Ed25519', false, ['verify'])
    return subtle.verify('Ed25519', key, owned(signature), owned(message))
  }

/** WebCrypto's types want bytes over an ArrayBuffer of their own; a view over shared memory would not do. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
