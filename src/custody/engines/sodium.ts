/* oxlint-disable no-underscore-dangle -- the names of libsodium's WASM exports */
import type { Libsodium } from 'libsodium'
import { signature64 } from '../../domain/brands.ts'
import { SignerError } from '../../domain/errors.ts'
import { fromHex } from '../../bytes/hex.ts'
import { equalBytes } from '../../bytes/equal.ts'
import { needSeed, refuseOtherKey, type SeedEngine } from './engine.ts'

/**
 * Ed25519 in libsodium's WASM build, called directly so that every byte it writes lies in linear memory at a place we
 * know. The seed is copied in, and all that was touched — inputs, expanded key, the WASM stack — is zeroed before the
 * call returns. This left no copy behind in any scan; engines that take a key object or a big integer all did.
 */
export async function sodiumEngine(load: () => Promise<Libsodium> = loadLibsodium): Promise<SeedEngine> {
  const sodium = await load()
  const at = sodium._malloc(ROOM)
  if (at === 0) throw unusable('it has no memory')
  const stack = calibrate(sodium, at)

  const wiped = <T>(seed: Uint8Array, body: () => T): T => {
    needSeed(seed)
    try {
      sodium.HEAPU8.set(seed, at + SEED)
      if (sodium._crypto_sign_seed_keypair(at + PUBLIC, at + SECRET, at + SEED) !== 0) throw unusable('it fails')
      return body()
    } finally {
      sodium.HEAPU8.fill(0, at, at + ROOM)
      sodium.HEAPU8.fill(0, stack.from, stack.to)
    }
  }
  const copyOut = (from: number, length: number): Uint8Array => sodium.HEAPU8.slice(at + from, at + from + length)

  return Object.freeze<SeedEngine>({
    name: 'sodium-wasm',
    scheme: 'ed25519',
    publicKey: seed => wiped(seed, () => copyOut(PUBLIC, 32)),
    sign: (seed, message, pin) =>
      wiped(seed, () => {
        refuseOtherKey(copyOut(PUBLIC, 32), pin)
        signDetached(sodium, at, message)
        return signature64(copyOut(SIGNATURE, 64))
      }),
  })
}

/**
 * Wired by hand, since the loader would look for a browser's random source. libsodium asks for randomness once, when it
 * starts, and signing never does: the start gets a constant, and any later wish is a fault worth stopping for.
 */
async function loadLibsodium(): Promise<Libsodium> {
  const { default: load } = await import('libsodium')
  let started = false
  const sodium = await load({
    getRandomValue: () => {
      if (started) throw unusable('it asks for randomness, which signing does not need')
      return 0
    },
  })
  if (sodium._sodium_init() < 0) throw unusable('it does not start')
  started = true
  return sodium
}

// One block, allocated once: seed, public key, secret key (seed and public key), signature.
const SEED = 0
const PUBLIC = 32
const SECRET = 64
const SIGNATURE = 128
const ROOM = 192

function signDetached(sodium: Libsodium, at: number, message: Uint8Array): void {
  // The message is no secret: it needs room, not wiping.
  const messageAt = sodium._malloc(Math.max(message.length, 1))
  if (messageAt === 0) throw unusable('it has no memory for the message')
  try {
    sodium.HEAPU8.set(message, messageAt)
    const failed = sodium._crypto_sign_detached(at + SIGNATURE, 0, messageAt, message.length, 0, at + SECRET)
    if (failed !== 0) throw unusable('it fails')
  } finally {
    sodium._free(messageAt)
  }
}

interface Region {
  readonly from: number
  readonly to: number
}

const STACK_SEARCHED = 32 * 1024
/** Zeroed below the deepest byte ever seen in use. */
const STACK_MARGIN = 2 * 1024
const ALLOCATOR_HEADER = 8

/** RFC 8032 §7.1, test 1. */
const KNOWN = {
  seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  signature:
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
}

/**
 * Finds the part of linear memory that signing writes besides our block: the WASM stack, whose pointer the build does
 * not export. It lies right below the heap, so its last 32 KiB are painted with two patterns, a published key signs,
 * and what no longer has its paint was in use. A build that is laid out differently is refused, not guessed about.
 */
function calibrate(sodium: Libsodium, at: number): Region {
  const to = at - ALLOCATOR_HEADER
  const from = to - STACK_SEARCHED
  const before = sodium.HEAPU8.slice()
  let deepest = to
  for (const paint of [0xaa, 0x55]) {
    sodium.HEAPU8.fill(paint, from, to)
    signKnown(sodium, at)
    const touched = sodium.HEAPU8.subarray(from, to).findIndex(byte => byte !== paint)
    if (touched >= 0) deepest = Math.min(deepest, from + touched)
  }
  if (deepest === to || deepest - STACK_MARGIN < from) throw unusable('its stack is not where it should be')
  sodium.HEAPU8.fill(0, from, to)
  sodium.HEAPU8.fill(0, at, at + ROOM)
  // Outside the stack nothing may have changed: neither did we paint over data, nor was a secret left elsewhere.
  const after = sodium.HEAPU8
  const quiet = (start: number, end: number): boolean =>
    equalBytes(before.subarray(start, end), after.subarray(start, end))
  const outside = quiet(0, from) && quiet(at + ROOM, before.length)
  if (before.length !== after.length || !outside || before.subarray(from, deepest).some(byte => byte !== 0)) {
    throw unusable('it writes outside its stack')
  }
  return { from: deepest - STACK_MARGIN, to }
}

function signKnown(sodium: Libsodium, at: number): void {
  const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()
  sodium.HEAPU8.set(bytes(KNOWN.seed), at + SEED)
  sodium._crypto_sign_seed_keypair(at + PUBLIC, at + SECRET, at + SEED)
  sodium._crypto_sign_detached(at + SIGNATURE, 0, at, 0, 0, at + SECRET)
  const derived = sodium.HEAPU8.subarray(at + PUBLIC, at + PUBLIC + 32)
  const signature = sodium.HEAPU8.subarray(at + SIGNATURE, at + ROOM)
  if (!equalBytes(derived, bytes(KNOWN.publicKey)) || !equalBytes(signature, bytes(KNOWN.signature))) {
    throw unusable('it does not give the signature of RFC 8032')
  }
}

const unusable = (reason: string): SignerError<'start/refused'> =>
  new SignerError('start/refused', {
    reason: `The libsodium engine cannot be used: ${reason}`,
    fix: 'Install the version of libsodium that the lock file names',
  })
