import type { Random } from '../domain/ports.ts'
import { toHex } from './hex.ts'

/** @returns `prefix_` and 128 random bits in hex, such as `req_0f…`. */
export const randomId = (random: Random, prefix: string): string => `${prefix}_${toHex(random.bytes(16))}`
