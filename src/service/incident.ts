import { randomId } from '../bytes/ids.ts'
import { type AnySignerError, SignerError } from '../domain/errors.ts'
import type { Logger, Random } from '../domain/ports.ts'

/** An unexpected throw gets a number: callers see that, the log sees what kind it was, and where. */
export const incidents =
  (random: Random, logger: Logger) =>
  (error: unknown): AnySignerError => {
    const id = randomId(random, 'i')
    logger.error('incident', { incident: id, ...faceOf(error) })
    return new SignerError('internal', { incident: id }, { cause: error })
  }

/**
 * What a log may hold of a throw nobody foresaw: what kind, and where. Its message stays out: the text is not ours, and
 * others have put into it what they were working on.
 */
export function faceOf(error: unknown): Record<string, string> {
  if (!(error instanceof Error)) return { kind: typeof error }
  const { name, message, stack = '' } = error
  const { code } = error as { code?: unknown }
  const frames = stack.slice(Math.max(0, stack.indexOf(message)) + message.length).split('\n')
  const at = frames.filter(line => line.startsWith('    at ')).map(line => line.trim())
  return {
    kind: name.slice(0, 100),
    ...(typeof code === 'string' && ERROR_CODE.test(code) ? { code } : {}),
    at: at.join(' ').slice(0, 2000),
  }
}

/** As systems and libraries spell them: `EIO`, `ERR_JWT_EXPIRED`. */
const ERROR_CODE = /^[A-Z][A-Z0-9_]{1,63}$/
