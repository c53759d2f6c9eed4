import type { Random } from '../../src/domain/ports.ts'

/** Fisher–Yates. Two bytes a step: the lists here are short. */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const [high = 0, low = 0] = random.bytes(2)
    const j = (high * 256 + low) % (i + 1)
    ;[out[i], out[j]] = [out[j] as T, out[i] as T]
  }
  return out
}
