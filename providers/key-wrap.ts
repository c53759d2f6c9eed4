import { unsafe } from '@noble/ciphers/aes.js'
import { secretRoom } from '../src/bytes/secret-room.ts'

/**
 * AES key wrap with padding (RFC 5649 §4.1), over the block cipher of `@noble/ciphers`. Not its own `aeskwp`, which works in
 * an array that engines move, and so leaves a copy of what it wraps (`test/residue/import.test.ts` found one an import).
 *
 * @param kek      16, 24 or 32 bytes, in room of their own. Stays the caller's to wipe.
 * @param material 9 bytes or more; shorter ones have a form of their own, which nothing here needs.
 * @returns        8 bytes more than the material in whole blocks of 8.
 */
export function wrapKey(kek: Uint8Array, material: Uint8Array): Uint8Array {
  if (material.length < 9) throw new RangeError(`Cannot wrap ${material.length} bytes: 9 are needed`)
  const out = secretRoom(8 + Math.ceil(material.length / 8) * 8)
  out.set(material, 8)
  const words = new DataView(out.buffer)
  words.setUint32(0, ALTERNATIVE_INITIAL_VALUE)
  words.setUint32(4, material.length)
  const schedule = unsafe.expandKeyLE(kek)
  try {
    wrapBlocks(schedule, words)
    return out
  } finally {
    schedule.fill(0)
  }
}

/** RFC 5649 §3: its upper half; the lower one is the length. */
const ALTERNATIVE_INITIAL_VALUE = 0xa65959a6
const ROUNDS = 6

/** The W of RFC 3394 §2.2.1, in place: the register stands in the first 8 bytes. The cipher takes words in little-endian. */
function wrapBlocks(schedule: Uint32Array, words: DataView): void {
  let step = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 8; at < words.byteLength; at += 8) {
      const block = unsafe.encrypt(
        schedule,
        words.getUint32(0, true),
        words.getUint32(4, true),
        words.getUint32(at, true),
        words.getUint32(at + 4, true),
      )
      words.setUint32(0, block.s0, true)
      words.setUint32(4, block.s1, true)
      words.setUint32(4, words.getUint32(4) ^ ++step)
      words.setUint32(at, block.s2, true)
      words.setUint32(at + 4, block.s3, true)
    }
  }
}
