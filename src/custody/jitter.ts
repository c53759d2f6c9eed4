import type { Random } from '../domain/ports.ts'

/** From 0 up to, but not including, 1. */
export const fraction = (random: Random): number => {
  const [a = 0, b = 0, c = 0] = random.bytes(3)
  return ((a << 16) | (b << 8) | c) / 2 ** 24
}
