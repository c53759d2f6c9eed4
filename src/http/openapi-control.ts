import { OpenAPIHono, z } from '@hono/zod-openapi'
import { PROBLEMS } from './problem.ts'
import type { ControlRoute, Param } from './route-control.ts'
import { CONTROL_ROUTES } from './routes-control.ts'

const api = new OpenAPIHono()
const registry = api.openAPIRegistry

const Problem = registry.register(
  'Problem',
  z
    .looseObject({
      type: z.string().openapi({ description: 'Relative URI with a page of its own.' }),
      title: z.string(),
      status: z.int(),
      code: z.enum(Object.keys(PROBLEMS) as [string, ...string[]]),
      retryable: z.boolean().openapi({ description: 'The same request may be sent again.' }),
      requestId: z.string(),
    })
    .openapi({ description: 'RFC 9457 problem. Further members say what exactly is wrong, by code.' }),
)

registry.registerComponent('securitySchemes', 'session', {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'From POST /auth/token. Tokens of services are not good here.',
})

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
const answer = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})

const EVERY = {
  400: 'malformed',
  401: 'no session, or it has ended',
  403: 'not with these roles, not from here, not now',
  429: 'too many operations',
  503: 'overloaded, sealed, or the store does not answer',
}
const OF_BODY = { 413: 'too large', 415: 'not JSON' }
const OF_WRITES = { 409: 'the same request is being worked on', 422: 'Idempotency-Key of another request' }
const named = (description: string) => z.string().openapi({ description })
const PARAMETERS: Readonly<Record<Param, z.ZodType>> = {
  key: named('Name of the key.'),
  version: z.int().min(1).openapi({ description: 'Number of the version.' }),
  address: named('G… or 0x…'),
  change: named('Id of the change.'),
  token: named('Its `jti`.'),
}
const namesIn = (param: Param): readonly Param[] => (param === 'version' ? ['key', 'version'] : [param])

function refusalsOf({ body, writes, refusals = {} }: ControlRoute): Record<string, ReturnType<typeof problem>> {
  const all: Record<number, string> = { ...EVERY, ...(body === undefined ? {} : OF_BODY) }
  for (const [status, text] of Object.entries({ ...(writes ? OF_WRITES : {}) })) all[Number(status)] = text
  for (const [status, text] of Object.entries(refusals)) {
    const before = all[Number(status)]
    all[Number(status)] = before === undefined ? text : `${before}; or ${text}`
  }
  return Object.fromEntries(Object.entries(all).map(([status, text]) => [status, problem(text)]))
}

for (const route of CONTROL_ROUTES) {
  const { method, path, name, summary, needs, quorum, writes, param, body, query, answer: schema, status } = route
  const by = quorum === true ? ', which no role has: a break-glass token whose statement names this' : ''
  const needed = needs === 'login' ? 'Before there is a session.' : `Needs the permission ${needs}${by}.`
  registry.registerPath({
    method: method.toLowerCase() as 'get',
    path,
    operationId: name,
    summary,
    description: needed,
    ...(needs === 'login' ? { security: [] } : { security: [{ session: [] }] }),
    request: {
      ...(param === undefined
        ? {}
        : { params: z.object(Object.fromEntries(namesIn(param).map(each => [each, PARAMETERS[each]]))) }),
      ...(writes
        ? {
            headers: z.object({
              'Idempotency-Key': z
                .string()
                .openapi({ description: 'Required. Fresh for a request, the same for its retries; kept 24 h.' }),
            }),
          }
        : {}),
      ...(query === undefined ? {} : { query }),
      ...(body === undefined ? {} : { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: { [status]: answer(status === 201 ? 'Made.' : 'Done.', schema), ...refusalsOf(route) },
  })
}

const Jwks = z.strictObject({
  keys: z
    .array(z.looseObject({ kty: z.string(), crv: z.string(), alg: z.string(), kid: z.string(), x: z.string() }))
    .min(1),
})
const Health = z.looseObject({ status: z.enum(['ok', 'unavailable']) })
const open = (
  path: string,
  summary: string,
  responses: Record<string, ReturnType<typeof problem> | ReturnType<typeof answer>>,
  code = false,
) =>
  registry.registerPath({
    method: 'get',
    path,
    summary,
    security: [],
    ...(code ? { request: { params: z.object({ code: z.string() }) } } : {}),
    responses,
  })
open('/livez', 'Is the process alive', { 200: answer('It is.', Health) })
open('/readyz', 'Can it work', {
  200: answer('Audit log open, store answering.', Health),
  503: answer('Not now; `checks` names the kind of thing that fails, the log says why.', Health),
})
open('/.well-known/jwks.json', 'Public keys of the tokens that are issued here', { 200: answer('RFC 7517.', Jwks) })
open('/openapi.json', 'This document', { 200: answer('OpenAPI 3.1.', z.looseObject({})) })
const [page, none] = [answer('Meaning and fix.', z.looseObject({})), problem('no such problem')]
open('/problems/{code}', 'What a problem type means', { 200: page, 404: none }, true)

/** The contract of the control plane; docs/openapi-control.json is the checked-in copy. */
export function controlDocument() {
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Countersign control plane',
      version: '1',
      description: 'Administrators, tokens, policies and the audit log. Nothing here signs with a key.',
    },
  })
}
