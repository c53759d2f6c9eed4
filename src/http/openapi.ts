import { OpenAPIHono, z } from '@hono/zod-openapi'
import { describePublished } from './openapi-published.ts'
import { describeProposals } from './openapi-proposals.ts'
import { describeRpc } from './openapi-rpc.ts'
import { describeTransactions } from './openapi-transactions.ts'
import { PROBLEMS } from './problem.ts'
import { base64, json, security } from './registry.ts'
import { explanation } from './schemas-explain.ts'
import { payloadSchemas, signedPayload } from './schemas-payloads.ts'

const api = new OpenAPIHono()
const registry = api.openAPIRegistry

const ACCOUNT =
  'The account it signs for. EVM: the address. Stellar: the address, unless told, and after a rotation the same as before.'

const SignBody = payloadSchemas(registry)

const SignAnswer = registry.register(
  'SignAnswer',
  z.strictObject({
    signature: base64('64 bytes: R‖S (Ed25519), or r‖s with the low s (secp256k1).'),
    publicKey: base64('The pinned key that the signature was verified under: 32 bytes, or 65 with the leading 04.'),
    address: z.string().openapi({ description: 'The same key as an address: G… (SEP-23) or 0x… (EIP-55).' }),
    account: z.string().optional().openapi({ description: 'The account it signs for, where that is not its address.' }),
    keyVersion: z.int().openapi({ description: 'Version of the key that signed.' }),
    hash: z.string().openapi({ description: 'What the signature covers, hex: of a transaction its hash.' }),
    ...signedPayload,
    provider: z.string(),
    custody: z.enum(['native', 'envelope']),
    auditId: z.string().openapi({ description: 'Intent and outcome stand under this id in the audit log.' }),
    requestId: z.string(),
  }),
)

const KeyView = registry.register(
  'Key',
  z.strictObject({
    name: z.string(),
    chain: z.string(),
    network: z.string(),
    address: z.string(),
    account: z.string().openapi({ description: ACCOUNT }),
    publicKey: base64('The raw public key.'),
    scheme: z.string(),
    version: z.int(),
    state: z.string(),
    provider: z.string(),
    custody: z.string(),
    policyHash: z.string().openapi({ description: 'SHA-256 of the policy in force, hex.' }),
  }),
)

const BatchBody = registry.register(
  'Batch',
  z.strictObject({
    requests: z
      .array(z.strictObject({ key: z.string(), payload: SignBody }))
      .min(1)
      .max(64)
      .openapi({ description: 'Judged together, then signed one after the other.' }),
  }),
)

const Explanation = registry.register('Explanation', explanation(z.string()))

const Problem = registry.register(
  'Problem',
  z
    .looseObject({
      type: z
        .string()
        .openapi({ description: 'Relative URI with a page of its own, for example /problems/policy-denied.' }),
      title: z.string(),
      status: z.int(),
      code: z.enum(Object.keys(PROBLEMS) as [string, ...string[]]),
      retryable: z
        .boolean()
        .openapi({ description: 'The same request may be sent again with the same Idempotency-Key.' }),
      requestId: z.string(),
    })
    .openapi({ description: 'RFC 9457 problem. Further members say what exactly is wrong, by code.' }),
)

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
})
const answer = (description: string, schema: z.ZodType) => ({ description, ...json(schema) })
const keyParam = z.object({ key: z.string().openapi({ description: 'Name of the key.', example: 'demo-stellar' }) })
const REFUSALS = {
  400: 'malformed',
  401: 'no or bad token',
  403: 'scope, constraint or policy',
  404: 'no such key',
  429: 'more operations than a limit allows',
}
const refusals = (more: Record<number, string>) =>
  Object.fromEntries(Object.entries({ ...REFUSALS, ...more }).map(([status, text]) => [status, problem(text)]))

registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })

