import { ed25519Seed } from './seeds.ts'
import { createEngines } from '../../src/custody/index.ts'
import { verifySignature } from '../../src/bytes/verify.ts'
import { HASH, type Subject, textOf, verifies } from './subject.ts'

const engines = createEngines({ wasmFromBytes: true })

/** Signs with an opened seed as per-call decrypt does. */
export async function sealedSigner(seed: Uint8Array): Promise<{ publicKey: Uint8Array; sign: typeof signWith }> {
  const engine = await engines('ed25519')
  const publicKey = engine.publicKey(seed)
  return { publicKey, sign: signWith }
}

async function signWith(seed: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
  return (await engines('ed25519')).sign(seed, HASH, publicKey)
}

/** What nothing can be faster than: the service's own engines, one signature and its verification. */
export async function engineSubject(): Promise<Subject> {
  const seed = ed25519Seed('engine')
  const { publicKey, sign } = await sealedSigner(seed)
  return {
    async sign() {
      const signature = await sign(seed, publicKey)
      if (!(await verifySignature({ scheme: 'ed25519', message: HASH }, publicKey, signature))) {
        throw new Error('the engine gave a signature that does not verify')
      }
      return textOf(signature)
    },
    verify: verifies(publicKey),
    close: () => void seed.fill(0),
  }
}
