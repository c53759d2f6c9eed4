import { type OpenAPIHono, z } from '@hono/zod-openapi'

/** What families of routes describe themselves in. */
export type Registry = OpenAPIHono['openAPIRegistry']

interface Response {
  readonly description: string
  readonly content: object
}

/** What the document of the data plane says alike of all its routes. */
export interface Words {
  answer(description: string, schema: z.ZodType): Response
  /** What every route may refuse, and `more` by status. */
  refusals(more: Record<number, string>): Record<string, Response>
}

export const base64 = (description: string) => z.string().openapi({ description, contentEncoding: 'base64' } as object)
export const json = (schema: z.ZodType) => ({ content: { 'application/json': { schema } } })
export const security = [{ bearer: [] }]
