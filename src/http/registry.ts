import type { OpenAPIHono } from '@hono/zod-openapi'

/** What families of routes describe themselves in. */
export type Registry = OpenAPIHono['openAPIRegistry']
