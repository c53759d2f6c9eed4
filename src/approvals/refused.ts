import { SignerError } from '../domain/errors.ts'

/** @param rule  what was looked at, for programs. */
export const refused = (rule: string, reason: string): SignerError<'approval/refused'> =>
  new SignerError('approval/refused', { rule, reason })