const signing = {
  method: 'post' as const,
  security,
  responses: {
    200: answer('Signed, verified and on record.', SignAnswer),
    ...refusals({
      409: 'in flight, or the version may not sign',
      413: 'too large',
      415: 'not JSON',
      422: 'Idempotency-Key of another request',
      502: 'the key service refused or answered wrongly',
      503: 'not available, overloaded or sealed',
      504: 'the key service did not answer in time',
    }),
  },
}
const signRequest = {
  headers: z.object({
    'Idempotency-Key': z
      .string()
      .openapi({ description: 'Required. Fresh for a request, the same for its retries; kept 24 h.' }),
  }),
  body: { required: true, ...json(SignBody) },
}
registry.registerPath({
  ...signing,
  path: '/v1/keys/{key}/sign',
  summary: 'Sign a transaction, or what else the key may sign',
  request: { params: keyParam, ...signRequest },
})
registry.registerPath({
  ...signing,
  path: '/v1/keys/{key}/versions/{version}/sign',
  summary: 'The same with one version of the key, while it may sign: both sign during a rotation',
  request: { params: keyParam.extend({ version: z.string().openapi({ example: '2' }) }), ...signRequest },
})
registry.registerPath({
  method: 'post',
  path: '/v1/sign-batch',
  summary: 'Sign several transactions',
  description:
    'One token and one proof, several signatures with keys of one network. All or nothing in judgement: unless every one may be signed, none is, and `findings` of the problem names each that may not. Per item in the result: `results` has an answer or a problem for each request, in their order. The idempotency key of each is that of the batch with `/1`, `/2` … behind it, so the same batch sent again signs what is missing.',
  security,
  request: {
    headers: z.object({ 'Idempotency-Key': z.string() }),
    body: { required: true, ...json(BatchBody) },
  },
  responses: {
    200: answer(
      'Understood; every result has its own status.',
      z.strictObject({
        results: z.array(
          z.union([
            z.strictObject({ status: z.literal(200), answer: SignAnswer.extend({ replayed: z.boolean() }) }),
            z.strictObject({ status: z.int(), problem: Problem }),
          ]),
        ),
      }),
    ),
    ...refusals({ 413: 'too large', 415: 'not JSON', 422: 'Idempotency-Key of another request', 503: 'not available' }),
  },
})
registry.registerPath({
  method: 'post',
  path: '/v1/keys/{key}/explain',
  summary: 'What would be decided, and why',
  description: 'A dry run: nothing is claimed, nothing is signed. Takes the scope `explain:<key>`.',
  security,
  request: { params: keyParam, body: { required: true, ...json(SignBody) } },
  responses: { 200: answer('The decision and every rule.', Explanation), ...refusals({ 413: 'too large' }) },
})
registry.registerPath({
  method: 'get',
  path: '/v1/keys',
  summary: 'The keys the token may read',
  security,
  responses: { 200: answer('By name.', z.strictObject({ keys: z.array(KeyView) })), ...refusals({}) },
})
registry.registerPath({
  method: 'get',
  path: '/v1/keys/{key}',
  summary: 'Look at a key',
  security,
  request: { params: keyParam },
  responses: { 200: answer('The key and its active version.', KeyView), ...refusals({}) },
})
const Health = z.looseObject({ status: z.enum(['ok', 'unavailable']) })
registry.registerPath({
  method: 'get',
  path: '/livez',
  summary: 'Is the process alive',
  responses: { 200: answer('It is.', Health) },
})
registry.registerPath({
  method: 'get',
  path: '/readyz',
  summary: 'Can it sign',
  responses: {
    200: answer('Audit log open, store answering.', Health),
    503: answer('Not now; `checks` names the kind of thing that fails, the log says why.', Health),
  },
})
registry.registerPath({
  method: 'get',
  path: '/openapi.json',
  summary: 'This document',
  responses: { 200: answer('OpenAPI 3.1.', z.looseObject({})) },
})
registry.registerPath({
  method: 'get',
  path: '/problems/{code}',
  summary: 'What a problem type means',
  request: { params: z.object({ code: z.string() }) },
  responses: { 200: answer('Meaning and fix.', z.looseObject({})), 404: problem('no such problem') },
})

describePublished(registry, problem)

describeRpc(registry, { answer, refusals })

describeProposals(registry, { signature: SignAnswer, problem: Problem, answer, refusals })

describeTransactions(registry, { answer, refusals })

/** The contract of the data plane; docs/openapi.json is the checked-in copy. */
export function openApiDocument() {
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Countersign data plane',
      version: '1',
      description:
        'Decodes, decides, records, has the key service sign, verifies, records again, and only then answers.',
    },
  })
}
