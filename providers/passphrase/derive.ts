import type { Cost } from './cost.ts'

/** 32 bytes that encrypt and 32 that commit to them. */
export const DERIVED_BYTES = 64

/**
 * From passphrase and salt to `DERIVED_BYTES` bytes; the caller wipes them, and the passphrase. The same bytes on every
 * runtime. Cannot be called off once it runs.
 */
export type Derive = (passphrase: Uint8Array, salt: Uint8Array, cost: Cost) => Promise<Uint8Array>

/** No error is null on Node, and undefined for Bun's scrypt. */
type Answer = (error: Error | null | undefined, derived: Uint8Array) => void

/** The part of `node:crypto` that is used here. Argon2 came with Node 24.7 and Bun; Node 22, Deno and workerd lack it. */
interface NodeCrypto {
  readonly scrypt?: (
    passphrase: Uint8Array,
    salt: Uint8Array,
    length: number,
    options: { readonly N: number; readonly r: number; readonly p: number; readonly maxmem: number },
    answer: Answer,
  ) => void
  readonly argon2?: (
    algorithm: 'argon2id',
    options: {
      readonly message: Uint8Array
      readonly nonce: Uint8Array
      readonly parallelism: number
      readonly tagLength: number
      readonly memory: number
      readonly passes: number
    },
    answer: Answer,
  ) => void
}

export interface Surroundings {
  readonly process?: { readonly getBuiltinModule?: (id: string) => unknown }
}

const SCRYPT_R = 8
/** What the plain JavaScript gives back to the event loop is never further away than this. */
const TICK_MS = 2

/** What this runtime computes outside its event loop. */
export function nativeKdfs(surroundings: Surroundings = globalThis): { argon2id: boolean; scrypt: boolean } {
  const node = nodeCrypto(surroundings)
  return { argon2id: typeof node?.argon2 === 'function', scrypt: typeof node?.scrypt === 'function' }
}

/**
 * `node:crypto` where it has the function: in a thread of its own, so that keys of other services go on signing.
 * Elsewhere plain JavaScript in slices, which is several times slower and takes its time from everything else.
 */
export function createDerive(surroundings: Surroundings = globalThis): Derive {
  const node = nodeCrypto(surroundings)
  return (passphrase, salt, { kdf, memoryKiB, passes }) => {
    if (kdf === 'scrypt') {
      const options = { N: memoryKiB, r: SCRYPT_R, p: passes, maxmem: (memoryKiB + 4096) * 1024 }
      const { scrypt } = node ?? {}
      if (scrypt === undefined) return plainScrypt(passphrase, salt, options)
      return answered(answer => scrypt(passphrase, salt, DERIVED_BYTES, options, answer))
    }
    const { argon2 } = node ?? {}
    if (argon2 === undefined) return plainArgon2id(passphrase, salt, memoryKiB, passes)
    const options = { message: passphrase, nonce: salt, parallelism: 1, tagLength: DERIVED_BYTES }
    return answered(answer => argon2('argon2id', { ...options, memory: memoryKiB, passes }, answer))
  }
}

/** Asked for by name at run time, since an import would keep the module from loading on the edge. */
const nodeCrypto = (surroundings: Surroundings): NodeCrypto | undefined =>
  surroundings.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined

const answered = (ask: (answer: Answer) => void): Promise<Uint8Array> =>
  new Promise((resolve, reject) => ask((error, derived) => (error ? reject(error) : resolve(derived))))

async function plainScrypt(
  passphrase: Uint8Array,
  salt: Uint8Array,
  options: { N: number; r: number; p: number; maxmem: number },
): Promise<Uint8Array> {
  const { scryptAsync } = await import('@noble/hashes/scrypt.js')
  return scryptAsync(passphrase, salt, { ...options, dkLen: DERIVED_BYTES, asyncTick: TICK_MS })
}

async function plainArgon2id(
  passphrase: Uint8Array,
  salt: Uint8Array,
  memoryKiB: number,
  passes: number,
): Promise<Uint8Array> {
  const { argon2idAsync } = await import('@noble/hashes/argon2.js')
  return argon2idAsync(passphrase, salt, { m: memoryKiB, t: passes, p: 1, dkLen: DERIVED_BYTES, asyncTick: TICK_MS })
}
