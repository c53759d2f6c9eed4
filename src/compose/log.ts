import pino from 'pino'
import type { Logger } from '../domain/ports.ts'

const REDACTED = ['authorization', 'token', 'seed', 'secret', '*.authorization', '*.token', '*.seed', '*.secret']

/** JSON lines on stderr: stdout belongs to data. No transport, so that nothing is loaded from a file beside the binary. */
export function jsonLogger(level: string, write: (line: string) => void): Logger {
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: REDACTED }, { write })
  return {
    debug: (event, fields) => log.debug({ ...fields }, event),
    info: (event, fields) => log.info({ ...fields }, event),
    warn: (event, fields) => log.warn({ ...fields }, event),
    error: (event, fields) => log.error({ ...fields }, event),
  }
}
