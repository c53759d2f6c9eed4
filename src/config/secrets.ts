import { z } from 'zod'
import { Secret } from '../domain/secret.ts'
import { SECRET_REFERENCE } from './fields.ts'
import type { Environment } from './layers.ts'
import { SECRET_FIX } from './problems.ts'
import { FIX } from './shapes.ts'
import { holdsStellarSeed } from './secret-shapes.ts'

/** Contents of a file as text; rejects when there is none. */
export type ReadFile = (path: string) => string | Promise<string>

/** Takes `env:NAME` or `file:/path` and gives the `Secret` that is there. A value is never quoted: it may be the secret. */
export const secretReference = (env: Environment, readFile: ReadFile): z.ZodType<Secret> =>
  z.unknown().transform(async (value, context): Promise<Secret> => {
    const refuse = (problem: string, fix: string) => {
      context.addIssue({ code: 'custom', message: `${problem}${FIX}${fix}` })
      return z.NEVER
    }
    // `env:` and then the secret itself is a mistake people make; its letters would pass as a name and be quoted.
    if (typeof value !== 'string' || !SECRET_REFERENCE.test(value) || holdsStellarSeed(value))
      return refuse('is not a reference to a secret', SECRET_FIX)
    const at = value.slice(value.indexOf(':') + 1)
    if (value.startsWith('env:')) {
      const found = env[at] ?? ''
      return found === '' ? refuse(`names the variable ${at}, which is not set`, 'set it') : new Secret(found, value)
    }
    const content = await readText(readFile, at)
    if (content === undefined) return refuse(`names the file ${at}, which cannot be read`, 'check path and permissions')
    // Editors and `kubectl create secret` end files with a line break that is no part of the secret.
    const found = content.endsWith('\n') ? content.slice(0, content.endsWith('\r\n') ? -2 : -1) : content
    return found === ''
      ? refuse(`names the file ${at}, which is empty`, 'write the secret into it')
      : new Secret(found, value)
  })

export async function readText(readFile: ReadFile, path: string): Promise<string | undefined> {
  try {
    return await readFile(path)
  } catch {
    return undefined
  }
}
