import { z } from 'zod'
import type { Secret } from '../domain/secret.ts'
import { FIX, isSafeOrigin } from './shapes.ts'

/** @param value of a URL that parses */
function urlProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return `is not a URL${FIX}use https://HOST/PATH`
  const url = new URL(value)
  if (!isSafeOrigin(url)) return `is not https${FIX}use https://, or http:// on 127.0.0.1`
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    return `holds a user or a fragment${FIX}use scheme, host, port, path and query only`
  return undefined
}

export const webhooks = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    url: z
      .string()
      .max(2048)
      .superRefine((value, context) => {
        const message = urlProblem(value)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      })
      .describe('https URL that is told what becomes of proposals; redirects are not followed'),
    secret: secret.describe(
      'whsec_ and 24 to 64 bytes in base64, with which what is told is signed (Standard Webhooks)',
    ),
  })
