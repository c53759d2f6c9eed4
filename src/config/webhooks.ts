import { z } from 'zod'
import type { Secret } from '../domain/secret.ts'
import { endpoint } from './shapes.ts'

export const webhooks = (secret: z.ZodType<Secret>) =>
  z.strictObject({
    url: endpoint.describe('https URL that is told what becomes of proposals; redirects are not followed'),
    secret: secret.describe(
      'whsec_ and 24 to 64 bytes in base64, with which what is told is signed (Standard Webhooks)',
    ),
  })
